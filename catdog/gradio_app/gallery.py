"""The gallery of the tab for many photos, with its summary and its tables."""

import base64
from collections.abc import Sequence

from markupsafe import Markup
from PIL import Image

from catdog.collection import Judged, doubt, scores, to_csv
from catdog.models.spec import ModelSpec, classes_of
from catdog.pages import banners, cards
from catdog.pages.banners import banner
from catdog.pages.pictures import data_url, overlay_urls
from catdog.pages.render import render
from catdog.verdict import Comparison
from catdog.wording import counted, is_neither, neither, say

THUMBNAIL_QUALITY = 70
CLOSER = 1024  # pixels, largest side of a photo that is looked at closer


def results(judged: Sequence[Judged], specs: Sequence[ModelSpec], *, planned: int | None = None) -> Markup:
    """The gallery, the least certain first, below its summary and its tables.

    planned  how many photos were sent, if the visitor stopped before all were judged
    """
    part = say("part", done=f"{len(judged):,}", photos=f"{planned:,}") if planned is not None else ""
    good = sorted((entry for entry in judged if entry.comparison), key=lambda entry: -doubt(entry.comparison))
    bad = [entry for entry in judged if not entry.comparison]
    return render(
        "gallery.html",
        summary=_summary(good, judged, specs, planned),
        csv=base64.b64encode(to_csv(good + bad, specs).encode("utf-8-sig")).decode() if judged else "",
        part=part,
        scores=scores(good, specs),
        kinds=_kinds(good),
        bad=bad,
        good=[(entry, data_url(entry.thumbnail, THUMBNAIL_QUALITY)) for entry in good],
        titles={spec.name: spec.title for spec in specs},
        classes=classes_of(specs),
        specs=specs,
    )


def _kinds(good: Sequence[Judged]) -> dict[str, int]:
    """Kind of photos that can be shown by itself -> how many there are, if any. The verdict `neither` is not wrong."""
    strange = [is_neither(entry.comparison) for entry in good]
    labelled = [entry for entry, neither in zip(good, strange, strict=True) if entry.label and not neither]
    counts = {
        "wrong": sum(entry.comparison.verdict != entry.label for entry in labelled),
        "disputed": sum(not entry.comparison.agree for entry in good),
        "neither": sum(strange),
    }
    return {kind: count for kind, count in counts.items() if count}


def closer(name: str, place: int, comparison: Comparison, photo: Image.Image, specs: Sequence[ModelSpec]) -> Markup:
    """One of the photos in a dialog: larger, with what the models say of it and looked at."""
    maps = overlay_urls(comparison, photo, specs)
    shown = photo.copy()
    shown.thumbnail((CLOSER, CLOSER))
    headline, below = banners.verdict(comparison, specs), cards.filled(comparison, specs, maps, savable=False)
    return render("closer.html", name=name, place=place, picture=data_url(shown), headline=headline, cards=below)


def no_closer(name: str, headline: Markup) -> Markup:
    """The dialog where the photo cannot be shown, with a banner that says why."""
    return render("closer.html", name=name, place="", picture="", headline=headline, cards="")


def _summary(
    good: Sequence[Judged], judged: Sequence[Judged], specs: Sequence[ModelSpec], planned: int | None
) -> Markup:
    if planned is not None:
        title = say("stopped", done=f"{len(judged):,}", photos=f"{planned:,}")
    elif good:
        title = say("some judged", photos=counted(len(good)))
    else:
        return banner(say("none judged"), say("reasons"), "error")
    counts = {
        say("split"): sum(not entry.comparison.agree for entry in good),
        neither(specs): sum(is_neither(entry.comparison) for entry in good),
    }
    found = "".join(say("counted", what=what, photos=counted(number)) for what, number in counts.items() if number)
    return banner(title, found + say("order") if good else "", "summary")
