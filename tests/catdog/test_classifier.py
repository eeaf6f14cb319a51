"""One model: calibrated probabilities, and what else its verdict says."""

import numpy as np
import pytest

from catdog.classifier import Classifier, calibrated
from catdog.engine import Outputs
from catdog.errors import ModelMismatch
from catdog.verdict import Verdict
from tests.catdog.fakes import fixed

BATCH = np.zeros((1, 8, 8, 3), np.float32)


def said(classifier: Classifier, **options) -> Verdict:
    return classifier.verdict(classifier.outputs(BATCH).of(0), 0.0123, **options)


@pytest.mark.parametrize(
    ("outputs", "temperature", "expected"),
    [
        ([0.25, 0.75], 1, [0.25, 0.75]),
        ([0.2, 0.3, 0.5], 1, [0.2, 0.3, 0.5]),
        # Odds of 9 : 1 become odds of 3 : 1 when halved in logarithms, and 81 : 1 when doubled.
        ([0.1, 0.9], 2, [0.25, 0.75]),
        ([0.1, 0.9], 0.5, [1 / 82, 81 / 82]),
        # 1 : 4 : 9 become 1 : 2 : 3.
        ([1 / 14, 4 / 14, 9 / 14], 2, [1 / 6, 2 / 6, 3 / 6]),
        ([1.0, 0.0], 1, [1, 0]),
        ([0.0, 0.0], 1, [0.5, 0.5]),
    ],
)
def test_calibration_has_exact_values(outputs, temperature, expected):
    assert calibrated(np.array([outputs]), temperature)[0] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("outputs", "label", "probabilities"),
    [
        ((0.2,), "cat", (0.8, 0.2)),
        ((0.7,), "dog", (0.3, 0.7)),
        ((0.6, 0.4), "cat", (0.6, 0.4)),
        ((1.0,), "dog", (0.0, 1.0)),
        ((0.0,), "cat", (1.0, 0.0)),
        ((0.1, 0.2, 0.7), "owl", (0.1, 0.2, 0.7)),
    ],
)
def test_a_verdict_names_the_likeliest_class(outputs, label, probabilities):
    classes = ("cat", "dog", "owl")[: len(probabilities)]
    verdict = said(fixed("m", *outputs, classes=classes))
    assert (verdict.model, verdict.label, verdict.milliseconds) == ("m", label, 12.3)
    assert list(verdict.probabilities) == list(classes)
    assert list(verdict.probabilities.values()) == pytest.approx(probabilities, abs=1e-6)
    assert verdict.confidence == verdict.probabilities[label]


@pytest.mark.parametrize("output", [float("nan"), float("inf"), -0.5, 1.5])
def test_outputs_that_are_no_probabilities_never_get_out(output):
    with pytest.raises(ModelMismatch, match=r"Model b .*Received: \[\[.*\]\]\."):
        fixed("b", output).outputs(BATCH)


def test_the_error_rate_is_that_of_the_confidence():
    known = {"confidence": [0.0, 0.75], "error_rate": [0.2, 0.01]}
    assert [said(fixed("m", output, sureness=known)).error_rate for output in (0.3, 0.1)] == [0.2, 0.01]
    assert said(fixed("m", 0.1)).error_rate is None


def test_a_verdict_says_what_its_model_costs():
    training = {"parameters": 1234, "seconds": 60, "base": {"seconds": 30}}
    assert said(fixed("m", 0.6, training=training)).cost == {"bytes": 1, "parameters": 1234, "training_seconds": 90.0}
    assert said(fixed("m", 0.6)).cost == {"bytes": 1, "parameters": None, "training_seconds": None}


class Insightful:
    """An engine that also gives maps."""

    def __init__(self, maps: list):
        self.maps = maps

    def __call__(self, batch: np.ndarray) -> Outputs:
        return Outputs.from_model(np.array([[0.2]]), np.array([self.maps]))


def test_a_map_comes_when_it_is_asked_for_and_is_calibrated():
    model = Classifier(fixed("m", temperature=2.0).spec, Insightful([[[3.0], [1.0]], [[-2.0], [0.0]]]))
    assert said(model).heatmap is None
    verdict = said(model, explain=True)
    assert (verdict.label, verdict.heatmap) == ("cat", [[-1.5, -0.5], [1.0, 0.0]])
    assert said(fixed("m", 0.2), explain=True).heatmap is None
