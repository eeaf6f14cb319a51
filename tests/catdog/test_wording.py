"""The words of all pages."""

from __future__ import annotations

import pytest

from catdog import ModelSpec, wording
from catdog.compare import Comparison, Verdict


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
    ("metrics", "first"),
    [
        ({}, "1.3 MB"),
        ({"test": {"images": 3}}, "1.3 MB"),
        ({"val": {"accuracy": 0.9, "images": 2000}}, "Right on 90.0% of 2,000 validation photos"),
        ({"val": {"accuracy": 0.9}, "test": {"accuracy": 0.8, "images": 5}}, "Right on 80.0% of 5 test photos"),
        ({"val": {"accuracy": 0.9}}, "Right on 90.0% of validation photos"),
        ({"val": {"accuracy": 0.9, "images": "many"}}, "Right on 90.0% of validation photos"),
    ],
)
def test_facts_take_what_the_spec_has(metrics, first):
    assert wording.facts(spec(metrics=metrics))[0] == first
    assert wording.facts(spec(metrics=metrics))[-1] == "32 × 32 px"


def test_a_label_keeps_its_case():
    specs = [spec(name, classes=("Felis catus", "dog")) for name in "ab"]
    verdicts = tuple(Verdict(name, label, 1.0, {}, 1.0) for name, label in (("a", "Felis catus"), ("b", "dog")))
    comparison = Comparison("Felis catus", 1.0, verdicts, False, "bundled", "Felis catus")
    assert wording.leading(comparison, specs[0]).endswith("A says Felis catus, 100.0% sure.")
