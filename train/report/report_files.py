"""The figures of the commands `report` and `insight`, written as JSON and as a page that people read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from train.fit.lineage import CONVERGED
from train.folders import whole
from train.measure.faithfulness import CURVES
from train.measure.metrics import CALIBRATION_BINS
from train.measure.robustness import AS_THEY_ARE, CONDITIONS
from train.measure.statistics import rounded
from train.report.markdown import render
from train.report.results import SPLIT_NAMES

PAGES = {"report": "README.md", "insight": "insight.md"}
SHOWN = 12  # photos of a kind that a drawing shows
# What the templates say besides the figures.
WORDS = {
    "split_names": SPLIT_NAMES,
    # Figures of `metrics.measure` below the accuracy: key, name, format.
    "metrics": (
        ("precision", "precision", ".2%"),
        ("recall", "recall", ".2%"),
        ("f1", "F1", ".2%"),
        ("roc_auc", "ROC AUC", ".4f"),
        ("log_loss", "log loss", ".4f"),
        ("calibration_error", "calibration error", ".4f"),
        ("calibration_error_uncalibrated", "… without temperature", ".4f"),
    ),
    "calibration_bins": CALIBRATION_BINS,
    "converged": CONVERGED,
    "as_they_are": AS_THEY_ARE.title,
    "all_conditions": CONDITIONS,
    "curves": CURVES,
    "listed": 30,  # photos that a page names
    "shown": SHOWN,
}


def write(name: str, figures: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Write the figures of a command, rounded, as NAME.json, and its page; return them as written."""
    figures = rounded(figures)
    _write(folder / f"{name}.json", json.dumps(figures, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    write_page(name, figures, folder)
    return figures


def write_page(name: str, figures: dict[str, Any], folder: Path) -> None:
    """Write the page of a command from what its JSON file holds."""
    _write(folder / PAGES[name], render(f"{name}.md.j2", **WORDS, **figures))


def _write(path: Path, text: str) -> None:
    with whole(path) as partial:  # a byte of a photo's name may be no character
        partial.write_text(text, encoding="utf-8", errors="backslashreplace")
