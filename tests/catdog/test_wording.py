"""The words and figures of all pages. What a whole banner or card says is in tests/catdog/pages."""

import pytest

from catdog import wording
from tests.catdog.fakes import compared
from tests.catdog.fakes import verdict as said
from tests.specs import minimal


@pytest.mark.parametrize(
    ("write", "texts"),
    [
        (wording.percent, {0: "0.0%", 1e-5: "<0.1%", 5e-4: "0.1%", 0.9994: "99.9%", 0.9996: ">99.9%", 1: "100.0%"}),
        (wording.readable_size, {19_000: "19 kB", 1_300_000: "1.3 MB", 9_940_000: "9.9 MB", 83_000_000: "83 MB"}),
        (wording.milliseconds, {0.04: "0.0 ms", 3.14: "3.1 ms", 12.3: "12 ms", 1234.5: "1,234 ms"}),
        (wording.readable_count, {850: "850", 1200: "1.2 thousand", 999_400: "999 thousand"}),
        (wording.readable_count, {999_500: "1.0 million", 9_960_000: "10 million"}),
        (wording.duration, {4: "4 s", 29.6: "30 s", 40: "1 min", 3600: "1 h 0 min", 3912: "1 h 5 min"}),
    ],
)
def test_figures(write, texts):
    assert {value: write(value) for value in texts} == texts


@pytest.mark.parametrize(
    ("metrics", "facts"),
    [
        ({}, ["Never"]),
        ({"test": {"images": 3}}, ["Never"]),
        ({"val": {"accuracy": 0.9, "images": 2000}}, ["90.0% of 2,000 validation"]),
        ({"val": {"accuracy": 0.9}, "test": {"accuracy": 0.8, "images": 5}}, ["80.0% of 5 test"]),
        ({"val": {"accuracy": 0.9, "images": "many"}}, ["90.0% of validation"]),
        ({"photos": {"accuracy": 0.9, "images": 60}}, ["90.0% of 60 photos it was adopted with"]),
    ],
)
def test_what_was_measured(metrics, facts):
    text = wording.measured(minimal(metrics=metrics))
    assert all(fact in text for fact in facts)


def test_costs_are_those_that_are_known():
    spec = minimal(bytes=1_300_000, image_size=32)
    assert wording.costs(spec) == {"Time": "–", "Size": "1.3 MB", "Input": "32 × 32 px"}
    spec = minimal(bytes=1_300_000, image_size=32, training={"parameters": 2_899_665, "seconds": 3409})
    assert wording.costs(spec, said(milliseconds=12.3)) == {
        "Time": "12 ms", "Size": "1.3 MB", "Parameters": "2.9 million", "Training": "57 min", "Input": "32 × 32 px",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("heatmap", "where"),
    [
        ([[1.0]], "at the centre."),
        ([[0, 0, 0], [0, 1, 0], [0, 0, 0]], "at the centre."),
        ([[0, 1, 0], [0, 0, 0], [0, 0, 0]], "at the upper centre."),
        ([[0, 0, 0], [1, 0, 0], [0, 0, 0]], "at the left."),
        ([[-3, -2], [-3, 1]], "at the lower right."),
        ([[-3, -2], [-3, -1]], "no place speaks for cat"),
    ],
)
def test_a_map_is_told_in_words(heatmap, where):
    assert where in wording.map_alt(said(heatmap=heatmap))
    assert wording.map_alt(said()) == ""


@pytest.mark.parametrize(
    ("confidence", "error_rate", "word"),
    [
        (1.0, None, "very sure"), (0.9896, None, "very sure"), (0.9894, None, "sure"), (0.95, None, "sure"),
        (0.9494, None, "fairly sure"), (0.8, None, "fairly sure"), (0.7994, None, "unsure"), (0.2, None, "unsure"),
        (0.999, 0.001, "very sure"), (0.999, 1 / 99.8, "very sure"), (0.999, 0.011, "sure"), (0.98, 0.001, "sure"),
        (0.98, 1 / 19.6, "sure"), (0.98, 1 / 19.4, "fairly sure"), (0.98, 0.16, "fairly sure"),
        (0.68, 0.2, "unsure"), (0.999, 0.23, "unsure"), (0.999, 0.9, "unsure"),
    ],
)  # fmt: skip
def test_the_words_for_how_sure_an_answer_is_are_of_one_scale(confidence, error_rate, word):
    """By what the card says: 1 in 19.6 is shown as 1 in 20, and 98.96 % as 99.0%."""
    assert wording.certainty(said(confidence=confidence, error_rate=error_rate)) == word


@pytest.mark.parametrize(
    ("confidence", "often"),
    [
        (0.51, "about 70.0% of its answers below 60.0% were"),
        (0.6, "about half of its answers from 60.0% to 90.0% were"),
        (0.95, "about 1 in 7 of its answers from 90.0% to 98.9% were"),
        (0.9999, "fewer than 1 in 100 of its answers above 98.9% were"),
    ],
)
def test_how_often_answers_are_wrong_is_said_of_the_level_that_it_was_measured_in(confidence, often):
    levels = {"confidence": [0.0, 0.6, 0.9, 0.989], "error_rate": [0.7, 0.5, 0.1346, 0.0011]}
    spec = minimal(sureness=levels)
    assert often in wording.reliability(said(confidence=confidence, error_rate=spec.sureness.at(confidence)), spec)


def test_a_level_without_ends_and_one_too_near_to_1_are_told_too():
    every, top = ({"confidence": ends, "error_rate": [0.2] * len(ends)} for ends in ([0.0], [0.0, 0.9998]))
    answer = said(confidence=1.0, error_rate=0.2)
    assert "about 1 in 5 of its answers were" in wording.reliability(answer, minimal(sureness=every))
    assert "of its answers above 99.9% were" in wording.reliability(answer, minimal(sureness=top))


def test_without_measured_errors_nothing_is_claimed():
    assert "never measured" in wording.reliability(said(confidence=0.9), minimal())


def test_a_label_keeps_its_case():
    specs = [minimal(name, classes=("Felis catus", "dog")) for name in "ab"]
    comparison = compared(said("a", "Felis catus", confidence=1.0), said("b", "dog"))
    assert "Felis catus" in wording.explanation(comparison, specs)


@pytest.mark.parametrize(
    ("classes", "several", "neither"),
    [
        (("cat", "dog"), "both", "neither a cat nor a dog"),
        (("dog", "owl"), "both", "neither a dog nor an owl"),
        (("cat", "dog", "owl"), "several", "none of cat, dog and owl"),
    ],
)
def test_classes_are_named(classes, several, neither):
    specs = [minimal(classes=classes), minimal(classes=[name.title() for name in classes])]
    assert wording.listed(classes, "or") in wording.scope(specs) and several in wording.scope(specs)
    assert neither in wording.neither(specs) and wording.neither(specs) == wording.neither(specs[1:])
    assert wording.scope([]) == "" and "verdict is neither" not in wording.scope(specs)
    assert "verdict is neither" in wording.scope([*specs, minimal(classes=classes, neither={"threshold": 0.5})])


def test_photos_that_a_model_was_set_up_with_are_not_called_unseen():
    levels = {"confidence": [0.0], "error_rate": [0.2]}
    adopted = {"training": {"adopted_from": "x.h5"}, "metrics": {"photos": {"accuracy": 0.8}}}
    own, known = minimal(sureness=levels), minimal(sureness=levels, **adopted)
    measured = known.replace(metrics=known.metrics | {"val": {"accuracy": 0.8}})
    calibrated = known.replace(metrics={"val": {"accuracy": 0.8}})
    assert wording.tried(known) == wording.tried(measured)
    assert len({*map(wording.tried, (own, known, calibrated))}) == 3
    assert wording.tried(known) in wording.reliability(said(confidence=0.9, error_rate=0.2), known)
