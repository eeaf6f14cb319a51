"""Maps of what spoke for a label."""

from __future__ import annotations

import numpy as np
import pytest

from catdog.models.heatmap import heatmap

MAPS = np.array([[[0.0, 1.0], [0.0, -2.0]], [[0.0, 0.5], [0.0, 0.0]]], np.float32)  # of one sigmoid


@pytest.mark.parametrize(
    ("label", "temperature", "expected"),
    [
        (1, 1.0, [[1, -2], [0.5, 0]]),
        (0, 1.0, [[-1, 2], [-0.5, 0]]),  # what speaks for the second class speaks against the first
        (1, 2.0, [[0.5, -1], [0.25, 0]]),
    ],
)
def test_a_map_of_two_classes(label, temperature, expected):
    assert heatmap(MAPS, label, temperature) == expected


def test_a_map_is_against_the_mean_of_the_other_classes():
    assert heatmap(np.array([[[4.0, 1.0, 2.0]]]), 0, 1.0) == [[2.5]]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_map_with_what_is_no_number_is_no_map(value):
    assert heatmap(np.where(MAPS == 1, value, MAPS), 1, 1.0) is None
