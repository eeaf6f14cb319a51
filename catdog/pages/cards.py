"""Verdicts as HTML: pure functions from specs and a Comparison to escaped text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape

from catdog.models.spec import ModelSpec, classes_of
from catdog.pages.html import accent, bar
from catdog.pages.icons import icon
from catdog.pages.pictures import legend_url
from catdog.verdict import Comparison, Verdict
from catdog.wording import (
    UNSURE,
    certainty,
    costs,
    introduction,
    is_neither,
    listed,
    map_alt,
    measured,
    percent,
    sureness,
)


def heading(specs: Sequence[ModelSpec]) -> str:
    """The top of the page."""
    return (
        f'<header class="cd-head"><div class="cd-logo">{icon("cat")}{icon("dog")}</div>'
        f"<div><h1>{escape(_question(specs))}</h1><p>{escape(introduction(specs))}</p></div></header>"
    )


def blank(specs: Sequence[ModelSpec], *, busy: bool = False) -> str:
    """The cards without verdicts."""
    return _row([_blank_card(spec) for spec in specs], "busy" if busy else "idle")


def judged(comparison: Comparison, specs: Sequence[ModelSpec], maps: Mapping[str, str]) -> str:
    """One card per verdict; `maps` holds the address of each model's heat map, as far as there is one."""
    by_name = {spec.name: spec for spec in specs}
    known = not is_neither(comparison)
    cards = [_card(v, by_name[v.model], maps.get(v.model, ""), known) for v in comparison.models]
    return _row(cards, "done") + (_legend() if maps else "")


def about(specs: Sequence[ModelSpec], source: str, problems: Sequence[str], privacy: str) -> str:
    """Where the models came from, what went wrong while loading them, what they cannot know, and what is kept."""
    notices = "".join(f"<li>{escape(problem)}</li>" for problem in problems)
    warning = f'<ul class="cd-problems" aria-label="Problems">{notices}</ul>' if notices else ""
    origin = "The models came with this app." if source == "bundled" else f"Models: <strong>{_linked(source)}</strong>."
    return f'{warning}<p class="cd-about">{origin} {escape(_taught(specs))}{escape(privacy)}</p>'


def scope(specs: Sequence[ModelSpec]) -> str:
    """What a visitor should know before trying other things, in plain text; empty without models."""
    if not specs:
        return ""
    names = _known(specs)
    more = "both" if len(names) == 2 else "several"
    return (
        f"The models can only say {listed(names, 'or')}. Of a photo with {more} they name one, and some other things "
        "they take for one of these."
    )


def _taught(specs: Sequence[ModelSpec]) -> str:
    """What the models learned from, and what their figures hold for, before another sentence; empty without models."""
    if not specs:
        return ""
    figures = ", and how often they err was measured on photos of these" if any(map(measured, specs)) else ""
    return f"They were taught {listed(_known(specs), 'and')} only{figures}. "


def _known(specs: Sequence[ModelSpec]) -> list[str]:
    return sorted({name.lower() for name in classes_of(specs)})


def _linked(source: str) -> str:
    """Where the models came from, with a link to the repository where that is on the Hub."""
    repository = re.fullmatch(r"(hub (?:cache )?)([\w./-]+)(@.*)", source)
    if not repository:
        return escape(source)
    from huggingface_hub import constants  # knows which Hub; loaded already where models came from one

    before, name, after = repository.groups()
    address = escape(f"{constants.ENDPOINT}/{name}")
    # A Space is shown in a frame, where the Hub does not let itself be shown.
    return f'{before}<a href="{address}" target="_blank" rel="noopener">{name}</a>{escape(after)}'


def _row(cards: Sequence[str], state: str) -> str:
    busy = ' aria-busy="true"' if state == "busy" else ""
    return f'<div class="cd-cards" data-state="{state}" data-count="{len(cards)}"{busy}>{"".join(cards)}</div>'


def _card(verdict: Verdict, spec: ModelSpec, address: str, known: bool) -> str:
    """A card; of a photo that is not `known` to be of one of the classes, nothing tells how often it is right."""
    bars = "".join(
        f'<li data-accent="{accent(name, spec.classes)}"><span>{escape(name.capitalize())}</span>{bar(value)}'
        f"<span>{escape(percent(value))}</span></li>"
        for name, value in verdict.probabilities.items()
    )
    label = f"<strong>{escape(verdict.label.capitalize())}</strong>"
    return _frame(
        spec,
        picture=f'<img class="cd-map" src="{address}" alt="{escape(map_alt(verdict))}">' if address else "",
        colour=accent(verdict.label, spec.classes) if known else "neither",
        answer=f"{label}<span>{_sure(verdict, known)}: {escape(percent(verdict.confidence))}</span>",
        bars=bars,
        worth=sureness(verdict) if known else "",
        verdict=verdict,
    )


def _sure(verdict: Verdict, known: bool) -> str:
    """What stands before a confidence: how much of an answer it is."""
    if not known:
        return "If it had to choose"
    word = certainty(verdict)
    return "Leaning" if word == UNSURE else word.capitalize()


def _blank_card(spec: ModelSpec) -> str:
    bars = "".join(f"<li><span>{escape(name.capitalize())}</span>{bar(0)}<span>–</span></li>" for name in spec.classes)
    return _frame(spec, colour="none", answer='<strong aria-hidden="true">–</strong>', bars=bars)


def _frame(
    spec: ModelSpec,
    *,
    colour: str,
    answer: str,
    bars: str,
    picture: str = "",
    worth: str = "",
    verdict: Verdict | None = None,
) -> str:
    """A card; `answer`, `bars` and `picture` are HTML that was escaped by the caller."""
    title = f"cd-{escape(spec.name)}"
    worth = f'<p class="cd-worth">{escape(worth)}</p>' if worth else ""
    facts = "".join(
        f"<div><dt>{name}</dt><dd>{escape(value)}</dd></div>" for name, value in costs(spec, verdict).items()
    )
    return (
        f'<article class="cd-card" data-accent="{colour}" data-model="{escape(spec.name)}" aria-labelledby="{title}">'
        f'<h3 id="{title}">{escape(spec.title)}</h3>{picture}'
        f'<p class="cd-verdict">{icon("paw" if colour == "none" else colour)}<span>{answer}</span></p>'
        f'<ul class="cd-bars">{bars}</ul>{worth}'
        f'<dl class="cd-costs">{facts}</dl><p class="cd-note">{escape(measured(spec))}</p></article>'
    )


def _legend() -> str:
    return (
        '<p class="cd-legend"><span>Speaks against the answer</span>'
        f'<img src="{legend_url()}" alt="" width="160" height="10"><span>for it</span>'
        '<span class="cd-legend-note">One scale for all models. What each leans to before it looks is not drawn.</span>'
        "</p>"
    )


def _question(specs: Sequence[ModelSpec]) -> str:
    names = specs[0].classes if specs else ("cat", "dog")
    return f"{listed([name.lower() for name in names], 'or').capitalize()}?" if len(names) <= 4 else "What is it?"
