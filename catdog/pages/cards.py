"""The cards: one per model, with its verdict or still waiting for it."""

import json
from collections.abc import Mapping, Sequence

from markupsafe import Markup

from catdog.models.spec import ModelSpec, classes_of
from catdog.pages.pictures import legend_url
from catdog.pages.render import render
from catdog.verdict import Comparison, Verdict
from catdog.wording import is_neither


def blank(specs: Sequence[ModelSpec], *, busy: bool = False) -> Markup:
    """The cards without verdicts; `busy` while the models work."""
    return _cards([(spec, None) for spec in specs], specs, state="busy" if busy else "idle", maps={}, answer="")


def filled(
    comparison: Comparison,
    specs: Sequence[ModelSpec],
    maps: Mapping[str, str] | None,
    *,
    state: str = "done",
    savable: bool = True,
) -> Markup:
    """One card per verdict; `maps` holds the address of each model's heat map, if it has one; None if not wanted.

    state    `done` for a visitor's photo, or `example` for what the page shows before any, without the time it took
    savable  whether buttons to save a visitor's verdicts stand above
    """
    by_name = {spec.name: spec for spec in specs}
    return _cards(
        [(by_name[verdict.model], verdict) for verdict in comparison.models],
        specs,
        state=state,
        mapped=maps is not None,
        neither=is_neither(comparison),
        maps=maps or {},
        legend=legend_url(),
        answer=json.dumps(comparison.to_dict()) if savable and state == "done" else "",
    )


def _cards(rows: Sequence[tuple[ModelSpec, Verdict | None]], specs: Sequence[ModelSpec], **values: object) -> Markup:
    refusing = any(spec.neither for spec in specs)
    return render("cards.html", rows=rows, classes=classes_of(specs), refusing=refusing, **values)
