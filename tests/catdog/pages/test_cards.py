"""The cards, the top and the bottom of a page, and that no text of others is ever HTML."""

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
    html = cards.filled(compared(verdict("xception", "cat", CAT, error_rate=0.02)), [fakes.spec("xception")], None)
    for fact in (
        "Xception Cat Fairly sure Cat 94.0% Dog 6.0%", "1 in 50 of its answers", "12 ms", "6.5 MB",
        "2.9 million", "21 min", "32 × 32 px", "97.0% of 2,000 validation photos",
    ):  # fmt: skip
        assert fact in words(html)
    assert 'data-state="done"' in html and 'data-accent="cat"' in html
    assert not any(word in html for word in ("Claimed", "never", "Always picks", "cd-map"))


def test_a_card_says_what_nobody_measured_and_what_the_model_cannot_do():
    foreign = minimal("foreign")
    html = cards.filled(compared(verdict("foreign", "cat", CAT)), [foreign], {})
    for text in ("Parameters", "Training", "Right on", "<img", "cd-legend", "ure</span>"):
        assert text not in html
    for text in ("Claimed confidence: 94.0%", "was never measured", "Never measured", "Always picks", "cd-mapless"):
        assert text in html
    assert "cd-mapless" not in cards.filled(compared(verdict("foreign", "cat", CAT)), [foreign], None)
    others = compared(verdict("xception", "cat", CAT, neither=0.9), verdict("foreign", "cat", CAT), verdict="neither")
    html = words(cards.filled(others, [fakes.spec("xception"), foreign], None))
    assert "had to choose: 94.0%" in html and "picks a class: 94.0%" in html


def test_a_card_shows_how_likely_a_photo_is_neither_if_its_model_knows():
    able, other = minimal("able", neither={"threshold": 0.4}), minimal("other")
    said = compared(verdict("able", "cat", CAT, neither=0.987), verdict("other", "cat", CAT))
    html = words(cards.filled(said, [able, other], None))
    assert html.count("Neither 98.7%") == 1 and html.count("Neither – not known") == 1
    assert words(cards.blank([able, other])).count("Neither –") == 2
    assert "Neither" not in words(cards.filled(compared(verdict("other", "cat", CAT)), [other], None))


def test_a_class_has_the_same_colour_on_all_cards():
    specs = [minimal("a", classes=("horse", "cow")), minimal("b", classes=("pig", "cow"))]
    verdicts = [verdict(spec.name, "cow", {spec.classes[0]: 0.1, "cow": 0.9}) for spec in specs]
    html = cards.filled(compared(*verdicts), specs, None)
    assert len({*re.findall(r'<li data-accent="(.*?)"><span>Cow', html)}) == 1
    assert {*re.findall(r'<li data-accent="(.*?)"', html)} == {"other-0", "other-1", "other-2"}


def test_cards_have_bars_for_the_same_classes_and_say_which_a_model_does_not_know():
    specs = [minimal("a", classes=("cat", "dog", "rabbit")), minimal("b")]
    verdicts = [verdict("a", "cat", CAT | {"rabbit": 0.0}), verdict("b", "cat", CAT)]
    for html in (cards.blank(specs), cards.filled(compared(*verdicts), specs, None)):
        cards_of = [re.findall(r"<li.*?><span>(\w+)</span>", card) for card in html.split("<article")[1:]]
        assert cards_of == [["Cat", "Dog", "Rabbit"]] * 2
        assert html.count("not known") == 1


def test_of_many_classes_the_most_probable_have_bars():
    names = [f"class {number}" for number in range(1000)]
    spec = minimal(classes=names)
    shares = dict.fromkeys(names, 0.0005) | {"class 700": 0.5005}
    html = cards.filled(compared(verdict("m", "class 700", shares)), [spec], None)
    assert html.count("<li") == cards.blank([spec]).count("<li") < 7 and "1,000" in html
    assert "Class 700</span>" in html


def test_how_sure_a_card_is_depends_on_how_often_such_answers_are_wrong_and_on_neither():
    unsure = verdict("xception", "cat", UNSURE_CAT, error_rate=0.25)
    specs = [minimal("xception", sureness={"confidence": [0.0, 0.9], "error_rate": [0.25, 0.01]})]
    html = cards.filled(compared(unsure), specs, {})
    assert "Unsure</span>" in html and "1 in 4 of its answers below 90.0%" in html
    html = cards.filled(compared(unsure, verdict="neither"), specs, None)
    assert '<article class="cd-card" data-accent="neither"' in html and ": 55.0%" in html
    assert "Unsure" not in html and "cd-worth" not in html


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
        "about": lambda: frame.about([model], {model.name: f"folder {evil}"}, [evil], "Photos are not kept."),
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


def test_problems_and_privacy_are_shown():
    sources = {"m": "bundled", "xception": "bundled"}
    html = frame.about([minimal()], sources, ["xception.h5 is damaged."], "Photos are not kept.")
    assert "<li>xception.h5 is damaged.</li>" in html and "cat or dog" in html and "Photos are not kept." in html
    assert "error rates" not in html and "error rates" in frame.about([fakes.spec("xception")], sources, [], "")
    assert "<li>None.</li>" in frame.about([], {}, ["None."], "")


def test_the_note_about_the_models_says_nothing_of_how_somebody_else_trained_theirs():
    adopted = minimal("theirs", title="Theirs", training={"adopted_from": "x.h5"}, classes=("cow", "horse"))
    own, sources = minimal("own", title="Own"), dict.fromkeys(("own", "theirs"), "bundled")
    text = words(frame.about([own, adopted], sources, [], ""))
    assert "Own was trained only on photos labelled as cat or dog." in text and "trained Theirs" in text
    assert "labelled" not in frame.about([adopted], sources, [], "")


def test_the_note_about_the_models_says_which_can_refuse_a_photo():
    specs = [minimal("a", title="A"), minimal("b", title="B", neither={"threshold": 0.4})]
    sources = {"a": "bundled", "b": "bundled"}
    assert "trained only on photos" in words(frame.about(specs[:1], sources, [], ""))
    text = words(frame.about(specs, sources, [], ""))
    assert "trained on photos" in text and "B learned from photos of other things, too" in text


@pytest.mark.parametrize(
    ("sources", "facts"),
    [
        ({"m": "bundled"}, ["The model came with this app."]),
        ({"m": "bundled", "n": "bundled"}, ["The models came with this app."]),
        ({"m": "folder mine", "n": "folder mine"}, ["The models came from the folder mine"]),
        ({"m": "bundled (Hub unreachable: a/b)"}, ["came with this app (Hub unreachable: a/b)."]),
        (
            {"m": "bundled", "n": "folder mine", "o": "bundled"},
            ["M and O came with this app.", "N came from the folder mine"],
        ),
    ],
)
def test_it_is_said_whose_the_models_are(sources, facts):
    text = words(frame.about([minimal(name, title=name.upper()) for name in sources], sources, [], ""))
    assert all(fact in text for fact in facts) and text.count("came") == len(facts)


@pytest.mark.parametrize("source", ["hub {}@0123", "hub cache {}@0123 (Hub unreachable)"])
def test_models_from_the_hub_come_with_a_link_to_their_repository(hub_client, source):
    hub_client("https://hub.example")
    link = '<a href="https://hub.example/user/name" target="_blank" rel="noopener">user/name</a>'
    html = frame.about([minimal()], {"m": source.format("user/name")}, [], "")
    assert f"<strong>{link}@0123</strong>" in html and ("unreachable" in html) == ("unreachable" in source)
