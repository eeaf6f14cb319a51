"""The results as a page of Markdown: `page.md.j2`, filled."""

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from catdog.photo.reader import CONFIDENT

from . import aims

HERE = Path(__file__).parent


def render(results: Mapping[str, Any]) -> str:
    """The whole page, ready to be written."""
    # Markdown, not HTML: nothing is escaped.
    environment = Environment(loader=FileSystemLoader(HERE), undefined=StrictUndefined, trim_blocks=True)
    environment.globals.update(number=_number, turns=_turns, percentiles=_percentiles, confident=CONFIDENT)
    text = environment.get_template("page.md.j2").render(results, aims=aims.check(results))
    return "\n".join(map(_filled, text.splitlines())).strip() + "\n"


def _filled(line: str) -> str:
    """A line of prose in lines of at most 120 characters; a row of a table as it is."""
    if line.startswith("|"):
        return line
    indent = "  " if line.startswith("- ") else ""
    return textwrap.fill(line, 120, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _percentiles(row: Mapping[str, float]) -> list[str]:
    return [f"{row[key]:.1f}" for key in ("p50", "p95", "p99")]


def _number(value: float | None, unit: str) -> str:
    if value is None:
        return "-"
    return f"{value:.0f}{unit}" if value >= 100 or value == int(value) else f"{value:.3g}{unit}"


def _turns(aim: aims.Aim) -> str:
    """The lowest and the highest of single turns; empty for what has none."""
    return f"{_number(aim.turns[0], '')} to {_number(aim.turns[1], aim.unit)}" if aim.turns else ""
