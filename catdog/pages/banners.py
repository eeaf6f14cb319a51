"""The banner above the cards, in each of its states."""

from collections.abc import Sequence

from markupsafe import Markup

from catdog.errors import Busy, CatDogError
from catdog.models.spec import ModelSpec
from catdog.pages.render import accent_of, render
from catdog.verdict import Comparison
from catdog.wording import BUSY, UNANSWERED, explanation, headline

AGAIN = "Try again"  # on the only button that a banner has
HOW = "Drop, paste or take one"  # a photo, without the end of the sentence


def banner(title: str, text: str, accent: str, *, button: str = "") -> Markup:
    """A coloured box with a headline and a sentence, which is an alert when its accent is `error`."""
    return render("banner.html", title=title, text=text, accent=accent, button=button)


def waiting(how: str = HOW, *, examples: bool = True, told: str = "") -> Markup:
    """The banner before any photo: `how` says how to send one; with `examples`, `told` describes the one below."""
    return banner("Waiting for a photo", f"{how}, or try an example. {told}".strip() if examples else f"{how}.", "idle")


def looking() -> Markup:
    """The banner while the models work."""
    return banner("Looking at your photo…", "", "busy")


def verdict(comparison: Comparison, specs: Sequence[ModelSpec]) -> Markup:
    """The banner with the verdict as its headline and an explanation below."""
    return banner(headline(comparison, specs), explanation(comparison, specs), accent_of(comparison, specs))


def refused(message: str, button: str = "") -> Markup:
    """The banner that says why there is no verdict."""
    return banner("No verdict on this one", message, "error", button=button)


def objection() -> Markup:
    """The banner for files that are not accepted; choosing.js puts the reason in place of the dots."""
    return banner("Not accepted", "…", "error")


def failed(error: CatDogError) -> Markup:
    """The banner for an error, with a button to try again unless the photo is to blame."""
    if isinstance(error, Busy):
        return banner("Please wait a moment", BUSY, "error", button=AGAIN)
    return refused(str(error), AGAIN if error.status >= 500 else "")


def unanswered(message: str = UNANSWERED) -> Markup:
    """The banner for when the server did not say why there is no verdict."""
    return refused(message, AGAIN)
