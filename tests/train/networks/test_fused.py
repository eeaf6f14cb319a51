"""Fused layers learn and answer as Keras's own do."""

import keras
import numpy as np
import pytest

from train.networks.fused import FusedBatchNormalization, FusedSeparableConv2D, fused
from train.networks.hardware import precision

PHOTOS = np.random.default_rng(0).normal(1, 3, (64, 6, 6, 3)).astype(np.float32)


def norms() -> keras.Model:
    """Norms of photos and of features, one of them in a model of its own."""
    pixels = keras.Input((6, 6, 3))
    x = keras.layers.Conv2D(4, 3, name="convolution")(pixels)
    x = keras.layers.BatchNormalization(momentum=0.9, name="norm")(x)
    inner = keras.Input((4, 4, 4))
    x = keras.Model(inner, keras.layers.BatchNormalization(scale=False, center=False)(inner), name="inner")(x)
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.ReLU()(x))
    return keras.Model(pixels, keras.layers.BatchNormalization(name="flat")(x))


def separable(**arguments) -> keras.Model:
    pixels = keras.Input((6, 6, 3))
    return keras.Model(pixels, keras.layers.SeparableConv2D(5, 3, **arguments)(pixels))


@pytest.mark.parametrize(
    ("network", "kind", "count"),
    [
        (norms, FusedBatchNormalization, 3),
        (lambda: separable(use_bias=False), FusedSeparableConv2D, 1),
        (lambda: separable(padding="same", activation="relu", depth_multiplier=2), FusedSeparableConv2D, 1),
        (lambda: separable(strides=2), FusedSeparableConv2D, 1),
    ],
)
def test_fused_layers_answer_and_learn_as_those_of_keras(network, kind, count):
    keras.utils.set_random_seed(0)
    plain = network()
    fast = fused(plain)
    assert [type(layer) for layer in fast._flatten_layers()].count(kind) == count
    assert fast.name == plain.name
    assert [layer.name for layer in fast.layers[1:]] == [layer.name for layer in plain.layers[1:]]
    for weight, same in zip(plain.get_weights(), fast.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, same)
    for training in (False, True):
        expected, outputs = (keras.ops.convert_to_numpy(m(PHOTOS, training=training)) for m in (plain, fast))
        np.testing.assert_allclose(outputs, expected, atol=2e-5)
    targets = np.random.default_rng(1).normal(size=plain.compute_output_shape(PHOTOS.shape)).astype(np.float32)
    for model in (plain, fast):
        model.compile(keras.optimizers.SGD(0.05), loss="mean_squared_error")
        model.fit(PHOTOS, targets, batch_size=32, epochs=2, shuffle=False, verbose=0)
    for expected, weight in zip(plain.get_weights(), fast.get_weights(), strict=True):
        # The variance of a sample is N / (N - 1) times that of Keras, here 512 / 511.
        np.testing.assert_allclose(weight, expected, rtol=2e-3, atol=2e-4)


def test_a_frozen_norm_keeps_its_statistics():
    fast = fused(norms())
    layer = fast.get_layer("norm")
    layer.trainable = False
    before = layer.get_weights()
    fast(PHOTOS, training=True)
    for weight, same in zip(before, layer.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, same)


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
