"""Fused layers learn and answer as Keras's own do."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from train.networks.fused import FusedBatchNormalization, FusedSeparableConv2D, fused
from train.networks.hardware import precision


def network() -> keras.Model:
    """Norms of photos and of features, one of them in a model of its own."""
    pixels = keras.Input((6, 6, 3))
    x = keras.layers.Conv2D(4, 3, name="convolution")(pixels)
    x = keras.layers.BatchNormalization(momentum=0.9, name="norm")(x)
    inner = keras.Input((4, 4, 4))
    x = keras.Model(inner, keras.layers.BatchNormalization(scale=False, center=False)(inner), name="inner")(x)
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.ReLU()(x))
    return keras.Model(pixels, keras.layers.BatchNormalization(name="flat")(x))


@pytest.fixture
def both() -> tuple[keras.Model, keras.Model]:
    keras.utils.set_random_seed(0)
    plain = network()
    return plain, fused(plain)


PHOTOS = np.random.default_rng(0).normal(1, 3, (64, 6, 6, 3)).astype(np.float32)


def test_every_batch_norm_is_replaced_and_weights_stay(both):
    plain, fast = both
    assert [type(layer) for layer in fast._flatten_layers()].count(FusedBatchNormalization) == 3
    assert fast.name == plain.name
    assert [layer.name for layer in fast.layers[1:]] == [layer.name for layer in plain.layers[1:]]
    for weight, same in zip(plain.get_weights(), fast.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, same)


@pytest.mark.parametrize("training", [False, True])
def test_answers_are_those_of_keras(both, training):
    expected, outputs = (keras.ops.convert_to_numpy(model(PHOTOS, training=training)) for model in both)
    np.testing.assert_allclose(outputs, expected, atol=2e-5)


def test_it_learns_as_keras_does(both):
    targets = np.random.default_rng(1).normal(size=(64, 4)).astype(np.float32)
    for model in both:
        model.compile(keras.optimizers.SGD(0.1), loss="mean_squared_error")
        model.fit(PHOTOS, targets, batch_size=32, epochs=2, shuffle=False, verbose=0)
    for expected, weight in zip(*(model.get_weights() for model in both), strict=True):
        # The variance of a sample is N / (N - 1) times that of Keras, here 512 / 511.
        np.testing.assert_allclose(weight, expected, rtol=2e-3, atol=2e-4)


def test_a_frozen_norm_keeps_its_statistics(both):
    _, fast = both
    layer = fast.get_layer("norm")
    layer.trainable = False
    before = layer.get_weights()
    fast(PHOTOS, training=True)
    for weight, same in zip(before, layer.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, same)


def separable(**arguments) -> keras.Model:
    pixels = keras.Input((6, 6, 3))
    return keras.Model(pixels, keras.layers.SeparableConv2D(5, 3, **arguments)(pixels))


@pytest.mark.parametrize(
    "arguments", [{"use_bias": False}, {"padding": "same", "activation": "relu", "depth_multiplier": 2}, {"strides": 2}]
)
def test_a_separable_convolution_learns_as_that_of_keras(arguments):
    keras.utils.set_random_seed(0)
    plain = separable(**arguments)
    fast = fused(plain)
    assert isinstance(fast.layers[-1], FusedSeparableConv2D)
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(fast(PHOTOS)), keras.ops.convert_to_numpy(plain(PHOTOS)), atol=2e-5
    )
    targets = np.random.default_rng(1).normal(size=plain.compute_output_shape(PHOTOS.shape)).astype(np.float32)
    for model in (plain, fast):
        model.compile(keras.optimizers.SGD(0.01), loss="mean_squared_error")
        model.fit(PHOTOS, targets, batch_size=32, epochs=2, shuffle=False, verbose=0)
    for expected, weight in zip(plain.get_weights(), fast.get_weights(), strict=True):
        np.testing.assert_allclose(weight, expected, atol=1e-5)


def test_norm_of_neighbours_side_by_side_is_that_of_keras_nearly():
    """Of eight channels two columns are taken together: each half of the places has statistics of its own."""
    pixels = keras.Input((6, 6, 8))
    plain = keras.Model(pixels, keras.layers.BatchNormalization(momentum=0.5)(pixels))
    fast = fused(plain)
    photos = np.random.default_rng(0).normal(1, 3, (256, 6, 6, 8)).astype(np.float32)
    photos[:, :, ::2] += 0.5  # columns that differ: their variance is more than the mean of both
    for training, difference in ((True, 0.2), (False, 0.01)):
        expected, outputs = (keras.ops.convert_to_numpy(model(photos, training=training)) for model in (plain, fast))
        np.testing.assert_allclose(outputs, expected, atol=difference)
    for expected, weight in zip(plain.get_weights(), fast.get_weights(), strict=True):
        np.testing.assert_allclose(weight, expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("channels", [8, 4])
def test_bfloat16_stays_bfloat16_and_statistics_float32(channels):
    keras.utils.set_random_seed(0)
    with precision("mixed_bfloat16"):
        pixels = keras.Input((6, 6, 3))
        x = keras.layers.SeparableConv2D(channels, 3, padding="same", use_bias=False)(pixels)
        plain = keras.Model(pixels, keras.layers.BatchNormalization()(x))
        fast = fused(plain)
        expected, outputs = (model(PHOTOS, training=True) for model in (plain, fast))
    assert keras.backend.standardize_dtype(outputs.dtype) == "bfloat16"
    assert {keras.backend.standardize_dtype(weight.dtype) for weight in fast.weights} == {"float32"}
    expected, outputs = (keras.ops.convert_to_numpy(keras.ops.cast(x, "float32")) for x in (expected, outputs))
    # Of eight channels, those of odd and even columns have their own statistics, each of half of the sample.
    assert np.abs(outputs - expected).mean() < (0.06 if channels == 8 else 0.03)
