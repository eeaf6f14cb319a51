"""What a network gives becomes one column per class."""

from __future__ import annotations

import numpy as np
import pytest

from catdog.engine.interface import Outputs, are_probabilities


def test_one_sigmoid_becomes_two_columns():
    maps = np.array([[[[3.0], [-1.0]]]], np.float32)
    outputs = Outputs.from_model(np.array([[0.25]], np.float32), maps)
    assert outputs.probabilities.tolist() == [[0.75, 0.25]]
    assert outputs.maps.tolist() == [[[[0, 3], [0, -1]]]]
    assert all(part.dtype == np.float32 for part in outputs[:2])
    assert Outputs.from_model(np.array([[1.0]])).maps is None


@pytest.mark.parametrize("probabilities", [[[0.5, 0.5]], [[0.2, 0.3, 0.5]], [], [[[0.5]], [[0.5]]]])
def test_anything_else_stays_as_it_is(probabilities):
    outputs = Outputs.from_model(np.array(probabilities), maps=np.ones((1, 2, 2, 2)))
    assert outputs.probabilities.tolist() == probabilities
    assert outputs.maps.shape == (1, 2, 2, 2)


@pytest.mark.parametrize(
    ("value", "good"), [(0.0, True), (1.00005, True), (1.01, False), (-0.01, False), (np.nan, False)]
)
def test_probabilities_are_numbers_from_0_to_1(value, good):
    assert are_probabilities(np.array([[0.5, value]])) is good
