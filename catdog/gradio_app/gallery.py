"""The gallery of the tab for many photos, with its summary and its tables."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from markupsafe import Markup

from catdog.collection import Judged, doubt, scores, to_csv
from catdog.models.spec import ModelSpec, classes_of
from catdog.pages.banners import banner
from catdog.pages.pictures import data_url
from catdog.pages.render import render
from catdog.wording import is_neither, neither, say

THUMBNAIL_QUALITY = 70


def results(judged: Sequence[Judged], specs: Sequence[ModelSpec], *, planned: int | None = None) -> Markup:
    """The gallery, the least certain first, below its summary and its tables.

    planned  how many photos were sent, if the visitor stopped before all were judged
    """
    good = sorted((entry for entry in judged if entry.comparison), key=lambda entry: -doubt(entry.comparison))
    bad = [entry for entry in judged if not entry.comparison]
    return render(
        "gallery.html",
        summary=_summary(good, judged, specs, planned),
        csv=base64.b64encode(to_csv(good + bad, specs).encode("utf-8-sig")).decode() if judged else "",
        scores=scores(good, specs),
        bad=bad,
        good=[(entry, data_url(entry.thumbnail, THUMBNAIL_QUALITY)) for entry in good],
        titles={spec.name: spec.title for spec in specs},
        classes=classes_of(specs),
        specs=specs,
    )


def _summary(
    good: Sequence[Judged], judged: Sequence[Judged], specs: Sequence[ModelSpec], planned: int | None
) -> Markup:
    if planned is not None:
        title = say("stopped", done=f"{len(judged):,}", photos=f"{planned:,}")
    elif good:
        title = say("one judged" if len(good) == 1 else "some judged", photos=f"{len(good):,}")
    else:
        return banner(say("none judged"), say("reasons"), "error")
    counts = {
        say("split"): sum(not entry.comparison.agree for entry in good),
        neither(specs): sum(is_neither(entry.comparison) for entry in good),
    }
    found = "".join(say("counted", what=what, photos=f"{number:,}") for what, number in counts.items() if number)
    return banner(title, found + say("order") if good else "", "summary")
