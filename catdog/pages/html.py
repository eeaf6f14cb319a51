"""Pieces of HTML that several parts of the page need: pure functions from plain text to escaped text."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from catdog.pages.icons import icon

_SYMBOLS = {"error": "warning", "split": "split", "idle": "paw", "busy": "paw", "neither": "neither"}


def banner(title: str, text: str, accent: str, *, role: str = "", button: str = "") -> str:
    """A coloured box with a headline and a sentence, both plain; `accent` names a colour of the stylesheet."""
    role = f' role="{role}"' if role else ""
    line = f"<p>{escape(text, quote=False)}</p>" if text else ""
    action = f'<button type="button" class="cd-button">{escape(button)}</button>' if button else ""
    return (
        f'<div class="cd-banner" data-accent="{accent}"{role}>{icon(_SYMBOLS.get(accent, accent))}'
        f"<div><h2>{escape(title, quote=False)}</h2>{line}{action}</div></div>"
    )


def bar(value: float) -> str:
    """A bar that is full at 1; what it says must stand in words beside it."""
    return f'<svg class="cd-track" aria-hidden="true"><rect width="{100 * value:.2f}%"/></svg>'


def accent(label: str, classes: Sequence[str]) -> str:
    """The colour and the symbol of a class: its own for cats and dogs, one of three for others."""
    known = {"cat": "cat", "cats": "cat", "dog": "dog", "dogs": "dog"}
    return known.get(label.lower()) or f"other-{list(classes).index(label) % 3}"
