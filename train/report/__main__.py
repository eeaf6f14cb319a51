"""Write the pages of a report again, from its report.json and insight.json: python -m train.report docs/report."""

import json
import sys
from pathlib import Path

from train.report.markdown import PAGES, write_page


def main(folder: Path) -> None:
    """Write the pages; exits with a sentence where the folder has no figures."""
    found = {name: path for name in PAGES if (path := folder / f"{name}.json").is_file()}
    if not found:
        sys.exit(f"error: {folder} holds no report.json or insight.json: `python -m train report` makes one.")
    for name, path in found.items():
        write_page(name, json.loads(path.read_text(encoding="utf-8")), folder)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m train.report FOLDER")
    main(Path(sys.argv[1]))
