"""The banner, in every state."""

import pytest

from catdog.errors import Busy, InvalidImage, ModelMismatch
from catdog.pages import banners
from tests.catdog.fakes import compared
from tests.specs import minimal

from .test_cards import CAT, DOG, UNSURE_CAT, verdict


def shown(*labels: tuple[str, dict[str, float]], accuracy: float = 0.9, **options) -> str:
    """The banner of verdicts by models a, b, c, of which a is the default."""
    names = list("abc"[: len(labels)])
    specs = [
        minimal(name, title=name.upper(), metrics={"val": {"accuracy": accuracy if name == "a" else 0}})
        for name in names
    ]
    verdicts = [verdict(name, *label) for name, label in zip(names, labels, strict=True)]
    return banners.verdict(compared(*verdicts, **options), specs)


@pytest.mark.parametrize(
    ("labels", "text", "accent"),
    [
        ([("cat", CAT)], "A says cat", "cat"),
        ([("cat", UNSURE_CAT)], "A leans towards cat", "cat"),
        ([("cat", CAT), ("cat", UNSURE_CAT)], "Both models say cat", "cat"),
        ([("cat", UNSURE_CAT), ("cat", CAT)], "Both models say cat", "cat"),
        ([("cat", UNSURE_CAT)] * 2, "Both models lean towards cat", "cat"),
        ([("cat", CAT), ("dog", DOG)], "The models disagree", "split"),
        ([("dog", DOG)] * 3, "All three models say dog", "dog"),
    ],
)
def test_it_says_whether_the_models_agree(labels, text, accent):
    html = shown(*labels)
    assert f"<h2>{text}</h2>" in html and f'data-accent="{accent}"' in html


def test_a_class_that_the_default_model_does_not_know_has_a_colour():
    horse = verdict("b", "horse", {"horse": 0.9, "cow": 0.1})
    specs = [minimal("a"), minimal("b", classes=("horse", "cow"))]
    assert 'data-accent="other-' in banners.verdict(compared(horse), specs)


@pytest.mark.parametrize(("second", "accuracy"), [(("cat", CAT), 0.9), (("dog", DOG), 0.9), (("dog", DOG), 0)], ids=str)
def test_it_says_what_the_default_model_says(second, accuracy):
    html = shown(("cat", CAT), second, accuracy=accuracy)
    assert "A, " in html and "says cat with a claimed confidence of 94.0%" in html
    assert ("most accurate" in html) == (accuracy > 0)


@pytest.mark.parametrize(("error_rate", "said"), [(0.02, "is fairly sure."), (0.4, "leans towards cat.")])
def test_it_says_how_sure_a_measured_leader_is(error_rate, said):
    verdicts = [verdict(name, "cat", CAT, error_rate=error_rate) for name in "ab"]
    assert said in banners.verdict(compared(*verdicts), [minimal("a"), minimal("b")])


def test_in_a_dispute_it_says_who_is_usually_right_unless_it_is_neither():
    known = {"model": "b", "rate": 0.75, "photos": 40}
    html = shown(("cat", CAT), ("dog", DOG), usually_right=known)
    assert "B was right 30 of 40 times" in html and "It says dog." in html
    html = shown(("cat", CAT), ("dog", DOG), verdict="neither", usually_right=known)
    assert 'data-accent="neither"' in html and "30 of 40" not in html


def test_errors_are_alerts_with_a_button_unless_the_photo_is_to_blame():
    refused = banners.failed(InvalidImage("It is a text."))
    assert 'role="alert"' in refused and "It is a text." in refused and "<button" not in refused
    for error in (Busy("64 photos"), ModelMismatch("no")):
        assert 'role="alert"' in banners.failed(error) and ">Try again</button>" in banners.failed(error)
    assert "64 photos" not in banners.failed(Busy("64 photos"))
    assert "role=" not in banners.waiting() + banners.looking()
