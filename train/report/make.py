"""Everything that can be said of the models on one split: a page with drawings, and all figures as JSON."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from catdog import InvalidSettings, load
from catdog.terminal import tell
from train.data.dataset import find
from train.folders import require_writable, whole
from train.measure.answers import ask
from train.measure.served import settings_for
from train.measure.statistics import RESAMPLES
from train.report import report_page
from train.report.drawings import draw
from train.report.findings import findings


def report(
    weights: Path,
    data: Path,
    split_name: str = "test",
    *,
    out: Path,
    limit: int | None = None,
    dataset: str = "",
    resamples: int = RESAMPLES,
    command: str = "",
) -> dict[str, Any]:
    """Measure every model in `weights` on `data`/split_name and write a page about it to `out`.

    1. Ask each model about each photo, as it is and under each of `robustness.CONDITIONS`, through
       the serving path; the answers are kept in `data`/.cache, and no finished model is asked twice.
    2. Write the drawings (.png, .jpg), the figures (report.json) and the page (README.md), each
       whole or not at all. Of an earlier report, drawings that this one does without are removed;
       nothing else in `out` is touched.

    Returns the figures. A model that cannot be used is named on stderr and left out. `limit` takes
    the first photos of each class only; `dataset` is the name of the data and `command` how to
    repeat this, for the page.
    """
    if resamples < 0:
        raise InvalidSettings(f"The number of resamples must be 0 or more. Received: {resamples}.")
    split = find(data, split_name).head(limit)
    require_writable(out)
    with contextlib.closing(load(settings_for(weights))) as comparator:
        tell(comparator.problems)
        answers = ask(list(comparator.models.values()), split, data / ".cache")
    found = {
        "dataset": dataset,
        "split": split_name,
        "classes": list(split.classes),
        "photos": {name: int((split.labels == index).sum()) for index, name in enumerate(split.classes)},
        "limit": limit,
        "resamples": resamples,
        "command": command,
    } | findings(answers, resamples)
    found["drawings"] = draw(answers, found, out)
    _write(out / "report.json", json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    _write(out / "README.md", report_page.page(found))
    return found


def _write(path: Path, text: str) -> None:
    with whole(path) as partial:  # a byte of a photo's name may be no character
        partial.write_text(text, encoding="utf-8", errors="backslashreplace")
