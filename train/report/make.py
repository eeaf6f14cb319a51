"""The commands `report` and `insight`: measure served models on a data folder; write pages, figures and drawings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from catdog import InvalidSettings
from train.data.dataset import DatasetError, find, is_photo, visible_folders
from train.data.neither_photos import ABOUT
from train.folders import require_writable
from train.measure.answers import ask
from train.measure.served import served
from train.measure.statistics import RESAMPLES, rounded
from train.report import drawings, report_files
from train.report.insight_figures import insight_figures
from train.report.report_figures import report_figures

MAPPED = 200  # photos for heat maps, for which the models are asked many times per photo


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
    """Measure every model in `weights` on `data`/split_name; write README.md, report.json and drawings to `out`.

    1. Ask each model about each photo, as it is and under each of `robustness.CONDITIONS`, as it is served. The
       answers are kept in `data`/.cache, and the same models are not asked again.
    2. Write everything, each file whole or not at all. Drawings of an earlier report that this one lacks are removed;
       nothing else in `out` is touched.

    Returns the figures. A model that cannot be used is named on stderr and left out. `limit` takes the first photos
    of each class only; `dataset` is the name of the data and `command` how to repeat this, for the page.
    """
    if resamples < 0:
        raise InvalidSettings(f"The number of resamples must be 0 or more. Received: {resamples}.")
    split = find(data, split_name).head(limit)
    require_writable(out)
    with served(weights) as comparator:
        answers = ask(list(comparator.models.values()), split, data / ".cache")
    found = {
        "dataset": dataset,
        "split": split_name,
        "classes": list(split.classes),
        "photos": {name: int((split.labels == index).sum()) for index, name in enumerate(split.classes)},
        "limit": limit,
        "resamples": resamples,
        "command": command,
    } | rounded(report_figures(answers, resamples))
    found["drawings"] = drawings.of_report(answers, found, out)
    return report_files.write("report", found, out)


def insight(
    weights: Path, data: Path, strangers: Path, out: Path, *, split_name: str = "test", photos: int = MAPPED
) -> dict[str, Any]:
    """Measure how far answers can be trusted; write insight.md, insight.json and drawings to `out`.

    data       its split `split_name` has the photos of the classes
    strangers  folder of folders, one per kind of thing, with photos of neither class; its file ABOUT, if any, is
               quoted on the page
    photos     how many of the split are used for heat maps, at most

    Returns the figures. A model that cannot be used is named on stderr and left out.
    """
    if photos < 1:
        raise InvalidSettings(f"Heat maps are measured on at least one photo. Received: {photos}.")
    require_writable(out)
    split, others = find(data, split_name), find_strangers(strangers)
    chosen = np.sort(np.random.default_rng(0).permutation(len(split))[:photos])
    sample = [split.paths[i] for i in chosen]
    with served(weights) as comparator:
        figures, refusals = insight_figures(comparator, split, others, sample)
        about = strangers / ABOUT
        figures["neither"]["about"] = about.read_text(encoding="utf-8").strip() if about.is_file() else ""
        drawings.of_insight(figures, refusals, comparator, sample, out)
    return report_files.write("insight", {"split": split_name} | figures, out)


def find_strangers(folder: Path) -> dict[str, list[Path]]:
    """The photos in each visible folder of a folder: name -> files; raises DatasetError when there are none."""
    found = {path.name: sorted(filter(is_photo, path.rglob("*"))) for path in visible_folders(folder)}
    found = {name: paths for name, paths in found.items() if paths}
    if not found:
        raise DatasetError(f"{folder} must hold folders with photos of neither class; see `python -m train strangers`.")
    return found
