"""The scaling of pixels that a network probably expects, by its layers and their names."""

from __future__ import annotations

import keras
import numpy as np

from catdog.photo.array import Scaling

# How the networks of keras.applications were trained, by the beginnings of their names and, for a network that is part
# of a larger one, of a layer's name. The first that is found counts: names of several networks come last.
APPLICATIONS: dict[str, Scaling] = {
    "mobilenet": "symmetric", "expanded_conv": "symmetric", "conv_dw_1": "symmetric",
    "xception": "symmetric", "block2_sepconv1": "symmetric", "inception": "symmetric", "mixed0": "symmetric",
    "nasnet": "symmetric", "resnet50v2": "symmetric", "resnet101v2": "symmetric", "resnet152v2": "symmetric",
    "conv2_block1_preact": "symmetric", "densenet": "torch", "conv2_block1_concat": "torch",
    "resnet": "caffe", "conv2_block1_1": "caffe", "res2a_branch": "caffe", "vgg": "caffe", "block1_conv1": "caffe",
}  # fmt: skip
USUAL: Scaling = "unit"  # of most tutorials
LARGEST_SCALE = 0.1  # of a layer that takes 0 to 255, far above 1 / 127.5


def usual_scaling(model: keras.Model) -> tuple[Scaling, bool]:
    """The scaling that a model probably expects, and whether that is certain because it scales pixels itself."""
    for layer in _in_order(model):
        # A cast or a shift is a Rescaling as well, and says nothing.
        makes_small = isinstance(layer, keras.layers.Rescaling) and np.abs(layer.scale).max() < LARGEST_SCALE
        if makes_small or isinstance(layer, keras.layers.Normalization):
            return "none", True
        if layer.weights:
            break
    names = [layer.name.lower() for layer in model._flatten_layers()]
    found = (scaling for start, scaling in APPLICATIONS.items() if any(name.startswith(start) for name in names))
    return next(found, USUAL), False


def _in_order(model: keras.Model):
    """The layers of a model and of the models in it, from the input on."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _in_order(layer)
        else:
            yield layer
