"""The Jinja2 environment of all pages, whose templates escape every value that is not HTML already, and their accents.

An accent is a name for colours in verdicts.css and for a drawing in templates/icons.
"""

import functools
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from catdog import wording
from catdog.models.spec import USUAL_NAMES, ModelSpec, classes_of
from catdog.verdict import Comparison


def render(template: str, **values: object) -> Markup:
    """Fill a file of `templates` with `values`; returns Markup, so that other templates do not escape it again."""
    return Markup(environment().get_template(template).render(values))


def accent(label: str, classes: Sequence[str]) -> str:
    """The accent of a class: its own for cats and dogs, one of three for others."""
    return USUAL_NAMES.get(label.lower()) or f"other-{list(classes).index(label) % 3}"


def accent_of(comparison: Comparison, specs: Sequence[ModelSpec]) -> str:
    """The accent of a comparison: `neither`, the accent of the class, or `split` when the models disagree."""
    if wording.is_neither(comparison):
        return "neither"
    return accent(comparison.models[0].label, classes_of(specs)) if comparison.agree else "split"


def icon_url(name: str, colour: str) -> str:
    """The drawing `templates/icons/NAME.svg` with space around it, as a data: URL."""
    shapes = render(f"icons/{name}.svg")
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-48 -36 144 120" fill="{colour}">{shapes}</svg>'
    return f"data:image/svg+xml,{quote(svg)}"


@functools.cache
def environment() -> Environment:
    """The environment of all templates of the pages."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(wording=wording, accent=accent, accent_of=accent_of, classes_of=classes_of)
    environment.filters["percent"] = wording.percent
    environment.filters["grouped"] = "{:,}".format
    return environment
