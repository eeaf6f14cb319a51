"""Verdicts as HTML: pure functions from specs and a Comparison to escaped text."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from ..compare import Comparison, Verdict
from ..spec import ModelSpec
from ..wording import agreement, facts, introduction, leading, milliseconds, percent
from .icons import icon


def heading(specs: Sequence[ModelSpec]) -> str:
    """The top of the page."""
    return (
        f'<header class="cd-head"><div class="cd-logo">{icon("cat")}{icon("dog")}</div>'
        f"<div><h1>{escape(_question(specs))}</h1><p>{escape(introduction(specs))}</p></div></header>"
    )


def waiting(specs: Sequence[ModelSpec]) -> str:
    """The results before any photo."""
    return _results(
        _banner("Waiting for a photo", "Drop one, paste one, take one, or try an example.", "idle"),
        [_blank_card(spec) for spec in specs],
    )


def looking(specs: Sequence[ModelSpec]) -> str:
    """The results while the models work."""
    return _results(_banner("Looking at your photo…", "", "busy"), [_blank_card(spec) for spec in specs], state="busy")


def refused(message: str, specs: Sequence[ModelSpec]) -> str:
    """The results when there is no verdict; `message` is plain text that says why."""
    return _results(
        _banner("No verdict on this one", message, "error", role="alert"), [_blank_card(spec) for spec in specs]
    )


def judged(comparison: Comparison, specs: Sequence[ModelSpec], default: ModelSpec) -> str:
    """The results: whether the models agree, and one card per verdict."""
    by_name = {spec.name: spec for spec in specs}
    cards = [_card(verdict, by_name[verdict.model]) for verdict in comparison.models]
    accent = _accent(comparison.models[0].label, default) if comparison.agree else "split"
    return _results(_banner(agreement(comparison, specs), leading(comparison, default), accent), cards)


def about(specs: Sequence[ModelSpec], source: str, problems: Sequence[str]) -> str:
    """Where the models came from, what went wrong while loading them, and what they cannot know."""
    notices = "".join(f"<li>{escape(problem)}</li>" for problem in problems)
    warning = f'<ul class="cd-problems" aria-label="Problems">{notices}</ul>' if notices else ""
    known = _listed(sorted({name for spec in specs for name in spec.classes}), "and")
    return (
        f'{warning}<p class="cd-about">Models: <strong>{escape(source)}</strong>. '
        f"They know nothing but {escape(known)}: whatever else you show, they still choose one of these. "
        "Photos are deleted within two hours and never used for anything else.</p>"
    )


def _results(banner: str, cards: Sequence[str], state: str = "done") -> str:
    busy = ' aria-busy="true"' if state == "busy" else ""
    row = f'<div class="cd-cards">{"".join(cards)}</div>'
    return f'<section class="cd-results" data-state="{state}"{busy}>{banner}{row}</section>'


def _banner(title: str, text: str, accent: str, role: str = "") -> str:
    """`title` and `text` are plain; `accent` names a colour of the stylesheet."""
    role = f' role="{role}"' if role else ""
    symbol = {"error": "warning", "split": "split", "idle": "paw", "busy": "paw"}.get(accent, accent)
    line = f"<p>{escape(text, quote=False)}</p>" if text else ""
    return (
        f'<div class="cd-banner" data-accent="{accent}"{role}>{icon(symbol)}'
        f"<div><h2>{escape(title, quote=False)}</h2>{line}</div></div>"
    )


def _card(verdict: Verdict, spec: ModelSpec) -> str:
    accent = _accent(verdict.label, spec)
    bars = "".join(
        f'<li data-accent="{_accent(name, spec)}"><span>{escape(name.capitalize())}</span>'
        f'<span class="cd-track"><span style="width:{100 * value:.2f}%"></span></span>'
        f"<span>{escape(percent(value))}</span></li>"
        for name, value in verdict.probabilities.items()
    )
    return _frame(
        spec,
        time=milliseconds(verdict.milliseconds),
        accent=accent,
        verdict=f"<strong>{escape(verdict.label.capitalize())}</strong><span>{percent(verdict.confidence)} sure</span>",
        symbol=accent,
        bars=bars,
    )


def _blank_card(spec: ModelSpec) -> str:
    bars = "".join(
        f'<li><span>{escape(name.capitalize())}</span><span class="cd-track"></span><span>–</span></li>'
        for name in spec.classes
    )
    return _frame(spec, time="–", accent="none", verdict="<strong>–</strong>", symbol="paw", bars=bars)


def _frame(spec: ModelSpec, *, time: str, accent: str, verdict: str, symbol: str, bars: str) -> str:
    """A card; all but the spec is HTML that was escaped by the caller."""
    return (
        f'<article class="cd-card" data-accent="{accent}" data-model="{escape(spec.name)}">'
        f'<div class="cd-card-head"><h3>{escape(spec.title)}</h3>'
        f'<span class="cd-time" title="Time this model took">{time}</span></div>'
        f'<p class="cd-verdict">{icon(symbol)}<span>{verdict}</span></p>'
        f'<ul class="cd-bars">{bars}</ul><p class="cd-note">{escape(" · ".join(facts(spec)))}</p></article>'
    )


def _accent(label: str, spec: ModelSpec) -> str:
    """The colour and the symbol of a class: its own for cats and dogs, one of three for others."""
    known = {"cat": "cat", "cats": "cat", "dog": "dog", "dogs": "dog"}
    return known.get(label.lower()) or f"other-{spec.classes.index(label) % 3}"


def _question(specs: Sequence[ModelSpec]) -> str:
    names = specs[0].classes
    return f"{_listed([name.lower() for name in names], 'or').capitalize()}?" if len(names) <= 4 else "What is it?"


def _listed(names: Sequence[str], conjunction: str) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {conjunction} {names[-1]}"
