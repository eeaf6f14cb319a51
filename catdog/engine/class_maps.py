"""Class activation maps of a network, as a further output of its layers."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import layers, ops

from catdog.keras_file.head import activation_of, made_by, seen_by, through

Tensor = keras.KerasTensor

MOST_WEIGHTS = 2**24  # of a layer after Flatten, which are kept a second time for its map


def with_maps(model: keras.Model) -> keras.Model:
    """A model of the same layers with the outputs `probabilities` and, if its last layers allow them, `maps`."""
    photo = model.inputs[0]
    photos = [keras.Input(photo.shape[1:], dtype=photo.dtype, name=photo.name)]  # as OpenVINO gives them
    (last,) = keras.tree.flatten(through(model, photos, _without_models))
    outputs, maps = {"probabilities": last}, None
    if isinstance(made_by(last), layers.Activation | layers.Softmax):
        last = seen_by(last)
        maps = _at_places(last)
    elif isinstance(made_by(last), layers.Dense):
        maps = _dense_at_places(last)
    if maps is not None and tuple(maps.shape[1:3]) != (1, 1):  # one cell would say nothing of places
        outputs["maps"] = maps
    _name_apart(list(outputs.values()))
    return keras.Model(photos, outputs)


def _name_apart(tensors: list[Tensor]) -> None:
    """Rename layers of equal names, which Keras refuses: an added layer may have the name of one in the file."""
    called, names = set(), {}
    while tensors:
        layer, call, _ = tensors.pop()._keras_history
        if (id(layer), call) not in called:
            called.add((id(layer), call))
            while names.setdefault(layer.name, layer) is not layer:
                layer.name += "_"
            tensors += layer._inbound_nodes[call].input_tensors


def _without_models(layer: Any) -> Any:
    """A layer, or in the place of a model what calls its layers one by one."""
    return (lambda photos, **_: through(layer, photos, _without_models)) if isinstance(layer, keras.Model) else layer


def _before_dropout(tensor: Tensor) -> Tensor:
    while isinstance(made_by(tensor), layers.Dropout | layers.Identity):
        tensor = seen_by(tensor)
    return tensor


def _at_places(tensor: Tensor) -> Tensor | None:
    """What each place of the last map of the network adds to a tensor (N, F), whose mean this is: (N, h, w, F).

    None if that cannot be computed. For the output of global average pooling it is the map itself, so for the logits it
    is the class activation map (Zhou et al. 2016). Dense layers that follow are applied to each place. A ReLU passes at
    every place the units that it passes for the mean: for this photo the layers are then linear, as in Grad-CAM
    (Selvaraju et al. 2017).
    """
    tensor = _before_dropout(tensor)
    layer = made_by(tensor)
    pools_all = isinstance(layer, layers.AveragePooling2D) and layer.pool_size == tuple(seen_by(tensor).shape[1:3])
    if pools_all or isinstance(layer, layers.GlobalAveragePooling2D):
        return seen_by(tensor) if layer.data_format == "channels_last" else None
    if isinstance(layer, layers.Flatten) and math.prod(seen_by(tensor).shape[1:-1]) == 1:
        return _at_places(seen_by(tensor))
    if isinstance(layer, layers.Dense):
        return _activated(activation_of(layer), tensor, _dense_at_places(tensor))
    if isinstance(layer, layers.Activation | layers.ReLU):
        return _activated(activation_of(layer), tensor, _at_places(seen_by(tensor)))
    if isinstance(layer, layers.BatchNormalization) and layer.axis in (-1, len(tensor.shape) - 1):
        places = _at_places(seen_by(tensor))
        same = layers.BatchNormalization(epsilon=layer.epsilon, center=layer.center, scale=layer.scale)
        return None if places is None else _with_weights(same, layer.get_weights(), places)
    return None


def _dense_at_places(tensor: Tensor) -> Tensor | None:
    """As `_at_places`, for what a Dense layer makes before its activation."""
    dense, seen = made_by(tensor), _before_dropout(seen_by(tensor))
    bias = [dense.bias] if dense.use_bias else []
    places = _at_places(seen)
    if places is not None:
        same = layers.Dense(dense.units, use_bias=dense.use_bias)
        return _with_weights(same, [dense.kernel, *bias], places)
    if not isinstance(made_by(seen), layers.Flatten) or math.prod(dense.kernel.shape) > MOST_WEIGHTS:
        return None
    places = seen_by(seen)
    if len(places.shape) != 4 or isinstance(made_by(places), layers.Permute | layers.Reshape):  # no rows and columns
        return None
    _, height, width, channels = places.shape
    own = layers.EinsumDense(  # each place has weights of its own
        "nhwc,hwcf->nhwf", (height, width, dense.units), bias_axes="f" if dense.use_bias else None
    )
    kernel = dense.kernel.numpy().reshape(height, width, channels, dense.units) * height * width
    return _with_weights(own, [kernel, *bias], places)


def _with_weights(layer: Any, weights: list, tensor: Tensor) -> Tensor:
    made = layer(tensor)
    layer.set_weights(weights)
    return made


def _activated(activation: str, tensor: Tensor, places: Tensor | None) -> Tensor | None:
    """What each place adds after an activation that made `tensor`; None for one that is not linear for this photo."""
    if places is None or activation == "linear":
        return places
    if activation != "relu":
        return None
    passes = ops.cast(ops.greater(tensor, 0), "float32")
    return layers.Multiply()([places, layers.Reshape((1, 1, places.shape[-1]))(passes)])
