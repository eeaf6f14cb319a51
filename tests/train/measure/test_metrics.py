"""Figures of known predictions."""

import numpy as np
import pytest

from catdog.classifier import calibrated
from train.measure.metrics import Bin, calibration_bins, calibration_error, measure


def test_figures_of_known_predictions():
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.4, 0.6], [0.3, 0.7]])
    figures = measure(probabilities, np.array([0, 1, 1, 1]), ("cat", "dog"))
    assert figures["accuracy"] == 0.75
    assert figures["images"] == 4
    assert figures["confusion"] == [[1, 0], [1, 2]]
    assert figures["log_loss"] == pytest.approx(-np.log([0.9, 0.2, 0.6, 0.7]).mean(), abs=1e-5)
    assert figures["roc_auc"] == 1.0
    assert figures["calibration_error"] == pytest.approx((0.1 + 0.8 + 0.4 + 0.3) / 4, abs=1e-5)


def test_figures_say_what_the_temperature_mends():
    outputs = np.tile([0.6, 0.4], (10, 1))
    labels = np.repeat([0, 1], (9, 1))
    figures = measure(calibrated(outputs, 0.2), labels, ("cat", "dog"), uncalibrated=outputs)
    assert figures["calibration_error_uncalibrated"] == pytest.approx(0.3, abs=1e-5)
    served = 0.6**5 / (0.6**5 + 0.4**5)
    assert figures["calibration_error"] == pytest.approx(abs(0.9 - served), abs=1e-5)
    assert "calibration_error_uncalibrated" not in measure(outputs, labels, ("cat", "dog"))


def test_the_area_under_the_curve_of_three_classes_is_a_mean():
    probabilities = np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6], [0.1, 0.3, 0.6]])
    figures = measure(probabilities, np.array([0, 1, 2, 1]), ("a", "b", "c"))
    assert figures["roc_auc"] == pytest.approx((1 + 1 + 5 / 6) / 3, abs=1e-5)
    assert "roc_auc" not in measure(probabilities, np.array([0, 1, 1, 1]), ("a", "b", "c"))


def test_a_class_without_photos_has_no_part_in_the_means():
    answers = np.tile([0.8, 0.1, 0.1], (4, 1)), np.tile([0.1, 0.8, 0.1], (4, 1))
    figures = measure(np.concatenate(answers), np.repeat([0, 1], 4), ("a", "b", "c"))
    assert [figures[key] for key in ("precision", "recall", "f1")] == [1.0, 1.0, 1.0]


def test_calibration_bins_hold_every_photo_once():
    probabilities = np.array([[1.0, 0.0], [0.99, 0.01], [0.35, 0.65], [0.6, 0.4]])
    labels = np.array([0, 1, 1, 1])
    low, high = calibration_bins(probabilities, labels, bins=5)
    assert low == Bin(pytest.approx(0.625), 1, 2)
    assert high == Bin(pytest.approx(0.995), 1, 2)
    assert calibration_error(probabilities, labels, bins=5) == pytest.approx((0.125 + 0.495) / 2)
