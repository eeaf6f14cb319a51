"""Figures as Markdown by Jinja2 templates: the pages of `report` and `insight` beside their JSON, and tables."""

import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from catdog.errors import InvalidSettings
from catdog.files import whole
from catdog.wording import duration, readable_size
from train.fit.lineage import CONVERGED
from train.measure.faithfulness import CURVES
from train.measure.metrics import CALIBRATION_BINS, METRICS, SPLIT_NAMES
from train.measure.robustness import AS_THEY_ARE, CONDITIONS
from train.measure.statistics import rounded

TEMPLATES = [Path(__file__).parents[1] / room / "templates" for room in ("report", "publish")]
PAGES = {"report": "README.md", "insight": "insight.md"}
SHOWN = 12  # photos of a kind that a drawing shows
SURE = 0.9  # confidence from which on an answer about a photo of neither is counted as a sure one
# What the templates say besides the figures.
WORDS = {
    "split_names": SPLIT_NAMES,
    "metrics": {key: metric for key, metric in METRICS.items() if key != "accuracy"},
    "calibration_bins": CALIBRATION_BINS,
    "converged": CONVERGED,
    "as_they_are": AS_THEY_ARE.title,
    "all_conditions": CONDITIONS,
    "curves": CURVES,
    "listed": 30,  # photos that a page names
    "shown": SHOWN,
    "sure": SURE,
}


def require_free(name: str, folder: Path) -> None:
    """Raise InvalidSettings where the page of a command would replace one that no such command wrote."""
    if (page := folder / PAGES[name]).exists() and not (folder / f"{name}.json").exists():
        raise InvalidSettings(f"{page} is not of a report, and would be replaced: choose another --out.")


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


def render(template: str, **values: Any) -> str:
    """The text of a template."""
    return _environment().get_template(template).render(**values)


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"f": format, "span": _span, "duration": duration, "readable_size": readable_size}
    return environment


def _span(interval: Sequence[float], form: str, between: str = "–") -> str:
    """An interval as text; with percentages and a dash, the sign % is written once."""
    low, high = (format(value, form) for value in interval)
    return f"{low.rstrip('%') if between == '–' else low}{between}{high}"
