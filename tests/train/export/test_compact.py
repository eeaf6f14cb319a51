"""Weights in fewer bits: how many an array gets, and how far they are from what they were."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from train.export.compact import LADDER, MOST_BITS, USUAL, compact
from train.export.layer_inputs import factors
from train.export.onnx_engine import OnnxEngine

SHAPE = (64, 80)
EIGHT = 8 + np.log2(SHAPE[0] * SHAPE[1] / USUAL) / 2  # with which an array of this shape gets 8 bits
FLOAT16 = TensorProto.FLOAT16


@pytest.fixture
def model() -> onnx.ModelProto:
    """Probabilities that are a row of `weights`, whose columns differ in size, plus a bias."""
    weights = np.random.default_rng(0).normal(size=SHAPE) * np.logspace(-3, 0, SHAPE[1])
    arrays = {"weights": weights.astype(np.float32), "bias": np.ones(SHAPE[1], np.float32)}
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["pixels", "weights"], ["product"]),
            helper.make_node("Add", ["product", "bias"], ["probabilities"]),
        ],
        "test",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["photos", SHAPE[0]])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["photos", SHAPE[1]])],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize(
    ("bits", "parts", "tolerance"), [(EIGHT, ("small",), 1 / 127), (MOST_BITS, ("high", "low"), 1 / 4095)]
)
def test_large_arrays_are_kept_small_and_computed_in_float32(model, bits, parts, tolerance):
    small = compact(model, bits)
    kept = {tensor.name: numpy_helper.to_array(tensor) for tensor in small.graph.initializer}
    assert all(kept[f"weights.{part}"].itemsize == 1 for part in parts)
    assert kept["bias"].dtype == np.float32
    rows = np.eye(SHAPE[0], dtype=np.float32)
    expected, found = (OnnxEngine(one)(rows).probabilities - 1 for one in (model, small))
    assert np.all(np.abs(found - expected) <= tolerance * np.abs(expected).max(axis=0) + 1e-6)
    shift = np.abs((found - expected).mean(axis=0))  # less than rounding each number by itself would leave
    assert np.all(shift <= tolerance * np.abs(expected).max(axis=0) / SHAPE[0] + 1e-6)
    assert len(small.SerializeToString()) < len(model.SerializeToString()) * (0.2 + 0.25 * len(parts))
    assert "weights" in [tensor.name for tensor in model.graph.initializer]


def test_arrays_of_four_times_as_many_numbers_get_a_bit_less(model):
    largest = []
    for rows in (SHAPE[0], 4 * SHAPE[0]):
        weights = np.random.default_rng(0).normal(size=(rows, SHAPE[1])).astype(np.float32)
        model.graph.initializer[0].CopyFrom(numpy_helper.from_array(weights, "weights"))
        model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = rows
        kept = {tensor.name: numpy_helper.to_array(tensor) for tensor in compact(model, EIGHT).graph.initializer}
        largest.append(np.abs(kept["weights.small"]).max())
    assert largest == [127, 63]


@pytest.mark.parametrize("bits", [EIGHT, EIGHT + 1])
def test_errors_make_up_for_each_other_on_inputs_like_those_that_were_seen(bits):
    """A convolution of 64 channels that vary together, as those of a network do."""
    random = np.random.default_rng(0)
    mixed = random.normal(size=(8, SHAPE[0])).astype(np.float32)
    seen, new = (random.normal(size=(4, 100, 8)).astype(np.float32) @ mixed + 1 for _ in range(2))
    seen, new = (np.moveaxis(places, 2, 1)[..., None] for places in (seen, new))  # (photos, channels, places, 1)
    weights = random.normal(size=(SHAPE[1], SHAPE[0], 1, 1)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["pixels", "weights"], ["product"]),
            helper.make_node("Flatten", ["product"], ["probabilities"]),
        ],
        "test",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["photos", SHAPE[0], 100, 1])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["photos", SHAPE[1] * 100])],
        [numpy_helper.from_array(weights, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    known = factors(model, [seen])
    assert {name: factor.shape for name, factor in known.items()} == {"weights": (SHAPE[0], SHAPE[0])}
    exact = OnnxEngine(model)(new).probabilities
    alone, together = (
        np.abs(OnnxEngine(compact(model, bits, factors=given))(new).probabilities - exact).mean()
        for given in ({}, known)
    )
    assert 0 < together < 0.9 * alone


def test_each_step_of_the_ladder_is_as_near_as_the_one_before_or_nearer_and_the_last_one_loses_nothing(model):
    exact = numpy_helper.to_array(model.graph.initializer[0])
    errors = []
    for bits in LADDER:
        found = OnnxEngine(compact(model, bits))(np.eye(SHAPE[0], dtype=np.float32)).probabilities - 1
        errors.append(float(np.square(found - exact).mean()))
    assert errors == sorted(errors, reverse=True)
    assert errors[0] > 50 * errors[-2] and errors[-1] < 1e-12


def test_weights_of_few_bits_stay_exact_though_a_normalisation_was_multiplied_into_them(model):
    """As those of the shipped models: 11 significant bits, some too small for float16."""
    random = np.random.default_rng(0)
    kernel = random.normal(size=SHAPE).astype(np.float16).astype(np.float32) * np.float32(2.0**-18)
    factors = random.normal(size=(SHAPE[0], 1)).astype(np.float32)
    for weights, kernels in ((kernel, ()), (kernel * factors, (kernel,))):
        model.graph.initializer[0].CopyFrom(numpy_helper.from_array(weights, "weights"))
        small = compact(model, None, kernels)
        assert {tensor.name: tensor.data_type for tensor in small.graph.initializer}["weights.small"] == FLOAT16
        rows = np.eye(SHAPE[0], dtype=np.float32) * 2**18
        expected, found = (OnnxEngine(one)(rows).probabilities - 1 for one in (model, small))
        np.testing.assert_allclose(found, expected, atol=1e-5)
    noise = random.normal(size=SHAPE).astype(np.float32)
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(noise, "weights"))
    assert compact(model, None).graph.initializer[0] == model.graph.initializer[0]
