"""Verdicts compared: who leads, whether they agree, and what is neither."""

from __future__ import annotations

import numpy as np
import pytest

from catdog.models.novelty import Novelty
from catdog.models.spec import ModelSpec
from catdog.verdict import Comparison
from tests.catdog.fakes import verdict
from tests.specs import minimal


def spec(name: str, accuracy: float = 0.9, axes: int = 0, **changes) -> ModelSpec:
    """A spec, with statistics of features that have so many axes."""
    if axes:
        changes["novelty"] = Novelty(
            means=np.eye(3)[:2], axes=np.eye(3)[:axes], variances=[1.0] * axes, rest=1.0, threshold=1.0
        )
    return minimal(name, metrics={"val": {"accuracy": accuracy}}, **changes)


def compared(*pairs) -> Comparison:
    verdicts, specs = zip(*pairs, strict=True)
    return Comparison.of(verdicts, specs, "bundled")


@pytest.mark.parametrize(
    ("accuracies", "leader", "label"), [((0.8, 0.9), "b", "dog"), ((0.9, 0.8), "a", "cat"), ((0.9, 0.9), "a", "cat")]
)
def test_the_model_with_the_highest_validation_accuracy_leads_or_the_first_of_equals(accuracies, leader, label):
    verdicts = verdict("a", "cat", confidence=0.7), verdict("b", "dog", confidence=0.8)
    specs = [spec(name, accuracy) for name, accuracy in zip("ab", accuracies, strict=True)]
    comparison = compared(*zip(verdicts, specs, strict=True))
    assert (comparison.leader, comparison.leading.label, comparison.verdict) == (leader, label, label)
    assert (comparison.prediction, comparison.confidence) == (label.capitalize(), comparison.leading.confidence)
    assert [verdict.model for verdict in comparison.models] == ["a", "b"]


def test_models_agree_when_all_labels_are_the_same():
    cat, dog = [[(verdict(name, label), spec(name)) for name in "abc"] for label in ("cat", "dog")]
    assert compared(*cat).agree and compared(cat[0]).agree
    assert not compared(*cat[:2], dog[2]).agree


@pytest.mark.parametrize(
    ("strangeness", "expected"),
    [([2], "neither"), ([0.5], "cat"), ([2, 0.5], "neither"), ([None, 2], "neither"), ([None], "cat"), ([1], "cat")],
)
def test_a_strange_photo_is_neither(strangeness, expected):
    pairs = [
        (verdict(name, strangeness=value), spec(name, axes=0 if value is None else 1))
        for name, value in zip("ab", strangeness, strict=False)
    ]
    comparison = compared(*pairs)
    assert (comparison.verdict, comparison.prediction) == (expected, "Cat")


def test_the_model_whose_features_vary_most_decides_what_is_strange():
    strange, known = verdict("a", strangeness=2.0), verdict("b", strangeness=0.5)
    assert compared((strange, spec("a", axes=1)), (known, spec("b", axes=2))).verdict == "cat"
    assert compared((strange, spec("a", axes=2)), (known, spec("b", axes=1))).verdict == "neither"
    # Of equals, the more accurate one; and alone, each decides for itself.
    assert compared((strange, spec("a", axes=1)), (known, spec("b", 0.95, axes=1))).verdict == "cat"
    assert compared((strange, spec("a", axes=1))).verdict == "neither"
