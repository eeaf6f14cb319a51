"""Each condition does what its definition says, and leaves the photo that it is given alone."""

import numpy as np
import pytest
from PIL import Image

from train.measure.robustness import CONDITIONS


@pytest.fixture
def photo(cat) -> Image.Image:
    return Image.open(cat).convert("RGB").resize((200, 160))


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image, dtype=np.float32)


@pytest.mark.parametrize("name", CONDITIONS)
def test_a_changed_photo_is_rgb_and_the_photo_is_as_before(photo, name):
    before = pixels(photo)
    changed = CONDITIONS[name].change(photo)
    assert changed.mode == "RGB"
    assert changed.size == ((48, 38) if name == "small" else photo.size)
    np.testing.assert_array_equal(pixels(photo), before)
    if changed.size == photo.size:
        assert np.abs(pixels(changed) - before).mean() > 0.5


def test_blur_spreads_a_point_as_far_as_it_says():
    point = Image.new("RGB", (200, 300))
    point.putpixel((100, 150), (255, 255, 255))
    wide = Image.fromarray(np.kron(pixels(point).astype(np.uint8), np.ones((9, 9, 1), np.uint8)))
    spread = pixels(CONDITIONS["blur"].change(wide))[..., 0].sum(axis=0)
    places = np.arange(len(spread))
    centre = (places * spread).sum() / spread.sum()
    variance = ((places - centre) ** 2 * spread).sum() / spread.sum()
    # 1 % of 1800 pixels, plus that of the square of 9 pixels
    assert np.sqrt(variance - (81 - 1) / 12) == pytest.approx(18, rel=0.05)


def test_jpeg_is_lossy_dark_is_three_tenths_and_grey_is_luma(photo):
    jpeg, dark, grey = (pixels(CONDITIONS[name].change(photo)) for name in ("jpeg", "dark", "grey"))
    assert 1 < np.abs(jpeg - pixels(photo)).mean() < 12
    np.testing.assert_allclose(dark, 0.3 * pixels(photo), atol=1)
    luma = pixels(photo) @ np.float32([0.299, 0.587, 0.114])
    np.testing.assert_allclose(grey, np.stack([luma] * 3, axis=-1), atol=1)


def test_rotated_is_anticlockwise_with_black_corners():
    photo = Image.new("RGB", (101, 101), "grey")
    photo.paste("white", (48, 0, 53, 50))  # a hand of a clock at twelve
    turned = pixels(CONDITIONS["rotated"].change(photo))[..., 0]
    assert turned[0, 0] == turned[-1, -1] == 0
    eleven = np.deg2rad(30)
    assert turned[round(50 - 40 * np.cos(eleven)), round(50 - 40 * np.sin(eleven))] == 255


def test_small_photos_are_not_made_larger():
    assert CONDITIONS["small"].change(Image.new("RGB", (30, 20))).size == (30, 20)
