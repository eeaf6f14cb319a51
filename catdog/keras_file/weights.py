"""The arrays of a `.h5` -> the weights of a model that was built from its config."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import h5py
import numpy as np

from catdog.keras_file.hdf5 import strings
from catdog.keras_file.modernise import usable_name
from catdog.keras_file.refusals import refused

if TYPE_CHECKING:
    import keras

RANDOM_STATE = ("StateVar", "seed_generator_state")  # of augmentations


def load_legacy_weights(
    model: keras.Model, group: h5py.Group, name: str, *, by_place: bool, turned: bool, theano: bool
) -> None:
    """Assign the arrays of a group that Keras 1, 2 or 3 wrote to a model.

    Layers are found by name, or where names differ by their order. Within a layer, and within a nested model, arrays
    are found by name, because their order depends on which of them were frozen.

    by_place  whether names do not matter, as Keras 1 had others
    turned    whether kernels are (filters, channels, height, width), as where Keras 1 put channels first
    theano    whether kernels are mirrored, as its convolutions turn them

    Raises Refused where names or shapes do not fit.
    """
    saved = {usable_name(layer): found for layer in strings(group, "layer_names") if (found := _arrays(group[layer]))}
    # Keras saves those that are trained first.
    layers = {layer: layer.trainable_weights + layer.non_trainable_weights for layer in model.layers if layer.weights}
    if len(saved) != len(layers):
        reason = f"it describes {len(layers)} layers with weights, and has those of {len(saved)}."
        raise refused("not_loaded", name, reason=reason)
    by_name = {layer.name for layer in layers} == saved.keys()
    for (layer, weights), place in zip(layers.items(), saved, strict=True):
        arrays = saved[layer.name if by_name else place]
        arrays = _in_order(arrays, weights, by_place=by_place)
        if arrays is None:
            raise refused("not_loaded", name, reason=f"the weights of its layer {layer.name!r} have other names.")
        for array, weight in zip(arrays, weights, strict=True):
            weight.assign(_fitting(array, weight, name, turned=turned, theano=theano))
    for layer in model._flatten_layers():
        if hasattr(layer, "finalize_state"):  # Normalization computes from its weights
            layer.finalize_state()


def _arrays(group: h5py.Group) -> dict[str, h5py.Dataset]:
    names = strings(group, "weight_names")
    return {name: group[name] for name in names if not any(state in name for state in RANDOM_STATE)}


def _in_order(arrays: dict[str, h5py.Dataset], weights: list, *, by_place: bool) -> list[h5py.Dataset] | None:
    """The arrays in the order of the weights; None where it is not certain."""
    wanted = [_key(weight.path, ()) for weight in weights]
    saved = [_key(name.split(":")[0], {layer for layer, _ in wanted}) for name in arrays]
    keys = _without_needless_names(wanted)
    by_key = dict(zip(_without_needless_names(saved), arrays.values(), strict=True))
    if len({*keys}) == len(keys) == len(saved) and {*keys} == by_key.keys():
        return [by_key[key] for key in keys]
    alike = len(wanted) == 1 or [name for _, name in saved] == [name for _, name in wanted]
    if len(saved) == len(wanted) and (by_place or alike):
        return list(arrays.values())
    return None


def _key(path: str, layers: Collection[str]) -> tuple[str, str]:
    """The layer and the name in it of a weight; a DepthwiseConv2D of Keras 2 calls its kernel depthwise_kernel.

    layers  names that layers have today: in a file, slashes may stand where they have underscores
    """
    *folders, name = ("", *path.split("/"))
    names = (usable_name("/".join(folders[start:])) for start in range(len(folders)))
    layer = next((layer for layer in names if layer in layers), folders[-1])
    return layer, name.removeprefix("depthwise_")


def _without_needless_names(keys: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """The keys, with an empty name where a layer has a single weight: Keras 3 gives that of a LayerScale no name."""
    count = Counter(layer for layer, _ in keys)
    return [(layer, name if count[layer] > 1 else "") for layer, name in keys]


def _fitting(array: h5py.Dataset, weight, name: str, *, turned: bool, theano: bool) -> np.ndarray:
    turned, theano = turned and array.ndim == 4, theano and array.ndim == 4
    axes = (2, 3, 1, 0) if turned else range(array.ndim)
    shape = tuple(array.shape[axis] for axis in axes)
    if shape != tuple(weight.shape):  # before it is read
        raise refused(
            "not_loaded", name, reason=f"{array.name} has shape {shape}, its layer needs {tuple(weight.shape)}."
        )
    values = array[()].transpose(axes)
    return values[::-1, ::-1] if theano else values
