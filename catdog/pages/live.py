"""The live camera: the tab, and what it shows of a frame."""

from collections.abc import Sequence

from markupsafe import Markup

from catdog.models.spec import ModelSpec, classes_of
from catdog.pages.banners import banner
from catdog.pages.render import accent_of, render
from catdog.verdict import Comparison
from catdog.wording import headline, is_neither


def tab(privacy: str) -> Markup:
    """The tab before the camera starts; `privacy` says what becomes of its pictures."""
    off = banner("The camera is off", "Start it, and point it at something.", "idle")
    looking, failed = banner("Looking through the camera…", "", "busy"), banner("No verdicts", "…", "error")
    return render("live.html", privacy=privacy, off=off, looking=looking, failed=failed)


def verdict(comparison: Comparison, specs: Sequence[ModelSpec]) -> Markup:
    """The headline, and what each model says."""
    return render(
        "live_verdict.html",
        headline=banner(headline(comparison, specs), "", accent_of(comparison, specs)),
        comparison=comparison,
        neither=is_neither(comparison),
        titles={spec.name: spec.title for spec in specs},
        classes=classes_of(specs),
    )
