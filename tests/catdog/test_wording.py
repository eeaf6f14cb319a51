"""The words of all pages."""

from __future__ import annotations

import pytest

from catdog import ModelSpec, wording
from catdog.verdict import Verdict
from tests.catdog.fakes import compared
from tests.catdog.fakes import verdict as said


def spec(name: str = "m", **changes) -> ModelSpec:
    values = {
        "name": name, "title": name.title(), "architecture": name, "file": f"{name}.h5", "sha256": "0" * 64,
        "bytes": 1_300_000, "image_size": 32, "classes": ("cat", "dog"),
    }  # fmt: skip
    return ModelSpec(**values | changes)


@pytest.mark.parametrize(
    ("count", "text"),
    [(1, "One neural network looks"), (2, "Two neural networks look"), (12, "12 neural networks look")],
)
def test_introduction(count, text):
    assert wording.introduction([spec()] * count).startswith(text)


@pytest.mark.parametrize(
    ("probability", "text"),
    [
        (0, "0.0%"), (1e-5, "<0.1%"), (5e-4, "0.1%"), (0.5, "50.0%"), (0.9994, "99.9%"), (0.9996, ">99.9%"),
        (0.99999, ">99.9%"), (1, "100.0%"),
    ],
)  # fmt: skip
def test_percent_claims_no_false_certainty(probability, text):
    assert wording.percent(probability) == text


@pytest.mark.parametrize(
    ("size", "text"), [(19_000, "19 kB"), (1_300_000, "1.3 MB"), (9_940_000, "9.9 MB"), (83_000_000, "83 MB")]
)
def test_readable_size(size, text):
    assert wording.readable_size(size) == text


@pytest.mark.parametrize(("value", "text"), [(0.04, "0.0 ms"), (3.14, "3.1 ms"), (12.3, "12 ms"), (1234.5, "1,234 ms")])
def test_milliseconds(value, text):
    assert wording.milliseconds(value) == text


@pytest.mark.parametrize(
    ("metrics", "text"),
    [
        ({}, ""),
        ({"test": {"images": 3}}, ""),
        ({"val": {"accuracy": 0.9, "images": 2000}}, "Right on 90.0% of 2,000 validation photos"),
        ({"val": {"accuracy": 0.9}, "test": {"accuracy": 0.8, "images": 5}}, "Right on 80.0% of 5 test photos"),
        ({"val": {"accuracy": 0.9}}, "Right on 90.0% of validation photos"),
        ({"val": {"accuracy": 0.9, "images": "many"}}, "Right on 90.0% of validation photos"),
    ],
)
def test_what_was_measured(metrics, text):
    assert wording.measured(spec(metrics=metrics)) == text


def test_costs_are_those_that_are_known():
    assert wording.costs(spec()) == {"Time": "–", "Size": "1.3 MB", "Input": "32 × 32 px"}
    verdict = said(milliseconds=12.3)
    assert wording.costs(spec(training={"parameters": 2_899_665, "seconds": 3409}), verdict) == {
        "Time": "12 ms", "Size": "1.3 MB", "Parameters": "2.9 million", "Training": "57 min", "Input": "32 × 32 px",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (850, "850"), (1200, "1.2 thousand"), (12_345, "12 thousand"), (999_400, "999 thousand"),
        (999_500, "1.0 million"), (2_899_665, "2.9 million"), (9_960_000, "10 million"), (20_863_529, "21 million"),
    ],
)  # fmt: skip
def test_readable_count(count, text):
    assert wording.readable_count(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(4, "4 s"), (29.6, "30 s"), (40, "1 min"), (1260, "21 min"), (3600, "1 h 0 min"), (3912, "1 h 5 min")],
)
def test_duration(seconds, text):
    assert wording.duration(seconds) == text


@pytest.mark.parametrize(
    ("classes", "text"),
    [
        (("cat", "dog"), "Probably neither a cat nor a dog"),
        (("Owl", "dog"), "Probably neither an owl nor a dog"),
        (("cat", "dog", "owl"), "Probably none of cat, dog and owl"),
    ],
)
def test_neither(classes, text):
    assert wording.neither([spec(classes=classes)]) == text


@pytest.mark.parametrize(
    ("heatmap", "where"),
    [
        ([[1.0]], "is at the centre."),
        ([[0, 0, 0], [0, 1, 0], [0, 0, 0]], "is at the centre."),
        ([[0, 1, 0], [0, 0, 0], [0, 0, 0]], "is at the upper centre."),
        ([[0, 0, 0], [1, 0, 0], [0, 0, 0]], "is at the left."),
        ([[-3, -2], [-3, 1]], "is at the lower right."),
        ([[-3, -2], [-3, -1]], "no place speaks for cat"),
    ],
)
def test_a_map_is_told_in_words(heatmap, where):
    assert where in wording.map_alt(said(heatmap=heatmap))
    assert wording.map_alt(said()) == ""


def verdict(confidence: float = 0.9, error_rate: float | None = None) -> Verdict:
    return said(confidence=confidence, error_rate=error_rate)


@pytest.mark.parametrize(
    ("error_rate", "word", "sentence"),
    [
        (0.6, "unsure", "About half of its answers this sure are wrong."),
        (0.8, "unsure", "About 80.0% of its answers this sure are wrong."),
        (0.35, "unsure", "About 1 in 3 answers this sure is wrong."),
        (0.3, "unsure", "About 1 in 3 answers this sure is wrong."),
        (0.2115, "unsure", "About 1 in 5 answers this sure is wrong."),
        (0.12, "fairly sure", "About 1 in 8 answers this sure is wrong."),
        (0.02, "sure", "About 1 in 50 answers this sure is wrong."),
        (0.01, "very sure", "About 1 in 100 answers this sure is wrong."),
        (1 / 850, "very sure", "Fewer than 1 in 100 answers this sure are wrong."),
        (0.0, "very sure", "Fewer than 1 in 100 answers this sure are wrong."),
    ],
)
def test_reliability(error_rate, word, sentence):
    assert wording.reliability(verdict(error_rate=error_rate)) == sentence
    assert wording.certainty(verdict(error_rate=error_rate)) == word


@pytest.mark.parametrize(("confidence", "word"), [(0.5, "unsure"), (0.9, "fairly sure"), (0.99999, "very sure")])
def test_without_measured_errors_confidence_counts_and_nothing_is_claimed(confidence, word):
    assert wording.reliability(verdict(confidence)) == ""
    assert wording.certainty(verdict(confidence)) == word


@pytest.mark.parametrize(
    ("confidence", "error_rate", "word", "sentence"),
    [
        (0.507, 0.135, "unsure", "About half of its answers this sure are wrong."),
        (0.75, 0.135, "unsure", "About 1 in 4 answers this sure is wrong."),
        (0.75, 0.3, "unsure", "About 1 in 3 answers this sure is wrong."),
        (0.85, 0.02, "sure", "About 1 in 50 answers this sure is wrong."),
    ],
)
def test_a_doubtful_answer_is_no_surer_than_it_says_itself(confidence, error_rate, word, sentence):
    assert wording.certainty(verdict(confidence, error_rate)) == word
    assert wording.reliability(verdict(confidence, error_rate)) == sentence


def test_usually_right():
    known = {"model": "b", "rate": 0.75, "photos": 1200}
    verdicts = said("a"), said("b", "dog")
    text = "When they disagreed like this before, B was right 900 of 1,200 times. It says dog."
    assert wording.usually_right(compared(*verdicts, usually_right=known), [spec("a"), spec("b")]) == text
    assert wording.usually_right(compared(*verdicts), [spec("a")]) == ""


def test_a_label_keeps_its_case():
    specs = [spec(name, classes=("Felis catus", "dog")) for name in "ab"]
    comparison = compared(said("a", "Felis catus", confidence=1.0), said("b", "dog"))
    assert wording.leading(comparison, specs).endswith(" says Felis catus and is very sure (100.0%).")


@pytest.mark.parametrize(
    ("names", "accuracy", "error_rate", "text"),
    [
        ("a", 0.9, None, ""),
        ("ab", 0.9, None, "A, the most accurate of them, is fairly sure (90.0%)."),
        ("ab", 0.9, 0.25, "A, the most accurate of them, leans towards cat (90.0%)."),
        ("ab", 0.0, None, "A, asked first, is fairly sure (90.0%)."),
    ],
)
def test_what_the_default_model_says_is_told_where_others_were_asked_too(names, accuracy, error_rate, text):
    verdicts = [said(name, error_rate=error_rate) for name in names]
    specs = [spec("a", metrics={"val": {"accuracy": accuracy, "images": 10}}), spec("b")]
    assert wording.leading(compared(*verdicts), specs) == text


@pytest.mark.parametrize(("error_rate", "says"), [(0.01, "M says cat"), (0.25, "M leans towards cat")])
def test_a_confident_answer_of_a_kind_that_is_often_wrong_is_a_leaning(error_rate, says):
    assert wording.agreement(compared(said(confidence=0.95, error_rate=error_rate)), [spec("m")]) == says
