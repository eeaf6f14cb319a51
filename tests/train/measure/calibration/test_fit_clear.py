"""From which confidence on fast arithmetic can be trusted."""

from __future__ import annotations

import numpy as np
import pytest

from train.measure.calibration.fit_clear import MOST_DOUBTFUL, fit_clear


def both(*rows: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities in fast arithmetic and in float32, from those of the second class; 100 clear ones beside them."""
    fast, exact = np.array([*rows, *[(0.999, 0.999)] * 100]).T
    return tuple(np.stack([1 - values, values], axis=1) for values in (fast, exact))


@pytest.mark.parametrize(
    ("rows", "clear"),
    [
        ([(0.51, 0.512)], 0.5),  # nothing moved that would matter
        ([(0.501, 0.499)], 0.51),  # but the label
        ([(0.72, 0.74), (0.9, 0.901)], 0.73),
        ([(0.28, 0.26), (0.1, 0.1)], 0.73),  # the label of a low probability is the other one
        ([(0.985, 0.97)], 0.99),
        ([(0.9999, 0.9)], None),  # wrong although it is sure
        ([(0.99, 0.994), (0.8, 0.8)], 0.81),  # what moved logits of a sure photo would have moved this one
    ],
)
def test_the_least_confidence_that_is_enough_is_found(rows, clear):
    assert fit_clear(*both(*rows)) == clear


def test_what_moves_is_measured_as_it_is_served():
    rows = both((0.6, 0.606), (0.9, 0.9))
    assert fit_clear(*rows) == 0.5
    assert fit_clear(*rows, temperature=0.5) == 0.61  # sharper answers move more


def test_with_too_many_doubts_there_is_none():
    many = round(100 * MOST_DOUBTFUL / (1 - MOST_DOUBTFUL))
    assert fit_clear(*both(*[(0.7, 0.75)] * many)) == 0.71
    assert fit_clear(*both(*[(0.7, 0.75)] * (many + 1))) is None


def test_what_was_harmed_once_among_many_is_not_clear():
    quiet = np.full((2000, 2), [0.001, 0.999])
    fast, exact = np.concatenate([quiet, [[0.4, 0.6]]]), np.concatenate([quiet, [[0.51, 0.49]]])
    assert fit_clear(fast, exact) == 0.61


def test_more_than_two_classes_are_told_apart():
    quiet = np.full((200, 3), [0.01, 0.01, 0.98])
    fast, exact = np.concatenate([quiet, [[0.36, 0.3, 0.34]]]), np.concatenate([quiet, [[0.34, 0.3, 0.36]]])
    assert fit_clear(fast, exact) == 0.5  # everything of three classes that is surer is clear
    fast, exact = np.concatenate([quiet, [[0.36, 0.06, 0.58]]]), np.concatenate([quiet, [[0.3, 0.08, 0.62]]])
    assert fit_clear(fast, exact) == 0.59
