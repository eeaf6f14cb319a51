"""What the outputs of a model are: probabilities, logits, or neither."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from catdog.keras_file.refusals import refused

if TYPE_CHECKING:
    import keras

# Layers that move numbers or take means: probabilities stay probabilities, and logits stay logits. Concatenate keeps
# sigmoids only, as several softmaxes side by side do not add up to 1.
PASSING = ("Flatten", "Reshape", "Dropout", "Identity", "GlobalAveragePooling2D", "Average", "Concatenate")


def with_probabilities(
    model: keras.Model, name: str, loss: Any = None, *, logits: bool = False, sigmoids: bool = False
) -> keras.Model:
    """The model, of one input, if it returns probabilities; else with a sigmoid or softmax after its logits.

    loss      that it was trained with, as its file has it
    logits    whether linear outputs are logits, even if the loss does not say so
    sigmoids  whether several sigmoids are accepted; they need not add up to 1

    Raises Refused for every other head, because its numbers would be taken for probabilities.
    """
    count = _count_of_outputs(model, name)
    match head_of(model.outputs[0]):
        case "softmax" if count == 1:
            raise refused("one_softmax_output", name)
        case "softmax":
            return model
        case "sigmoid" if count == 1 or sigmoids:
            return model
        case "sigmoid":
            raise refused("several_sigmoids", name, count=count)
        case "linear" if logits or _are_logits(loss):
            binary = count == 1 or "binary" in str(_alone(loss)).lower()  # it asks about each output by itself
            return with_probabilities(_activated(model, "sigmoid" if binary else "softmax"), name, sigmoids=sigmoids)
        case "linear":
            raise refused("linear_head", name)
        case other:
            raise refused("unknown_head", name, kind=other)


def head_of(tensor: keras.KerasTensor) -> str:
    """The name of the activation that made the output of a model, or of the layer if that has none."""
    import keras

    layer, call, place = tensor._keras_history
    if isinstance(layer, keras.Model):
        return head_of(layer.outputs[place])
    own = activation_of(layer)
    given = {head_of(each) for each in layer._inbound_nodes[call].input_tensors} if own in PASSING else ()
    if len(given) == 1 and (own != "Concatenate" or "sigmoid" in given):
        return given.pop()
    return own


def activation_of(layer: keras.layers.Layer) -> str:
    """The name of its activation, or of its class where it has none."""
    import keras

    if type(layer) is keras.layers.ReLU and (layer.max_value, layer.negative_slope, layer.threshold) == (None, 0, 0):
        return "relu"
    activation = getattr(layer, "activation", layer)
    if isinstance(activation, keras.layers.Softmax):
        return "softmax"
    return getattr(activation, "__name__", type(activation).__name__)


def made_by(tensor: keras.KerasTensor) -> keras.layers.Layer:
    """The layer, or the model used as a layer, that made a tensor."""
    return tensor._keras_history.operation


def seen_by(tensor: keras.KerasTensor) -> keras.KerasTensor:
    """The input from which a layer made this tensor.

    `layer.input` may be another one: a Sequential calls its layers again when it grows.
    """
    layer, call, _ = tensor._keras_history
    return layer._inbound_nodes[call].input_tensors[0]


def through(model: keras.Model, inputs: Any, operation: Callable[[Any], Callable[..., Any]]) -> Any:
    """Run what `operation` makes of each layer of a model in its place, in the order of the layers."""
    import keras

    return (model._functional if isinstance(model, keras.Sequential) else model)._run_through_graph(inputs, operation)


def _are_logits(loss: Any) -> bool:
    """Whether the config of a loss says that it takes logits."""
    loss = _alone(loss)
    config = loss.get("config") if isinstance(loss, dict) else None
    return isinstance(config, dict) and config.get("from_logits") is True


def _alone(loss: Any) -> Any:
    """The loss of the only output, out of a list, or of a dictionary with the output's name."""
    while isinstance(loss, list | tuple | dict) and len(loss) == 1:
        (loss,) = loss.values() if isinstance(loss, dict) else loss
    return loss


def _count_of_outputs(model: keras.Model, name: str) -> int:
    if len(model.outputs) != 1:
        raise refused("several_outputs", name, count=len(model.outputs))
    shape = tuple(model.outputs[0].shape)
    if len(shape) != 2 or shape[1] is None:
        raise refused("unknown_head", name, kind=f"an output of shape {shape}")
    return shape[1]


def _activated(model: keras.Model, activation: str) -> keras.Model:
    import keras

    (photo,) = model.inputs  # not in a list, or Keras would want a list of photos
    return keras.Model(photo, keras.layers.Activation(activation, name="probabilities")(model.outputs[0]))
