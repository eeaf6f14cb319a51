"""The cards, the top and the bottom of a page, and that no text of others is ever HTML."""

from __future__ import annotations

import re

import pytest

from catdog.pages import banners, cards, frame
from catdog.verdict import Verdict
from tests.catdog import fakes
from tests.catdog.fakes import compared
from tests.specs import minimal

CAT, UNSURE_CAT, DOG = {"cat": 0.94, "dog": 0.06}, {"cat": 0.55, "dog": 0.45}, {"cat": 0.2, "dog": 0.8}


def verdict(model: str, label: str, probabilities: dict[str, float], **known) -> Verdict:
    return fakes.verdict(
        model, label, confidence=probabilities[label], probabilities=probabilities, milliseconds=12.34, **known
    )


def words(html: str) -> str:
    """What a person reads."""
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


def test_a_card_shows_label_confidence_probabilities_and_costs():
    html = cards.filled(compared(verdict("xception", "cat", CAT, error_rate=0.02)), [fakes.spec("xception")], {})
    for fact in (
        "Xception Cat Sure: 94.0% Cat 94.0% Dog 6.0%", "1 in 50 answers", "12 ms", "6.5 MB", "2.9 million", "21 min",
        "32 × 32 px", "97.0% of 2,000 validation photos",
    ):  # fmt: skip
        assert fact in words(html)
    assert 'data-state="done"' in html and 'data-accent="cat"' in html


def test_a_card_leaves_out_what_nobody_knows():
    html = cards.filled(compared(verdict("xception", "cat", CAT)), [minimal("xception")], {})
    for text in ("cd-worth", "Parameters", "Training", "Right on", "<img", "cd-legend"):
        assert text not in html
    assert "Fairly sure: 94.0%" in html


def test_how_sure_a_card_is_depends_on_measured_errors_and_on_neither():
    often_wrong = verdict("xception", "cat", CAT, error_rate=0.25)
    html = cards.filled(compared(often_wrong), [minimal("xception")], {})
    assert "Leaning: 94.0%" in html and "1 in 4 answers" in html
    html = cards.filled(compared(often_wrong, verdict="neither"), [minimal("xception")], {})
    assert '<article class="cd-card" data-accent="neither"' in html and ": 94.0%" in html
    assert "Leaning" not in html and "cd-worth" not in html


def test_the_cards_keep_the_order_of_the_models_and_maps_stand_on_theirs():
    specs = [minimal(name) for name in fakes.NAMES]
    heatmap = [[0.0, 2.0, 0.0], [0.0, 0.0, 0.0], [-1.0, 0.0, 0.0]]
    verdicts = [verdict(spec.name, "cat", CAT, heatmap=heatmap) for spec in specs]
    filled = cards.filled(compared(*verdicts), specs, {"xception": "data:image/jpeg;base64,AAAA"})
    for html in (cards.blank(specs), filled):
        assert re.findall(r'data-model="(\w+)"', html) == list(fakes.NAMES)
        assert 'data-count="3"' in html
    (alt,) = re.findall(r'src="data:image/jpeg;base64,AAAA" alt="([^"]*)"', filled)
    assert "cat" in alt and "upper centre" in alt
    assert filled.count("cd-legend-note") == 1


@pytest.mark.parametrize("state", ["heading", "blank", "refused", "filled", "banner", "about"])
def test_every_text_that_is_not_ours_is_escaped(state):
    evil = "<script>alert('x')</script>"
    model = minimal(title=evil, classes=(evil, "dog"))
    comparison = compared(verdict(model.name, evil, {evil: 0.9, "dog": 0.1}, heatmap=[[1.0]]))
    html = {
        "heading": lambda: frame.heading([model]),
        "blank": lambda: cards.blank([model]),
        "refused": lambda: banners.refused(evil),
        "filled": lambda: cards.filled(comparison, [model], {model.name: "data:,"}),
        "banner": lambda: banners.verdict(comparison, [model]),
        "about": lambda: frame.about([model], evil, [evil], "Photos are not kept."),
    }[state]()
    assert "<script" not in html.lower() and "&lt;script" in html.lower()


@pytest.mark.parametrize(
    ("count", "classes", "question", "word"),
    [
        (0, ("cat", "dog"), "Cat or dog?", ""),
        (1, ("cat", "dog"), "Cat or dog?", "One"),
        (2, ("cat", "dog", "owl"), "Cat, dog or owl?", "Two"),
        (12, tuple("abcde"), "What is it?", "12"),
    ],
)
def test_the_heading_names_the_classes_and_how_many_models_answer(count, classes, question, word):
    html = frame.heading([minimal(classes=classes)] * count)
    assert f"<h1>{question}</h1>" in html and f"<p>{word}" in html


def test_problems_source_and_privacy_are_shown():
    html = frame.about(
        [minimal()], "bundled (Hub unreachable: a/b)", ["xception.h5 is damaged."], "Photos are not kept."
    )
    assert "<strong>bundled (Hub unreachable: a/b)</strong>" in html and "<li>xception.h5 is damaged.</li>" in html
    assert "cat or dog" in html and "Photos are not kept." in html
    assert "error rates" not in html and "error rates" in frame.about([fakes.spec("xception")], "bundled", [], "")
    assert "<li>None.</li>" in frame.about([], "none", ["None."], "")


@pytest.mark.parametrize(
    ("source", "before", "after"), [("hub {}@0123", "hub ", "@0123"), ("hub cache {}@0 (<)", "hub cache ", "@0 (&lt;)")]
)
def test_models_from_the_hub_come_with_a_link_to_their_repository(hub_client, source, before, after):
    hub_client("https://hub.example")
    link = '<a href="https://hub.example/user/name" target="_blank" rel="noopener">user/name</a>'
    assert f"<strong>{before}{link}{after}</strong>" in frame.about([minimal()], source.format("user/name"), [], "")
