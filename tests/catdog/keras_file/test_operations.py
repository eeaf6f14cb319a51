"""Arithmetic that Keras 2 and TensorFlow recorded, entry by entry."""

from __future__ import annotations

import pytest

from catdog.keras_file.operations import as_layer


def entry(kind, nodes, **config):
    return {"class_name": kind, "name": "op", "config": {"name": "op"} | config, "inbound_nodes": nodes}


def lambda_(function, **kwargs):
    return entry("TFOpLambda", [["x", 0, 0, kwargs]], function=function)


def early(op, constants, count=1):
    """As TensorFlow 2.0 to 2.3 wrote it."""
    return entry("TensorFlowOpLayer", [[["x", 0, 0, {}]] * count], node_def={"op": op}, constants=constants)


@pytest.mark.parametrize(
    ("given", "scale", "offset"),
    [
        (lambda_("math.truediv", y=127.5, name=None), 1 / 127.5, 0.0),
        (lambda_("math.subtract", y=1), 1.0, -1),
        (lambda_("math.multiply", y=2), 2, 0.0),
        (lambda_("__operators__.add", y=3), 1.0, 3),
        (lambda_("nn.bias_add", bias=[1, 2, 3]), 1.0, [1, 2, 3]),
        (lambda_("cast", dtype="float32"), 1.0, 0.0),
        (lambda_("math.negative"), -1.0, 0.0),
        (entry("TFOpLambda", [["_CONSTANT_VALUE", -1, 1, {"y": ["x", 0, 0]}]], function="math.subtract"), -1.0, 1),
        (early("RealDiv", {"1": 255.0}), 1 / 255, 0.0),
        (early("Sub", {"0": 1.0}), -1.0, 1.0),
        (early("AddV2", {1: 2.0}), 1.0, 2.0),
    ],
)
def test_an_operation_with_a_constant_is_a_rescaling(given, scale, offset):
    layer = as_layer(given)
    assert (layer["class_name"], layer["name"]) == ("Rescaling", "op")
    assert (layer["config"]["scale"], layer["config"]["offset"]) == (scale, offset)
    assert layer["inbound_nodes"] == [[["x", 0, 0, {}]]]


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        (lambda_("nn.softmax", axis=-1), "softmax"),
        (early("Relu", {}), "relu"),
        (entry("Sigmoid", [{"args": [["x", 0, 0]], "kwargs": {}}]), "sigmoid"),
    ],
)
def test_an_operation_may_be_an_activation(given, kind):
    assert (as_layer(given)["class_name"], as_layer(given)["config"]["activation"]) == ("Activation", kind)


def test_operations_on_two_tensors_are_layers_that_merge():
    assert as_layer(lambda_("math.multiply", y=["y", 0, 0]))["inbound_nodes"] == [[["x", 0, 0, {}], ["y", 0, 0, {}]]]
    assert as_layer(early("AddV2", {}, count=2))["class_name"] == "Add"


@pytest.mark.parametrize(
    "given",
    [
        lambda_("math.truediv", y=0),
        lambda_("math.truediv", y=["y", 0, 0]),
        lambda_("math.pow", y=2),
        lambda_("nn.softmax", axis=1),
        lambda_("math.add", y=[[1, 2], [3, 4]]),
        lambda_("reshape", shape=[2, 3]),
        lambda_("cast", dtype="uint8"),
        entry("Cast", [{"args": [["x", 0, 0]], "kwargs": {}}], dtype="int32"),
        early("Cast", {}) | {"config": {"node_def": 'op: "Cast" attr { key: "DstT" value { type: DT_UINT8 } }'}},
        entry("SlicingOpLambda", [["x", 0, 0, {"slice_spec": []}]], function="__operators__.getitem"),
        entry("TensorFlowOpLayer", [[["x", 0, 0, {}]]], node_def='name: "a"\nop: "Mean"\n', constants={}),
    ],
)
def test_others_have_no_layer(given):
    assert as_layer(given) is None
