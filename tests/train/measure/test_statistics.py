"""Known answers to small cases."""

from __future__ import annotations

import numpy as np
import pytest

from train.measure.statistics import (
    Bin,
    bootstrap,
    calibration_bins,
    calibration_error,
    mcnemar,
    middle,
    middle_less_bias,
    wilson,
)


@pytest.mark.parametrize(
    ("right", "total", "low", "high"), [(1940, 2000, 0.9616, 0.9766), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0)]
)
def test_wilson_interval(right, total, low, high):
    assert wilson(right, total) == pytest.approx((low, high), abs=1e-4)


def test_calibration_bins_hold_every_photo_once():
    probabilities = np.array([[1.0, 0.0], [0.99, 0.01], [0.35, 0.65], [0.6, 0.4]])
    labels = np.array([0, 1, 1, 1])
    low, high = calibration_bins(probabilities, labels, bins=5)
    assert low == Bin(pytest.approx(0.625), 1, 2)
    assert high == Bin(pytest.approx(0.995), 1, 2)
    assert (low.accuracy, high.accuracy) == (0.5, 0.5)
    assert calibration_error(probabilities, labels, bins=5) == pytest.approx((0.125 + 0.495) / 2)


def test_confidence_that_is_kept_has_no_calibration_error():
    labels = np.array([0, 0, 0, 1])
    assert calibration_error(np.tile([0.75, 0.25], (4, 1)), labels) == pytest.approx(0)


def right(*counts: int) -> tuple[np.ndarray, np.ndarray]:
    """What two classifiers got right: both, first alone, second alone, neither."""
    return np.repeat([True, True, False, False], counts), np.repeat([True, False, True, False], counts)


@pytest.mark.parametrize(
    ("counts", "p"),
    [
        ((90, 8, 2, 0), 2 * (1 + 10 + 45) / 2**10),
        ((90, 2, 8, 5), 2 * (1 + 10 + 45) / 2**10),
        ((5, 4, 4, 0), 1.0),
        ((10, 0, 0, 3), 1.0),
        ((0, 0, 6, 0), 2 / 2**6),
    ],
)
def test_mcnemar_is_the_exact_binomial_test_of_the_discordant(counts, p):
    paired = mcnemar(*right(*counts))
    assert (paired.both, paired.first, paired.second, paired.neither) == counts
    assert paired.p == pytest.approx(p)


def test_bootstrap_interval_of_a_proportion_is_near_wilsons():
    rights = np.repeat([1.0, 0.0], (180, 20))
    values = bootstrap(lambda rows: {"accuracy": rights[rows].mean()}, len(rights))["accuracy"]
    assert middle(values) == pytest.approx(wilson(180, 200), abs=0.02)
    again = bootstrap(lambda rows: {"accuracy": rights[rows].mean()}, len(rights))["accuracy"]
    np.testing.assert_array_equal(values, again)


def test_a_figure_that_some_resamples_lack_is_resampled_still():
    def figures(rows):
        return {"first": 1.0, **({"second": 2.0} if 0 in rows else {})}

    values = bootstrap(figures, 3, resamples=50)
    assert len(values["first"]) == 50
    assert 0 < len(values["second"]) < 50
    assert middle(values["second"]) == (2.0, 2.0)


def test_an_interval_less_its_bias_holds_the_figure():
    values = np.linspace(0.02, 0.12, 101)  # all above the figure, as noise makes a calibration error
    assert middle_less_bias(values, 0.05) == pytest.approx((0.0025, 0.0975))
    assert middle_less_bias(values, 0.01) == pytest.approx((0.0, 0.0575))
