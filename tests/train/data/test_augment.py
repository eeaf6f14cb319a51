"""Crops agree with Pillow's, stay in range, and do nothing when a model is measured."""

import keras
import numpy as np
import pytest
from keras import ops
from PIL import Image

from train.data.augment import ColorJitter, CutMix, RandomResizedCrop, _sampling_matrix, resampled

_numpy = ops.convert_to_numpy


@pytest.fixture(autouse=True)
def seed():
    keras.utils.set_random_seed(1)


@pytest.fixture
def pixels(cat) -> np.ndarray:
    return np.asarray(Image.open(cat).resize((80, 80)))


@pytest.mark.parametrize(("start", "length", "size"), [(0, 80, 40), (10, 60, 32), (7.5, 20, 48), (3, 77, 77)])
def test_resampling_is_that_of_pillow(pixels, start, length, size):
    box = ops.convert_to_tensor([float(start)]), ops.convert_to_tensor([float(length)])
    matrix = _numpy(_sampling_matrix(*box, 80, size))[0]
    ours = np.einsum("oh,hwc,pw->opc", matrix, pixels.astype(np.float32), matrix)
    box = (start, start, start + length, start + length)
    pillow = Image.fromarray(pixels).resize((size, size), Image.Resampling.BILINEAR, box=box)
    # Pillow rounds after each direction, and cuts the filter at the edge of the box, not the photo.
    inner = slice(2, -2)
    assert np.abs(ours - np.asarray(pillow, np.float32))[inner, inner].max() < 1.5


@pytest.mark.parametrize(("size", "most"), [(48, 1.5), (80, 1e-3)])
def test_a_whole_photo_is_reduced_as_pillow_does(pixels, size, most):
    ours = _numpy(RandomResizedCrop(size, (1, 1), (1, 1), mirror=False)(pixels[None], training=True))[0]
    pillow = Image.fromarray(pixels).resize((size, size), Image.Resampling.BILINEAR)
    assert np.abs(ours - np.asarray(pillow, np.float32)).max() < most


def test_mirrors_about_half(pixels):
    layer = RandomResizedCrop(80, scale=(1.0, 1.0), ratio=(1.0, 1.0))
    crops = _numpy(layer(np.repeat(pixels[None], 64, axis=0), training=True))
    plain = [np.allclose(crop, pixels, atol=1e-3) for crop in crops]
    mirrored = [np.allclose(crop, pixels[:, ::-1], atol=1e-3) for crop in crops]
    assert sum(plain) + sum(mirrored) == 64
    assert 16 < sum(mirrored) < 48


def test_crops_differ_in_range_and_cover_the_share_of_the_area_that_is_asked_for(pixels):
    crops = _numpy(RandomResizedCrop(32)(np.repeat(pixels[None], 8, axis=0), training=True))
    assert (crops.shape, crops.dtype) == ((8, 32, 32, 3), np.float32)
    assert crops.min() >= 0 and crops.max() <= 255.001
    assert len({crop.tobytes() for crop in crops}) == 8
    _, _, height, width, _ = map(_numpy, RandomResizedCrop(8, (0.2, 0.3))._boxes(500))
    assert [(height * width).min(), (height * width).max()] == pytest.approx([0.2, 0.3], abs=0.005)
    assert [(width / height).min(), (width / height).max()] == pytest.approx([3 / 4, 4 / 3], abs=0.01)


def test_jitter_changes_brightness_as_much_as_is_asked_for_and_colours_within_range(pixels):
    grey = np.full((500, 2, 2, 3), 100, np.float32)
    changed = _numpy(ColorJitter(0.2)(grey, training=True))
    assert [changed.min(), changed.max()] == pytest.approx([80, 120], abs=0.5)
    images = np.repeat(pixels[None].astype(np.float32), 4, axis=0)
    changed = _numpy(ColorJitter(0.3)(images, training=True))
    assert changed.min() >= 0 and changed.max() <= 255
    assert all(np.abs(a - b).mean() > 1 for a, b in zip(changed, images, strict=True))


def test_a_box_of_the_photo_at_the_other_end_is_pasted_in():
    values = np.array([10.0, 20.0, 30.0, 40.0], np.float32)
    images = np.broadcast_to(values[:, None, None, None], (4, 12, 20, 3))
    shares = np.array([[1.0], [0.75], [0.3], [0.0]], np.float32)
    mixed = _numpy(CutMix()(images, shares, training=True))
    np.testing.assert_array_equal(mixed[0], images[0])
    np.testing.assert_allclose(mixed[3], images[0], atol=1e-4)
    # As much of the area stays as the share says, also where a box ends inside a pixel.
    expected = shares[:, 0] * values + (1 - shares[:, 0]) * values[::-1]
    np.testing.assert_allclose(mixed.mean(axis=(1, 2, 3)), expected, rtol=1e-4)
    inside = mixed[1] == 30.0
    assert inside.sum() == pytest.approx(0.25 * inside.size, rel=0.4)


def test_boxes_lie_anywhere():
    images = np.stack([np.zeros((16, 16, 3)), np.ones((16, 16, 3))] * 200).astype(np.float32)
    mixed = _numpy(CutMix()(images, np.full((400, 1), 0.75, np.float32), training=True))
    pasted = np.abs(mixed - images).mean(axis=(0, 3))
    assert pasted.min() > 0
    assert pasted[4:12, 4:12].mean() > pasted[[0, 0, -1, -1], [0, -1, 0, -1]].mean()


@pytest.mark.parametrize("layer", [RandomResizedCrop, ColorJitter, CutMix])
def test_nothing_happens_outside_training(pixels, layer):
    images = np.stack([pixels, 255 - pixels]).astype(np.float32)
    shares = [np.zeros((2, 1), np.float32)] if layer is CutMix else []
    layer = layer(32) if layer is RandomResizedCrop else layer()
    np.testing.assert_array_equal(_numpy(layer(images, *shares, training=False)), images)


MAPS = np.random.default_rng(0).normal(size=(2, 6, 6, 5)).astype(np.float32)


@pytest.mark.parametrize("size", [(3, 2), (6, 6), (9, 12)])
def test_maps_are_resampled_as_keras_does(size):
    expected = ops.image.resize(MAPS, size, antialias=True, data_format="channels_last")
    np.testing.assert_allclose(_numpy(resampled(MAPS, *size)), _numpy(expected), atol=1e-5)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="XLA is TensorFlow's way to compile")
def test_resampling_can_be_compiled_as_for_a_gpu():
    import tensorflow as tf

    compiled = tf.function(lambda x: resampled(x, 3, 2), jit_compile=True)
    np.testing.assert_allclose(compiled(MAPS), resampled(MAPS, 3, 2), atol=1e-5)
