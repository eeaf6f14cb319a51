"""Heat maps drawn over photos."""

import numpy as np
import pytest
from PIL import Image

from catdog.comparator import LARGEST_SIDE
from catdog.pages.overlay import AGAINST, FOR, LEAST_SCALE, overlay, scale_of


def test_one_scale_for_all():
    assert scale_of([[[1.0, -3.0]], [[2.0]], None]) == 3.0
    assert scale_of([[[0.01]]]) == scale_of([None]) == scale_of([]) == LEAST_SCALE


def pixel(image: Image.Image, x: float, y: float) -> np.ndarray:
    return np.array(image.getpixel((int(x * image.width), int(y * image.height))), float)


def nearer(colour, to, than) -> bool:
    return np.linalg.norm(colour - to) < np.linalg.norm(colour - than)


def test_one_colour_for_another_against_and_clear_where_neither():
    grey = Image.new("RGB", (90, 60), (128, 128, 128))
    drawn = overlay(grey, [[4.0, 0.0, -4.0]], 4.0)
    assert drawn.size == grey.size and drawn.mode == "RGB"
    left, middle, right = (pixel(drawn, x, 0.5) for x in (0.05, 0.5, 0.95))
    assert nearer(left, FOR, (128, 128, 128)) and nearer(right, AGAINST, (128, 128, 128))
    assert np.abs(middle - 128).max() < 12
    assert grey.getcolors() == [(5400, (128, 128, 128))]  # the photo itself stays as it was


# What people without one of the three kinds of cones see: linear RGB to linear RGB, Machado et al. 2009.
VISIONS = {
    "normal": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}
GROUNDS = {
    "black": (30, 28, 26), "brown": (120, 80, 50), "ginger": (190, 120, 60), "cream": (225, 200, 165),
    "grey": (128, 128, 128), "white": (245, 245, 245), "lawn": (85, 120, 50), "sky": (130, 170, 210),
}  # fmt: skip
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def lab(colour, vision) -> np.ndarray:
    """CIELAB of an sRGB colour, 0 to 255, as this vision sees it."""
    part = np.asarray(colour) / 255
    linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
    xyz = TO_XYZ @ np.clip(np.array(VISIONS[vision]) @ linear, 0, 1) / TO_XYZ.sum(axis=1)
    x, y, z = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("vision", VISIONS)
@pytest.mark.parametrize("ground", GROUNDS)
def test_for_against_and_photo_can_be_told_apart_also_by_the_colour_blind(vision, ground):
    photo = Image.new("RGB", (16, 16), GROUNDS[ground])
    seen = [lab(pixel(overlay(photo, [[value]], 1.0), 0.5, 0.5), vision) for value in (1.0, -1.0, 0.0)]
    speaks, contradicts, nothing = seen
    assert np.linalg.norm(speaks - contradicts) > 50
    assert min(np.linalg.norm(speaks - nothing), np.linalg.norm(contradicts - nothing)) > 15


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
