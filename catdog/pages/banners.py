"""The box at the head of the verdicts, in each of its states."""

from __future__ import annotations

from collections.abc import Sequence

from catdog.errors import Busy, CatDogError
from catdog.models.spec import ModelSpec, classes_of
from catdog.pages.html import accent, banner
from catdog.verdict import Comparison
from catdog.wording import BUSY, UNANSWERED, explanation, headline, is_neither

AGAIN = "Try again"  # on the only button that a banner has


def waiting(how: str = "Drop one, paste one, take one, or try an example.") -> str:
    """Before any photo."""
    return banner("Waiting for a photo", how, "idle")


def looking() -> str:
    """While the models work."""
    return banner("Looking at your photo…", "", "busy")


def judged(comparison: Comparison, specs: Sequence[ModelSpec]) -> str:
    """The verdict in a headline, and what to think of it."""
    return banner(headline(comparison, specs), explanation(comparison, specs), colour(comparison, specs))


def refused(message: str, button: str = "") -> str:
    """When there is no verdict; `message` is plain text that says why."""
    return banner("No verdict on this one", message, "error", role="alert", button=button)


def failed(error: CatDogError) -> str:
    """When `error` is why there is no verdict; with a button where it is not the photo's."""
    if isinstance(error, Busy):
        return banner("Please wait a moment", BUSY, "error", role="alert", button=AGAIN)
    return refused(str(error), AGAIN if error.status >= 500 else "")


def unanswered(message: str = UNANSWERED) -> str:
    """When the server did not say why there is no verdict."""
    return refused(message, AGAIN)


def colour(comparison: Comparison, specs: Sequence[ModelSpec]) -> str:
    """The accent of a verdict as a whole."""
    if is_neither(comparison):
        return "neither"
    return accent(comparison.models[0].label, classes_of(specs)) if comparison.agree else "split"
