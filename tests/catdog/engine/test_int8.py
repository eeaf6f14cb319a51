"""What is quantized of a model, what stays as it is, and that it still says the same."""

from __future__ import annotations

import numpy as np
import pytest

from catdog.engine.int8 import quantized
from catdog.engine.openvino_engine import import_openvino

openvino = import_openvino()
from openvino import opset13 as ops  # noqa: E402 - not before its telemetry is put away

SIZE = 12
PHOTOS = np.random.default_rng(1).uniform(0, 255, (6, SIZE, SIZE, 3)).astype(np.float32)


def weights(*shape: int) -> object:
    values = np.random.default_rng(sum(shape)).normal(size=shape) / np.sqrt(np.prod(shape[-3:]))
    return ops.constant(values.astype(np.float32))


def convolution(value, kernel, name: str):
    """3x3 or 1x1, of all channels; of each alone where the kernel has five axes."""
    kind = ops.group_convolution if len(kernel.get_output_shape(0)) == 5 else ops.convolution
    side = kernel.get_output_shape(0)[-1] // 2
    node = kind(value, kernel, [1, 1], [side, side], [side, side], [1, 1])
    node.set_friendly_name(name)
    return node


def separable(*, signed: bool = False):
    """Stem, a depthwise layer after it, four layers of which two share their input, and two last ones."""
    pixels = ops.parameter([-1, SIZE, SIZE, 3], np.float32, name="pixels")
    value = ops.multiply(ops.transpose(pixels, [0, 3, 1, 2]), np.float32(1 / 255))
    value = ops.relu(convolution(value, weights(8, 3, 3, 3), "stem"))
    value = ops.relu(convolution(value, weights(8, 1, 1, 3, 3), "stem depthwise"))
    value = ops.add(value, np.float32(-0.2)) if signed else value
    value = ops.add(convolution(value, weights(8, 8, 1, 1), "left"), convolution(value, weights(8, 8, 3, 3), "right"))
    value = convolution(ops.relu(value), weights(8, 1, 1, 3, 3), "middle")
    value = ops.relu(convolution(value, weights(8, 8, 1, 1), "inner"))
    value = convolution(value, weights(8, 1, 1, 3, 3), "last depthwise")
    value = ops.relu(convolution(value, weights(8, 8, 1, 1), "last"))
    value = ops.sigmoid(ops.reduce_mean(value, np.array([2, 3]), False))
    return openvino.Model([ops.result(value)], [pixels])


def layers(model) -> dict[str, object]:
    return {node.get_friendly_name(): node for node in model.get_ordered_ops() if "Convolution" in node.get_type_name()}


def input_of(layer):
    return layer.input_value(0).get_node()


def answers(model) -> np.ndarray:
    compiled = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return compiled([PHOTOS])[0]


def test_all_but_the_first_and_the_last_layers_are_quantized():
    found = layers(quantized(separable(), PHOTOS))
    rounded = {name for name, layer in found.items() if input_of(layer).get_type_name() == "FakeQuantize"}
    assert rounded == {"left", "right", "middle", "inner"}
    for name, layer in found.items():
        kind = layer.input_value(1).get_node().get_type_name()
        assert kind == ("Multiply" if name in rounded else "Constant")
    shared = [input_of(found[name]).get_friendly_name() for name in ("left", "right")]  # of layers with the same input
    assert shared[0] == shared[1]


@pytest.mark.parametrize("signed", [False, True])
def test_answers_stay_nearly_the_same(signed):
    model = separable(signed=signed)
    before = answers(model)
    after = answers(quantized(model, PHOTOS))
    assert before.std() > 0.005  # photos differ by more than this
    assert 0 < np.abs(after - before).max() < 0.005
    np.testing.assert_array_equal(answers(model), before)  # the model itself is left alone


@pytest.mark.parametrize(("signed", "low"), [(False, 0.0), (True, -128 / 127)])
def test_zero_stays_zero_and_nothing_usual_is_cut_off(signed, low):
    model = separable(signed=signed)
    found = layers(quantized(model, PHOTOS))
    rounding = input_of(found["left"])
    least, most = (float(rounding.input_value(i).get_node().get_data().item()) for i in (1, 2))
    assert rounding.get_attributes()["levels"] == 256
    assert least == pytest.approx(low * most)
    seen = model.clone()
    seen.add_results([ops.result(layers(seen)["left"].input_value(0))])
    values = openvino.Core().compile_model(seen, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})([PHOTOS])[1]
    assert values.max() <= most < 3 * values.max() and values.min() >= least


@pytest.mark.parametrize("name", ["right", "middle"])
def test_weights_are_whole_numbers_times_a_step_of_each_channel(name):
    model = separable()
    before = layers(model)[name].input_value(1).get_node().get_data()
    product = layers(quantized(model, PHOTOS))[name].input_value(1).get_node()
    whole = product.input_value(0).get_node().input_value(0).get_node().get_data()
    step = product.input_value(1).get_node().get_data()
    assert whole.dtype == np.int8 and step.shape == (8,) + (1,) * (before.ndim - 1)
    assert (np.abs(whole).reshape(8, -1).max(axis=1) == 127).all()
    assert (np.abs(whole * step - before) <= step / 2 * 1.001).all()


def test_channels_without_weights_and_inputs_without_values_do_no_harm():
    pixels = ops.parameter([-1, SIZE, SIZE, 3], np.float32)
    value = ops.transpose(pixels, [0, 3, 1, 2])
    for channels in (3, 4, 4):
        zero = ops.constant(np.zeros((4, channels, 1, 1), np.float32))
        value = ops.relu(convolution(value, zero, f"{channels}"))
    model = openvino.Model([ops.result(ops.reduce_mean(value, np.array([2, 3]), False))], [pixels])
    np.testing.assert_array_equal(answers(quantized(model, PHOTOS)), np.zeros((6, 4)))


def test_names_may_be_given_twice():
    expected = answers(quantized(separable(), PHOTOS))
    model = separable()
    for node in model.get_ordered_ops():
        node.set_friendly_name("the same")
    np.testing.assert_array_equal(answers(quantized(model, PHOTOS)), expected)


def test_a_model_without_convolutions_has_nothing_to_quantize():
    pixels = ops.parameter([-1, SIZE, SIZE, 3], np.float32)
    mean = ops.reduce_mean(pixels, np.array([1, 2]), False)
    assert quantized(openvino.Model([ops.result(mean)], [pixels]), PHOTOS) is None
