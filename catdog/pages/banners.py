"""The box at the head of the verdicts, in each of its states."""

from __future__ import annotations

from collections.abc import Sequence

from ..compare import Comparison
from ..spec import ModelSpec
from ..wording import BUSY, UNANSWERED, explanation, headline, is_neither
from .html import accent, all_classes, banner


def waiting(how: str = "Drop one, paste one, take one, or try an example.") -> str:
    """Before any photo."""
    return banner("Waiting for a photo", how, "idle")


def looking() -> str:
    """While the models work."""
    return banner("Looking at your photo…", "", "busy")


def judged(comparison: Comparison, specs: Sequence[ModelSpec], default: ModelSpec) -> str:
    """The verdict in a headline, and what to think of it."""
    return banner(headline(comparison, specs), explanation(comparison, specs, default), _accent(comparison, specs))


def refused(message: str, button: str = "") -> str:
    """When there is no verdict; `message` is plain text that says why."""
    return banner("No verdict on this one", message, "error", role="alert", button=button)


def busy(button: str = "") -> str:
    """When too many others ask."""
    return banner("Please wait a moment", BUSY, "error", role="alert", button=button)


def unanswered(button: str = "") -> str:
    """When the server did not say why there is no verdict."""
    return refused(UNANSWERED, button)


def _accent(comparison: Comparison, specs: Sequence[ModelSpec]) -> str:
    if is_neither(comparison):
        return "neither"
    return accent(comparison.models[0].label, all_classes(specs)) if comparison.agree else "split"
