"""Heat maps drawn over photos."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from catdog.comparator import LARGEST_SIDE
from catdog.pages.overlay import COOL, LEAST_SCALE, WARM, overlay, scale_of


def test_one_scale_for_all():
    assert scale_of([[[1.0, -3.0]], [[2.0]], None]) == 3.0
    assert scale_of([[[0.01]]]) == scale_of([None]) == scale_of([]) == LEAST_SCALE


def pixel(image: Image.Image, x: float, y: float) -> np.ndarray:
    return np.array(image.getpixel((int(x * image.width), int(y * image.height))), float)


def nearer(colour, to, than) -> bool:
    return np.linalg.norm(colour - to) < np.linalg.norm(colour - than)


def test_warm_for_cool_against_and_clear_where_neither():
    grey = Image.new("RGB", (90, 60), (128, 128, 128))
    drawn = overlay(grey, [[4.0, 0.0, -4.0]], 4.0)
    assert drawn.size == grey.size and drawn.mode == "RGB"
    left, middle, right = (pixel(drawn, x, 0.5) for x in (0.05, 0.5, 0.95))
    assert nearer(left, WARM, (128, 128, 128)) and nearer(right, COOL, (128, 128, 128))
    assert np.abs(middle - 128).max() < 12
    assert grey.getcolors() == [(5400, (128, 128, 128))]  # the photo itself stays as it was


def test_the_scale_decides_how_strong():
    grey = Image.new("RGB", (40, 40), (128, 128, 128))
    changes = [np.abs(pixel(overlay(grey, [[1.0]], scale), 0.5, 0.5) - 128).sum() for scale in (1, 2, 8)]
    assert changes[0] > changes[1] > changes[2] > 0
    assert overlay(grey, [[9.0]], 1.0).tobytes() == overlay(grey, [[1.0]], 1.0).tobytes()


def test_a_map_goes_over_what_the_model_saw():
    grey = Image.new("RGB", (90, 30), (128, 128, 128))
    drawn = overlay(grey, [[4.0]], 4.0, resize="crop")
    assert [bool(np.abs(pixel(drawn, x, 0.5) - 128).max() > 1) for x in (0.1, 0.5, 0.9)] == [False, True, False]


@pytest.mark.parametrize("size", [(5000, 40), (40, 5000), (1, 1), (3, 1200)])
def test_any_size_of_photo_is_drawn(size):
    drawn = overlay(Image.new("RGB", size), [[1.0, -1.0], [0.0, 2.0]], 2.0)
    assert max(drawn.size) <= LARGEST_SIDE and min(drawn.size) >= 1
