"""From an image to the numbers that a model takes."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from catdog.photo.array import Input, resized, to_array
from tests.catdog.photos import BLACK, BLUE, RED, WHITE, image_of


@pytest.mark.parametrize(
    ("scaling", "expected"),
    [
        ("none", [0, 51, 255]), ("unit", [0, 0.2, 1]), ("symmetric", [-1, -0.6, 1]),
        ("caffe", [255 - 103.939, 51 - 116.779, -123.68]),
        ("torch", [(0 - 0.485) / 0.229, (0.2 - 0.456) / 0.224, (1 - 0.406) / 0.225]),
    ],
)  # fmt: skip
def test_scaling_has_exact_values(scaling, expected):
    array = to_array(Image.new("RGB", (5, 9), (0, 51, 255)), Input(8, scaling=scaling))
    assert (array.shape, array.dtype) == ((8, 8, 3), np.float32)
    assert array[3, 4].tolist() == pytest.approx(expected, rel=1e-5, abs=1e-7)


def test_bilinear_resize_has_exact_values():
    image = image_of([BLACK, BLACK, WHITE, WHITE], [BLACK, BLACK, WHITE, WHITE])
    assert resized(image, 2, "stretch")[:, :, 0].tolist() == [[36, 219], [36, 219]]


def test_crop_keeps_the_centred_square_and_stretch_keeps_all():
    image = Image.new("RGB", (48, 16), RED)
    image.paste(BLUE, (16, 0, 32, 16))
    cropped, stretched = (resized(image, 8, resize) for resize in ("crop", "stretch"))
    assert (cropped[:, 1:-1] == BLUE).all()  # the filter reaches across the border of the crop
    assert stretched[4, 0].tolist() == [*RED] and stretched[4, 4, 2] > 240


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1), (7, 8)])
@pytest.mark.parametrize("resize", ["stretch", "crop"])
def test_any_shape_becomes_the_models_square(size, resize):
    array = to_array(Image.new("RGB", size, (10, 20, 30)), Input(8, resize))
    assert array.shape == (8, 8, 3)
    assert (array == (10, 20, 30)).all()


@pytest.mark.parametrize("resize", ["stretch", "crop"])
def test_an_input_may_be_wide_and_grey(resize):
    wanted = Input((8, 12, 1), resize, "unit")
    array = to_array(Image.new("RGB", (40, 20), (0, 51, 255)), wanted)
    assert array.shape == wanted.array == (8, 12, 1)
    np.testing.assert_allclose(array, 59 / 255, rtol=1e-5)
