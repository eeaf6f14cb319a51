"""Arithmetic between layers, as TensorFlow and Keras record `x / 127.5 - 1`, as layers of Keras that do the same."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

Ref = list  # [name of a layer, index of its call, index of its output]
Entry = dict[str, Any]  # a layer in the config of a functional model

OPERATION_LAYERS = ("TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer", "ClassMethod", "InstanceMethod")
NAMES = {
    "truediv": "divide", "realdiv": "divide", "truedivide": "divide", "divide": "divide", "div": "divide",
    "multiply": "multiply", "mul": "multiply", "add": "add", "addv2": "add", "bias_add": "add", "biasadd": "add",
    "subtract": "subtract", "sub": "subtract", "negative": "negative", "neg": "negative", "cast": "cast",
    "identity": "cast", "stop_gradient": "cast", "stopgradient": "cast",
}  # fmt: skip
MERGES = {"add": "Add", "multiply": "Multiply", "subtract": "Subtract"}
ACTIVATIONS = ("relu", "relu6", "sigmoid", "softmax", "tanh", "silu", "swish", "selu", "softplus", "softsign")


def is_operation(entry: Entry) -> bool:
    """Whether an entry is arithmetic rather than a layer. Keras 3 calls some of both by one name, such as Add, but its
    operations have no options.
    """
    if entry["class_name"] in OPERATION_LAYERS or ".ops." in (entry.get("module") or ""):
        return True
    return entry["config"].keys() <= {"name"} or entry["class_name"] == "Cast"


def operation_of(entry: Entry) -> str:
    """What an operation does, in the words of the file, such as `math.truediv`."""
    config = entry["config"]
    if "node_def" in config:
        node = config["node_def"]  # as a dictionary, or as text in one of two forms
        return str(node["op"]) if isinstance(node, dict) else "".join(re.findall(r'"?op"?: "(\w+)"', node)[:1])
    return str(config.get("function", entry["class_name"]))


def as_layer(entry: Entry) -> Entry | None:
    """The layer of Keras that does the same as an operation: Rescaling, Activation, or one that merges two; or None."""
    word = operation_of(entry).rpartition(".")[2].lower()
    name = word if word in ACTIVATIONS else NAMES.get(word)
    if name is None or len(entry["inbound_nodes"]) != 1 or (name == "cast" and _rounds(entry)):
        return None
    operands = [*map(_plain, _operands(entry))]
    refs = [value for value in operands if is_ref(value)]
    if len(refs) == 2 == len(operands) and name in MERGES:
        return _entry(entry, MERGES[name], {}, refs)
    if name in ACTIVATIONS:
        axis = _called_with(entry).get("axis", entry["config"].get("axis"))
        usual = len(refs) == 1 == len(operands) and axis in (None, -1)
        return _entry(entry, "Activation", {"activation": name}, refs) if usual else None
    affine = _affine(name, operands) if len(refs) == 1 else None
    return affine and _entry(entry, "Rescaling", dict(zip(("scale", "offset"), affine, strict=True)), refs)


def _called_with(entry: Entry) -> dict[str, Any]:
    """The options of an operation's only call."""
    (node,) = entry["inbound_nodes"]
    if isinstance(node, dict):
        return node["kwargs"]
    return node[3] if len(node) > 3 and isinstance(node[3], dict) else {}


def _rounds(entry: Entry) -> bool:
    """Whether a cast goes to whole numbers."""
    config = entry["config"]
    kinds = [config.get("dtype"), _called_with(entry).get("dtype")]
    kinds += re.findall(r"DstT\W.*?DT_(\w+)", str(config.get("node_def", "")), re.DOTALL)
    return any(re.search("int|bool", str(kind).lower()) for kind in kinds)


def is_ref(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) in (3, 4)
        and isinstance(value[0], str)
        and all(isinstance(index, int) for index in value[1:3])
        and value[0] != "_CONSTANT_VALUE"
    )


def _entry(entry: Entry, kind: str, config: dict[str, Any], refs: Sequence[Ref]) -> Entry:
    name = entry["name"]
    nodes = [[[*ref[:3], {}] for ref in refs]]
    return {"class_name": kind, "name": name, "config": {"name": name, **config}, "inbound_nodes": nodes}


def _operands(entry: Entry) -> list[Any]:
    """References and constants that an operation takes, in order."""
    (node,) = entry["inbound_nodes"]
    if isinstance(node, dict):  # Keras 3
        named = [value for key, value in node["kwargs"].items() if key in ("x", "x1", "x2", "y")]
        return [*node["args"], *named]
    if isinstance(node[0], list):  # TensorFlow 2.0 to 2.3
        operands = [ref[:3] for ref in node]
        for place, value in sorted((entry["config"].get("constants") or {}).items()):
            operands.insert(int(place), value)
        return operands
    named = [value for key, value in node[3].items() if key in ("y", "bias", "x")]
    return [node[2] if node[0] == "_CONSTANT_VALUE" else node[:3], *named]


def _plain(value: Any) -> Any:
    """A reference, a number or a list of numbers for the channels, however it is wrapped."""
    if isinstance(value, dict):
        config = value.get("config")
        if value.get("class_name") == "__keras_tensor__":
            return list(config["keras_history"])
        value = config.get("value") if isinstance(config, dict) else None
    while isinstance(value, list) and len(value) == 1 and isinstance(value[0], list):  # (1, 1, 1, 3)
        (value,) = value
    return value


def _affine(name: str, operands: list[Any]) -> tuple[Any, Any] | None:
    """Scale and offset of an operation on one tensor; None where it has none."""
    if len(operands) == 1:
        return {"cast": (1.0, 0.0), "negative": (-1.0, 0.0)}.get(name)
    if len(operands) != 2:
        return None
    first = is_ref(operands[0])
    value = operands[1] if first else operands[0]
    if not (_is_number(value) or (isinstance(value, list) and value and all(map(_is_number, value)))):
        return None
    match name:
        case "divide" if first and value and 0 not in (value if isinstance(value, list) else [value]):
            return _each(lambda x: 1 / x, value), 0.0
        case "multiply":
            return value, 0.0
        case "add":
            return 1.0, value
        case "subtract":
            return (1.0, _each(lambda x: -x, value)) if first else (-1.0, value)
    return None


def _each(change: Any, value: Any) -> Any:
    return [change(x) for x in value] if isinstance(value, list) else change(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
