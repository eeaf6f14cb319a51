"""Crops agree with Pillow's, stay in range, and do nothing when a model is measured."""

from __future__ import annotations

import numpy as np
import pytest
from keras import ops
from PIL import Image

from train.augment import ColorJitter, RandomResizedCrop, _sampling_matrix

_numpy = ops.convert_to_numpy


@pytest.fixture
def pixels(cat) -> np.ndarray:
    return np.asarray(Image.open(cat).resize((80, 80)))


@pytest.mark.parametrize(("start", "length", "size"), [(0, 80, 40), (10, 60, 32), (7.5, 20, 48), (3, 77, 77)])
def test_resampling_is_that_of_pillow(pixels, start, length, size):
    matrix = _numpy(
        _sampling_matrix(ops.convert_to_tensor([float(start)]), ops.convert_to_tensor([float(length)]), 80, size)
    )[0]
    ours = np.einsum("oh,hwc->owc", matrix, pixels.astype(np.float32))
    ours = np.einsum("pw,owc->opc", matrix, ours)
    box = (start, start, start + length, start + length)
    pillow = Image.fromarray(pixels).resize((size, size), Image.Resampling.BILINEAR, box=box)
    # Pillow rounds after each direction, and cuts the filter at the edge of the box, not the photo.
    inner = slice(2, -2)
    assert np.abs(ours - np.asarray(pillow, np.float32))[inner, inner].max() < 1.5


def test_a_whole_photo_is_reduced_as_pillow_does(pixels):
    ours = _numpy(RandomResizedCrop(48, (1, 1), (1, 1), mirror=False)(pixels[None].astype(np.float32), training=True))[
        0
    ]
    pillow = Image.fromarray(pixels).resize((48, 48), Image.Resampling.BILINEAR)
    assert np.abs(ours - np.asarray(pillow, np.float32)).max() < 1.5


def test_whole_photo_at_its_own_size_is_unchanged(pixels):
    layer = RandomResizedCrop(80, scale=(1.0, 1.0), ratio=(1.0, 1.0), mirror=False)
    np.testing.assert_allclose(_numpy(layer(pixels[None], training=True))[0], pixels, atol=1e-3)


def test_mirrors_about_half(pixels):
    layer = RandomResizedCrop(80, scale=(1.0, 1.0), ratio=(1.0, 1.0), seed=1)
    crops = _numpy(layer(np.repeat(pixels[None], 64, axis=0), training=True))
    plain = [np.allclose(crop, pixels, atol=1e-3) for crop in crops]
    mirrored = [np.allclose(crop, pixels[:, ::-1], atol=1e-3) for crop in crops]
    assert sum(plain) + sum(mirrored) == 64
    assert 16 < sum(mirrored) < 48


def test_crops_differ_and_stay_in_range(pixels):
    crops = _numpy(RandomResizedCrop(32, seed=1)(np.repeat(pixels[None], 8, axis=0), training=True))
    assert crops.shape == (8, 32, 32, 3)
    assert crops.dtype == np.float32
    assert crops.min() >= 0
    assert crops.max() <= 255.001
    assert len({crop.tobytes() for crop in crops}) == 8


def test_jitter_changes_colours_within_range(pixels):
    images = np.repeat(pixels[None].astype(np.float32), 4, axis=0)
    changed = _numpy(ColorJitter(0.3, seed=1)(images, training=True))
    assert changed.min() >= 0
    assert changed.max() <= 255
    assert all(np.abs(a - b).mean() > 1 for a, b in zip(changed, images, strict=True))


@pytest.mark.parametrize("layer", [RandomResizedCrop(32), ColorJitter(0.3)], ids=["crop", "jitter"])
def test_nothing_happens_outside_training(pixels, layer):
    np.testing.assert_array_equal(_numpy(layer(pixels[None].astype(np.float32), training=False))[0], pixels)
