"""Heat maps that point at what decides are told from those that do not."""

import numpy as np
import pytest

from catdog.classifier import Classifier
from catdog.engine import Outputs
from tests.specs import minimal
from train.measure import faithfulness

SPEC = minimal(image_size=16)


class Corner:
    """Sees a dog where the upper left corner is bright; its map says so, or with `wrong` the opposite."""

    def __init__(self, wrong: bool = False):
        self.map = np.array([[4.0, 0.0], [0.0, 0.0]]) * (-1 if wrong else 1)

    def __call__(self, batch: np.ndarray) -> Outputs:
        light = batch[:, :8, :8].mean(axis=(1, 2, 3)) / 255
        of_dog = 1 / (1 + np.exp(-12 * (light - 0.5)))
        maps = np.stack([np.zeros_like(self.map), self.map], axis=-1)
        return Outputs(np.stack([1 - of_dog, of_dog], axis=1), np.repeat(maps[None], len(batch), axis=0))


def bright_corner(random: np.random.Generator) -> np.ndarray:
    array = random.uniform(0, 40, (16, 16, 3)).astype(np.float32)
    array[:8, :8] += 200
    return array


@pytest.mark.parametrize("wrong", [False, True])
def test_a_map_that_points_at_what_counts_is_told_from_one_that_does_not(wrong):
    random = np.random.default_rng(0)
    figures = faithfulness.measure(Classifier(SPEC, Corner(wrong)), [bright_corner(random) for _ in range(30)])
    deletion, insertion = figures["deletion"], figures["insertion"]
    assert figures["photos"] == 30
    if wrong:
        assert deletion["interval"][0] > 0 > insertion["interval"][1]
    else:
        assert deletion["interval"][1] < 0 < insertion["interval"][0]
        assert deletion["better"] > 0.6 and insertion["better"] > 0.6
    assert deletion["difference"] == pytest.approx(deletion["map"] - deletion["random"])
    assert deletion["curves"]["map"][0] == pytest.approx(insertion["curves"]["map"][-1])
    assert deletion["curves"]["map"][0] > 0.9


def test_a_model_without_maps_is_left_out():
    def engine(batch: np.ndarray) -> Outputs:
        return Outputs(np.full((len(batch), 2), 0.5, np.float32))

    assert faithfulness.measure(Classifier(SPEC, engine), [np.zeros((16, 16, 3), np.float32)]) is None
