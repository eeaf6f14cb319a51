"""A cascade asks the exact network where the fast one is not certain, and only there."""

from __future__ import annotations

import numpy as np
import pytest

from catdog.engine.cascade import CascadeEngine
from catdog.engine.interface import Outputs


class Fake:
    """Answers with the first pixel of each photo, plus `shift`, and keeps count of the photos."""

    problem = ""

    def __init__(self, runtime: str, shift: float, *, only_probabilities: bool = False):
        self.runtime, self.shift, self.bare = runtime, shift, only_probabilities
        self.asked: list[int] = []

    def __call__(self, batch: np.ndarray) -> Outputs:
        self.asked.append(len(batch))
        value = batch[:, 0, 0, :1] + np.float32(self.shift)
        return Outputs.from_model(*[value, value[:, None, None] * 100][: 1 if self.bare else 2])


def photos(*values: float) -> np.ndarray:
    return np.array(values, np.float32)[:, None, None, None] * np.ones((1, 2, 2, 3), np.float32)


def cascade(**kinds: bool) -> CascadeEngine:
    return CascadeEngine(Fake("Engine 1, bfloat16", 0.0, **kinds), Fake("Engine 1, float32", 0.001, **kinds), 0.95, 2)


def test_only_uncertain_photos_are_asked_about_again():
    engine = cascade()
    outputs = engine(photos(0.99, 0.5, 0.01, 0.9))
    expected = np.array([0.99, 0.501, 0.01, 0.901], np.float32)
    np.testing.assert_allclose(outputs.probabilities[:, -1], expected, atol=1e-6)
    np.testing.assert_allclose(outputs.maps[:, 0, 0, 1], expected * 100, atol=1e-4)
    assert engine.exact.asked == [1, 1]  # each size of batch would take memory for good


@pytest.mark.parametrize(("values", "asked"), [((0.951, 0.999, 0.049), []), ((np.nan, 0.999), [1])])
def test_certain_answers_are_not_asked_about_again_and_what_is_no_number_is(values, asked):
    engine = cascade()
    engine(photos(*values))
    assert (engine.fast.asked, engine.exact.asked) == ([len(values)], asked)


def test_what_is_surely_neither_of_the_classes_is_asked_about_again():
    engine = cascade()
    engine.fast = lambda batch: Outputs(np.array([[0.01, 0.02, 0.97], [0.97, 0.02, 0.01]]))
    engine.exact = lambda batch: Outputs(np.array([[0.02, 0.01, 0.97]]))
    assert engine(photos(0, 1)).probabilities.tolist() == [[0.02, 0.01, 0.97], [0.97, 0.02, 0.01]]


def test_models_without_maps_work():
    outputs = cascade(only_probabilities=True)(photos(0.5))
    assert outputs.maps is None
    np.testing.assert_allclose(outputs.probabilities, [[0.499, 0.501]], atol=1e-6)
