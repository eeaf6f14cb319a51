"""Networks whose batch norm keeps its statistics answer as before, and learn what they should."""

import keras
import numpy as np
import pytest

from train.networks.hardware import precision
from train.networks.settled import settled

PHOTOS = np.random.default_rng(0).normal(1, 3, (64, 6, 6, 3)).astype(np.float32)


def depthwise_network() -> keras.Model:
    """Convolutions with a norm behind each, one of each channel by itself, and one without a norm."""
    pixels = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(pixels)
    x = keras.layers.ReLU(6.0)(keras.layers.BatchNormalization(name="first")(x))
    x = keras.layers.DepthwiseConv2D(3, padding="same", use_bias=False, name="depthwise")(x)
    x = keras.layers.BatchNormalization(scale=True, name="second")(x)
    x = keras.layers.Conv2D(4, 1, name="plain")(x)
    return keras.Model(pixels, keras.layers.GlobalAveragePooling2D()(x), name="network")


@pytest.fixture
def unsettled() -> keras.Model:
    """The same with norms that have seen something."""
    keras.utils.set_random_seed(0)
    network, random = depthwise_network(), np.random.default_rng(0)
    network.set_weights([random.uniform(0.2, 1, weight.shape) for weight in network.get_weights()])
    return network


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_a_settled_network_answers_as_before(unsettled, policy):
    with precision(policy) as used:
        copy = settled(unsettled)
    assert (used, keras.config.dtype_policy().name) == (policy, "float32")  # as before the block
    expected = unsettled.predict_on_batch(PHOTOS)
    outputs = keras.ops.convert_to_numpy(keras.ops.cast(copy(PHOTOS), "float32"))
    np.testing.assert_allclose(outputs, expected, rtol=1e-5 if policy == "float32" else 0.05)
    for weight, same in zip(unsettled.get_weights(), copy.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, same)


def assert_answers_as_before(network: keras.Model) -> None:
    random = np.random.default_rng(0)
    network.set_weights([random.uniform(0.2, 1, weight.shape) for weight in network.get_weights()])
    found, expected = (keras.tree.flatten(answer(PHOTOS)) for answer in (settled(network), network.predict_on_batch))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("scale", [True, False])
def test_branches_beside_each_other_and_norms_without_a_scale_may_not_be_folded_but_answer_as_before(scale):
    pixels = keras.Input((None, None, 3))
    branches = [keras.layers.Conv2D(3, 1, use_bias=False)(pixels) for _ in range(2)]
    norms = [keras.layers.BatchNormalization(scale=scale)(branch) for branch in branches]
    assert_answers_as_before(keras.Model(pixels, keras.layers.Add()(norms)))


@pytest.mark.parametrize(
    "beside",
    [
        lambda taken, norm, before, convolution: taken,
        lambda taken, norm, before, convolution: keras.layers.Rescaling(-1.0)(taken),
        lambda taken, norm, before, convolution: keras.ops.negative(taken),
        lambda taken, norm, before, convolution: before(taken),
        lambda taken, norm, before, convolution: convolution(norm),
    ],
)
def test_a_convolution_that_more_than_a_norm_takes_is_left_alone(beside):
    before, convolution = keras.layers.Rescaling(-1.0), keras.layers.Conv2D(3, 1, use_bias=False)
    pixels = keras.Input((None, None, 3))
    taken = convolution(before(pixels))
    norm = keras.layers.BatchNormalization()(taken)
    assert_answers_as_before(keras.Model(pixels, [norm, beside(taken, norm, before, convolution)]))


@pytest.mark.parametrize(
    "convolution",
    [
        keras.layers.Conv2D(6, 3, dilation_rate=2, use_bias=False),
        keras.layers.DepthwiseConv2D(3, dilation_rate=2, depth_multiplier=2, use_bias=False),
    ],
)
@pytest.mark.parametrize("axis", [-1, 1])
def test_unusual_convolutions_and_norms_answer_as_before(convolution, axis):
    pixels = keras.Input((6, 6, 3))
    copy = type(convolution).from_config(convolution.get_config())
    assert_answers_as_before(keras.Model(pixels, keras.layers.BatchNormalization(axis=axis)(copy(pixels))))


def test_while_it_learns_norms_in_convolutions_keep_statistics_and_depthwise_kernels_stay(unsettled):
    copy = settled(unsettled)
    copy.compile(keras.optimizers.SGD(0.01), loss="mean_squared_error")
    copy.fit(PHOTOS, np.zeros((64, 4), np.float32), epochs=1, verbose=0)
    before = dict(zip([weight.path for weight in unsettled.weights], unsettled.get_weights(), strict=True))
    changed = {
        path: not np.array_equal(weight, after)
        for (path, weight), after in zip(before.items(), copy.get_weights(), strict=True)
    }
    kept = {name for name, moved in changed.items() if not moved}
    assert {"depthwise/kernel", "second/gamma"} <= kept
    assert {name for name in kept if name.startswith(("first", "second"))} == {
        "first/moving_mean", "first/moving_variance", "second/gamma", "second/moving_mean", "second/moving_variance",
    }  # fmt: skip
    # What was learned fits the network as it is built for serving.
    unsettled.set_weights(copy.get_weights())
    np.testing.assert_allclose(unsettled.predict_on_batch(PHOTOS), copy.predict_on_batch(PHOTOS), rtol=1e-4)
