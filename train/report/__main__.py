"""Write the pages of a report again, from its report.json and insight.json: python -m train.report docs/report."""

import json
import sys
from pathlib import Path

from train.report.markdown import PAGES, write_page


def main(folder: Path) -> None:
    for name in PAGES:
        path = folder / f"{name}.json"
        if path.is_file():
            write_page(name, json.loads(path.read_text(encoding="utf-8")), folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
