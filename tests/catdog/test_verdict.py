"""Verdicts compared: who leads, whether they agree, and what is neither."""

import pytest

from catdog.models.spec import ModelSpec
from catdog.verdict import Comparison
from tests.catdog.fakes import verdict
from tests.specs import minimal


def spec(name: str, accuracy: float = 0.9, auroc: float | None = None, **changes) -> ModelSpec:
    """A spec, with an output for neither if its AUROC is given."""
    if auroc is not None:
        changes["neither"] = {"threshold": 0.5, "auroc": auroc}
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
    ("scores", "expected"),
    [([0.9], "neither"), ([0.4], "cat"), ([0.9, 0.2], "neither"), ([None, 0.9], "neither"), ([None], "cat"),
     ([0.5], "cat")],
)  # fmt: skip
def test_a_photo_that_a_model_refuses_is_neither(scores, expected):
    pairs = [
        (verdict(name, neither=value), spec(name, auroc=None if value is None else 0.9))
        for name, value in zip("ab", scores, strict=False)
    ]
    comparison = compared(*pairs)
    assert (comparison.verdict, comparison.prediction) == (expected, "Cat")


def test_the_model_that_is_best_at_it_decides_what_is_neither():
    refused, known = verdict("a", neither=0.9), verdict("b", neither=0.2)
    assert compared((refused, spec("a", auroc=0.8)), (known, spec("b", auroc=0.9))).verdict == "cat"
    assert compared((refused, spec("a", auroc=0.9)), (known, spec("b", auroc=0.8))).verdict == "neither"
    # Of equals, the more accurate one; and alone, each decides for itself.
    assert compared((refused, spec("a", auroc=0.9)), (known, spec("b", 0.95, auroc=0.9))).verdict == "cat"
    assert compared((refused, spec("a", auroc=0.9))).verdict == "neither"
