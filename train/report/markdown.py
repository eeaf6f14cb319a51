"""Markdown by the Jinja2 templates beside this file: whole pages, and single tables."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from catdog.wording import duration, readable_size


def render(template: str, **values: Any) -> str:
    """The text of a template."""
    return _environment().get_template(template).render(**values)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table, without a line break at its end."""
    return render("rows.md.j2", header=header, rows=rows).rstrip("\n")


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
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
