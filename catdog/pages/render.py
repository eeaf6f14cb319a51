"""The Jinja2 environment of all pages: its templates escape every value that is not HTML already."""

from __future__ import annotations

import functools
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from catdog import wording
from catdog.pages.accents import accent, accent_of


def render(template: str, **values: object) -> Markup:
    """Fill a file of `templates` with `values`; returns Markup, so that other templates do not escape it again."""
    return Markup(_environment().get_template(template).render(values))


def icon_url(name: str, colour: str) -> str:
    """The drawing `templates/icons/NAME.svg` with space around it, as a data: URL."""
    shapes = render(f"icons/{name}.svg")
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-48 -36 144 120" fill="{colour}">{shapes}</svg>'
    return f"data:image/svg+xml,{quote(svg)}"


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(wording=wording, accent=accent, accent_of=accent_of)
    environment.filters["percent"] = wording.percent
    return environment
