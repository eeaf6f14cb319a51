"""Cards, heading and the note about the models."""

from __future__ import annotations

import pytest

from catdog.pages import banners, cards
from catdog.verdict import Verdict
from tests.catdog import fakes
from tests.catdog.fakes import compared

CAT, UNSURE_CAT, DOG = {"cat": 0.94, "dog": 0.06}, {"cat": 0.55, "dog": 0.45}, {"cat": 0.2, "dog": 0.8}


def bare(name: str = "xception", **changes):
    """A spec that knows nothing but what it must."""
    empty = {"metrics": {}, "training": {}, "novelty": None, "sureness": None, "disagreement": []}
    return fakes.spec(name, **empty | changes)


def verdict(model: str, label: str, probabilities: dict[str, float], **known) -> Verdict:
    return fakes.verdict(
        model, label, confidence=probabilities[label], probabilities=probabilities, milliseconds=12.34, **known
    )


def test_a_card_shows_label_confidence_probabilities_and_costs():
    html = cards.judged(compared(verdict("xception", "cat", CAT, error_rate=0.02)), [fakes.spec("xception")], {})
    for text in (
        ">Xception</h3>", "<strong>Cat</strong>", "Sure: 94.0%", ">94.0%<", ">6.0%<", "12 ms", "6.5 MB", "2.9 million",
        "21 min", "32 × 32 px", "About 1 in 50 answers this sure is wrong.",
        "Right on 97.0% of 2,000 validation photos",
    ):  # fmt: skip
        assert text in html, text


def test_a_card_leaves_out_what_nobody_knows():
    html = cards.judged(compared(verdict("xception", "cat", CAT)), [bare()], {})
    for text in ("answers this sure", "Parameters", "Training", "Right on", "<img", "cd-legend"):
        assert text not in html, text
    assert "Fairly sure: 94.0%" in html


def test_cards_of_a_photo_of_neither_vouch_for_nothing():
    shown = verdict("xception", "cat", CAT, error_rate=0.02)
    html = cards.judged(compared(shown, verdict="neither"), [fakes.spec("xception")], {})
    assert "If it had to choose: 94.0%" in html and '<article class="cd-card" data-accent="neither"' in html
    assert "Sure: 94" not in html and "answers this sure" not in html


def test_a_confident_answer_of_a_kind_that_is_often_wrong_is_a_leaning():
    html = cards.judged(compared(verdict("xception", "cat", CAT, error_rate=0.25)), [bare()], {})
    assert "<span>Leaning: 94.0%</span>" in html and "About 1 in 4 answers this sure is wrong." in html


def test_maps_stand_on_their_cards_with_a_legend_and_words():
    shown = verdict("xception", "cat", CAT, heatmap=[[0.0, 2.0, 0.0], [0.0, 0.0, 0.0], [-1.0, 0.0, 0.0]])
    html = cards.judged(compared(shown), [bare()], {"xception": "data:image/jpeg;base64,AAAA"})
    assert 'src="data:image/jpeg;base64,AAAA"' in html
    assert 'alt="Heat map over the photo: what speaks most for cat is at the upper centre."' in html
    assert "One scale for all models" in html


def test_scope_of_the_models():
    text = "can only say {}. Of a photo with {} they name one, and some other things they take for one of these."
    assert text.format("cat or dog", "both") in cards.scope([bare("a"), bare("b", classes=("Cat", "Dog"))])
    assert text.format("cat, dog or owl", "several") in cards.scope([bare(classes=("dog", "owl", "cat"))])
    assert cards.scope([]) == ""


def test_the_cards_keep_the_order_of_the_models():
    specs = [bare(name) for name in fakes.NAMES]
    html = cards.judged(compared(*(verdict(spec.name, "dog", DOG) for spec in specs)), specs, {})
    assert [html.index(f'data-model="{name}"') for name in fakes.NAMES] == sorted(
        html.index(f'data-model="{name}"') for name in fakes.NAMES
    )
    assert 'data-count="3"' in html


@pytest.mark.parametrize("state", ["heading", "blank", "refused", "judged", "banner", "about"])
def test_every_text_that_is_not_ours_is_escaped(state):
    evil = "<script>alert('x')</script>"
    model = bare(title=evil, classes=(evil, "dog"))
    comparison = compared(verdict(model.name, evil, {evil: 0.9, "dog": 0.1}, heatmap=[[1.0]]))
    html = {
        "heading": lambda: cards.heading([model]),
        "blank": lambda: cards.blank([model]),
        "refused": lambda: banners.refused(evil),
        "judged": lambda: cards.judged(comparison, [model], {model.name: "data:,"}),
        "banner": lambda: banners.judged(comparison, [model]),
        "about": lambda: cards.about([model], evil, [evil], "Photos are not kept."),
    }[state]()
    assert "<script" not in html.lower() and "&lt;script" in html.lower()


def test_problems_source_and_privacy_are_shown():
    html = cards.about([bare()], "bundled (Hub unreachable: a/b)", ["xception.h5 is damaged."], "Photos are not kept.")
    assert "<strong>bundled (Hub unreachable: a/b)</strong>" in html and "<li>xception.h5 is damaged.</li>" in html
    assert "They were taught cat and dog only. Photos are not kept." in html


def test_where_models_were_measured_it_says_on_what():
    html = cards.about([bare(), fakes.spec("xception")], "bundled", [], "")
    assert "They were taught cat and dog only, and how often they err was measured on photos of these. " in html


@pytest.mark.parametrize(
    ("source", "before", "after"), [("hub {}@0123", "hub ", "@0123"), ("hub cache {}@0 (<)", "hub cache ", "@0 (&lt;)")]
)
def test_models_from_the_hub_come_with_a_link_to_their_repository(hub_client, source, before, after):
    hub_client("https://hub.example")
    link = '<a href="https://hub.example/user/name" target="_blank" rel="noopener">user/name</a>'
    html = cards.about([bare()], source.format("user/name"), [], "")
    assert f"Models: <strong>{before}{link}{after}</strong>." in html


def test_a_page_without_models_has_a_heading_and_a_note():
    assert "<h1>Cat or dog?</h1>" in cards.heading([])
    assert "No model" in cards.about([], "none", ["No model could be loaded."], "")


@pytest.mark.parametrize(
    ("classes", "question"),
    [
        (("cat", "dog"), "Cat or dog?"),
        (("cat", "dog", "owl"), "Cat, dog or owl?"),
        (tuple("abcde"), "What is it?"),
    ],
)
def test_the_heading_asks_for_the_classes(classes, question):
    assert f"<h1>{question}</h1>" in cards.heading([bare(classes=classes)])
