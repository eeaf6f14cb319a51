"""Many judged photos as HTML: pure functions from plain values to escaped text."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape

from catdog.collection import Judged, Score, doubt, scores, to_csv
from catdog.models.spec import ModelSpec, classes_of
from catdog.pages.banners import colour
from catdog.pages.html import accent, banner, bar
from catdog.pages.icons import icon
from catdog.pages.pictures import data_url
from catdog.wording import is_neither, neither, percent

THUMBNAIL_QUALITY = 70


def waiting() -> str:
    """Before anything was sent."""
    return banner(
        "Waiting for photos",
        "Choose photos, a zip or our examples, then press “Judge them”. The most doubtful come first.",
        "idle",
    )


def progress(done: int, count: int, text: str) -> str:
    """While photos are judged; the numbers are not read out each time."""
    shown = f'<progress max="{count}" value="{done}" aria-label="Photos judged">{done} of {count}</progress>'
    return (
        f'<div class="cd-banner cd-progress" data-accent="busy" aria-live="off">{icon("paw")}'
        f"<div><h2>{escape(text)}</h2>{shown}</div></div>"
    )


def refused(message: str) -> str:
    """When nothing is judged; `message` is plain text that says why."""
    return banner("Nothing was judged", message, "error", role="alert")


def results(judged: Sequence[Judged], specs: Sequence[ModelSpec], *, planned: int | None = None) -> str:
    """The gallery, sorted by doubt, with what goes before it; `planned` photos if judging was stopped early.

    Only the summary is read out when it appears.
    """
    good = sorted((entry for entry in judged if entry.comparison), key=lambda entry: -doubt(entry.comparison))
    bad = [entry for entry in judged if not entry.comparison]
    return (
        f'<div class="cd-many">{_summary(good, judged, specs, planned)}'
        f'<div class="cd-many" aria-live="off">{_download(good + bad, specs)}{_scores(good, specs)}{_failures(bad)}'
        f'<ol class="cd-gallery" aria-label="Photos, the most doubtful first">'
        f"{''.join(_item(entry, specs) for entry in good)}</ol></div></div>"
    )


def _summary(good: Sequence[Judged], judged: Sequence[Judged], specs: Sequence[ModelSpec], planned: int | None) -> str:
    if planned is not None:
        title = f"Stopped after {len(judged):,} of {planned:,} photos"
    elif good:
        title = f"{len(good):,} {'photo' if len(good) == 1 else 'photos'} judged"
    else:
        return banner("No photo could be judged", "Below is why.", "error", role="alert")
    counts = {
        "Disputed": sum(not entry.comparison.agree for entry in good),
        neither(specs): sum(is_neither(entry.comparison) for entry in good),
    }
    found = "".join(f"{words}: {number:,}. " for words, number in counts.items() if number)
    return banner(title, f"{found}The most doubtful come first." if good else "", "split")


def _download(judged: Sequence[Judged], specs: Sequence[ModelSpec]) -> str:
    if not judged:
        return ""
    content = base64.b64encode(to_csv(judged, specs).encode("utf-8-sig")).decode()
    return (
        f'<p><a class="cd-button" download="catdog.csv" href="data:text/csv;charset=utf-8;base64,{content}">'
        "Download all figures as CSV</a></p>"
    )


def _scores(judged: Sequence[Judged], specs: Sequence[ModelSpec]) -> str:
    """The accuracy table and the confusion matrices; empty without labelled photos."""
    found = scores(judged, specs)
    if not found:
        return ""
    titles = {spec.name: spec.title for spec in specs}
    rows = "".join(
        f'<tr><th scope="row">{escape(titles[s.model])}</th><td>{s.right:,} of {s.photos:,}</td>'
        f"<td>{bar(s.accuracy)}{percent(s.accuracy)}</td></tr>"
        for s in found
    )
    matrices = "".join(_matrix(score, titles[score.model]) for score in found)
    return (
        '<div class="cd-scores"><table>'
        "<caption>How often each model was right, also where the verdict is neither</caption>"
        '<thead><tr><th scope="col">Model</th><th scope="col">Right</th><th scope="col">Accuracy</th></tr></thead>'
        f'<tbody>{rows}</tbody></table><div class="cd-matrices">{matrices}</div></div>'
    )


def _matrix(score: Score, title: str) -> str:
    heads = "".join(f'<th scope="col">says {escape(name)}</th>' for name in score.classes)
    rows = "".join(
        f'<tr><th scope="row">is {escape(name)}</th>'
        + "".join(f'<td data-right="{str(i == j).lower()}">{n:,}</td>' for j, n in enumerate(row))
        + "</tr>"
        for i, (name, row) in enumerate(zip(score.classes, score.confusion, strict=True))
    )
    return (
        f'<table><caption><span class="cd-hidden">Confusion matrix: </span>{escape(title)}</caption>'
        f"<thead><tr><td></td>{heads}</tr></thead><tbody>{rows}</tbody></table>"
    )


def _failures(bad: Sequence[Judged]) -> str:
    if not bad:
        return ""
    items = "".join(f"<li><strong>{escape(entry.name)}</strong> {escape(entry.error)}</li>" for entry in bad)
    return (
        f'<details class="cd-failures" open><summary>{len(bad):,} could not be judged</summary>'
        f"<ul>{items}</ul></details>"
    )


def _item(entry: Judged, specs: Sequence[ModelSpec]) -> str:
    comparison = entry.comparison
    titles, classes = {spec.name: spec.title for spec in specs}, classes_of(specs)
    said = "".join(
        f'<li data-accent="{accent(v.label, classes)}"><span>{escape(titles[v.model])}</span>'
        f"<b>{escape(v.label)}</b> <span>{escape(percent(v.confidence))}</span></li>"
        for v in comparison.models
    )
    return (
        f'<li class="cd-item" data-accent="{colour(comparison, specs)}">'
        f'<img src="{data_url(entry.thumbnail, THUMBNAIL_QUALITY)}" alt="" decoding="async">'
        f"{_mark(entry)}<h3>{escape(entry.name)}</h3><ul>{said}</ul></li>"
    )


def _mark(entry: Judged) -> str:
    """The verdict, and on a labelled photo whether it is right; to say neither is to say nothing right or wrong."""
    verdict = entry.comparison.verdict
    if entry.label is None or is_neither(entry.comparison):
        truth = f", is {escape(entry.label)}" if entry.label else ""
        return f'<p class="cd-mark">{escape(verdict.capitalize())}{truth}</p>'
    right = verdict == entry.label
    word = "right" if right else "wrong"
    said = f'<span class="cd-hidden">{word}:</span>{escape(verdict.capitalize())}'
    truth = "" if right else f", is {escape(entry.label)}"
    return f'<p class="cd-mark" data-mark="{word}">{icon(word)} {said}{truth}</p>'
