"""How a network usually wants its pixels, by the layers and names in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from catdog.photo.array import Scaling

if TYPE_CHECKING:
    import keras

# How the networks of keras.applications were trained, by the beginnings of their names; longer ones come first.
APPLICATIONS: dict[str, Scaling] = {
    "mobilenet": "symmetric", "xception": "symmetric", "inception": "symmetric", "nasnet": "symmetric",
    "resnet50v2": "symmetric", "resnet101v2": "symmetric", "resnet152v2": "symmetric", "resnet": "caffe",
    "vgg": "caffe", "densenet": "torch",
}  # fmt: skip
USUAL: Scaling = "unit"  # of most tutorials


def usual_scaling(model: keras.Model) -> tuple[Scaling, bool]:
    """The scaling that a model probably wants, and whether that is certain, as it scales pixels itself."""
    import keras

    scales = (keras.layers.Rescaling, keras.layers.Normalization)
    for layer in _in_order(model):
        if isinstance(layer, scales):
            return "none", True
        if layer.weights:
            break
    names = [layer.name.lower() for layer in model._flatten_layers() if isinstance(layer, keras.Model)]
    found = (scaling for name in names for start, scaling in APPLICATIONS.items() if name.startswith(start))
    return next(found, USUAL), False


def _in_order(model: keras.Model):
    """The layers of a model and of those in it, from the photos on."""
    import keras

    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _in_order(layer)
        else:
            yield layer
