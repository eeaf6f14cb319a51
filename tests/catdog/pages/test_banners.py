"""The headline, in every state."""

from __future__ import annotations

import pytest

from catdog.errors import Busy, InvalidImage, ModelMismatch
from catdog.pages import banners
from tests.catdog.fakes import compared

from .test_cards import CAT, DOG, UNSURE_CAT, bare, verdict


def shown(*labels: tuple[str, dict[str, float]], accuracy: float = 0.9, **options) -> str:
    """The banner of verdicts by models a, b, c, of which a is the default."""
    names = list("abc"[: len(labels)])
    specs = [bare(name, metrics={"val": {"accuracy": accuracy if name == "a" else 0}}) for name in names]
    verdicts = [verdict(name, *label) for name, label in zip(names, labels, strict=True)]
    return banners.judged(compared(*verdicts, **options), specs)


@pytest.mark.parametrize(
    ("labels", "text", "accent"),
    [
        ([("cat", CAT)], "A says cat", "cat"),
        ([("cat", UNSURE_CAT)], "A leans towards cat", "cat"),
        ([("cat", CAT), ("cat", CAT)], "Both models say cat", "cat"),
        ([("cat", CAT), ("cat", UNSURE_CAT)], "Both models say cat", "cat"),
        ([("cat", UNSURE_CAT), ("cat", CAT)], "Both models lean towards cat", "cat"),
        ([("cat", CAT), ("dog", DOG)], "The models disagree", "split"),
        ([("dog", DOG)] * 3, "All three models say dog", "dog"),
    ],
)
def test_it_says_whether_the_models_agree(labels, text, accent):
    html = shown(*labels)
    assert f"<h2>{text}</h2>" in html
    assert f'data-accent="{accent}"' in html


def test_a_class_that_the_default_model_does_not_know_has_a_colour():
    horse = verdict("b", "horse", {"horse": 0.9, "cow": 0.1})
    specs = [bare("a"), bare("b", classes=("horse", "cow"))]
    assert 'data-accent="other-' in banners.judged(compared(horse), specs)


@pytest.mark.parametrize(
    ("second", "accuracy", "text"),
    [
        (("cat", CAT), 0.9, "A, the most accurate of them, is fairly sure (94.0%)."),
        (("dog", DOG), 0.9, "A, the most accurate of them, says cat and is fairly sure (94.0%)."),
        (("dog", DOG), 0, "A, asked first, says cat and is fairly sure (94.0%)."),
    ],
)
def test_it_names_the_model_to_trust(second, accuracy, text):
    assert f"<p>{text}</p>" in shown(("cat", CAT), second, accuracy=accuracy)


def test_in_a_dispute_it_says_who_is_usually_right():
    html = shown(("cat", CAT), ("dog", DOG), usually_right={"model": "b", "rate": 0.75, "photos": 40})
    text = "When they disagreed like this before, B was right 30 of 40 times. It says dog."
    assert f"<p>{text}</p>" in html


def test_neither_comes_before_everything_else():
    html = shown(
        ("cat", CAT), ("dog", DOG), verdict="neither", usually_right={"model": "b", "rate": 0.75, "photos": 40}
    )
    assert "<h2>Probably neither a cat nor a dog</h2>" in html
    assert "do not trust the answers below" in html
    assert 'data-accent="neither"' in html


def test_errors_are_alerts():
    assert 'role="alert"' in banners.refused("It is damaged.") and "It is damaged." in banners.refused("It is damaged.")
    busy = banners.failed(Busy("64 photos"))
    assert "Many people are asking" in busy and ">Try again</button>" in busy
    assert ">Try again</button>" in banners.failed(ModelMismatch("no")) and "<button" not in banners.refused("no")
    assert "<button" not in banners.failed(InvalidImage("It is a text."))
    assert "role=" not in banners.waiting() + banners.looking()
