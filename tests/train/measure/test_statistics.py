"""Known answers to small cases."""

import numpy as np
import pytest

from train.measure.statistics import bootstrap, middle, middle_less_bias, wilson


@pytest.mark.parametrize(
    ("right", "total", "low", "high"), [(1940, 2000, 0.9616, 0.9766), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0)]
)
def test_wilson_interval(right, total, low, high):
    assert wilson(right, total) == pytest.approx((low, high), abs=1e-4)


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
