"""The networks: a registry of names, and build(name) -> a Keras model on pixels 0..255.

Every model scales its own pixels, takes float32 (N, H, W, 3) in 0..255 and returns probabilities:
(N, 1) of the second class for two classes, (N, classes) for more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
from keras import layers

from catdog.errors import InvalidSettings


@dataclass(frozen=True)
class Architecture:
    """One entry of the registry.

    title       name shown to people
    image_size  default input height and width for serving, pixels
    features    features(pixels, weights) -> pooled features (N, F) of pixels 0..255; weights is
                None or, for `pretrained` networks, "imagenet"
    pretrained  whether keras.applications has ImageNet weights for it
    dropout     rate before the last layer
    """

    title: str
    image_size: int
    features: Callable[[keras.KerasTensor, str | None], keras.KerasTensor]
    pretrained: bool
    dropout: float


def build(name: str, *, classes: int = 2, image_size: int | None = None, base: str | None = None) -> keras.Model:
    """Build a classifier; `image_size` None accepts photos of any height and width.

    `base` is as in `build_base`. The model is flat: its layers are those of the network.
    """
    network = build_base(name, image_size=image_size, weights=base)
    features = layers.Dropout(get(name).dropout, name="dropout")(network.output)
    return keras.Model(network.input, head(classes)(features), name=name)


def build_base(name: str, *, image_size: int | None = None, weights: str | None = None) -> keras.Model:
    """Build the feature extractor of an architecture: pixels 0..255 to pooled features.

    `weights` is None or "none" (random), "imagenet" (fetched by keras.applications; needs a
    network) or the path of a Keras `.h5` model that begins with this base: a classifier of the same
    architecture for any classes, or a model whose first layer is the base.
    """
    architecture = get(name)
    if weights not in (None, "none") and not architecture.pretrained:
        raise InvalidSettings(f"{name} is trained from random weights and takes no base. Received: {weights!r}.")
    inputs = keras.Input((image_size, image_size, 3), name="pixels")
    features = _with_imagenet(name, inputs) if weights == "imagenet" else architecture.features(inputs, None)
    network = keras.Model(inputs, features, name=f"{name}_base")
    if weights not in (None, "none", "imagenet"):
        _copy_weights(network, weights, f"{weights} does not begin with the weights of {network.name}")
    return network


def _with_imagenet(name: str, inputs: keras.KerasTensor) -> keras.KerasTensor:
    try:
        return get(name).features(inputs, "imagenet")
    except Exception as error:  # keras.utils.get_file raises a bare Exception when a download fails
        reason = str(error).partition("\n")[0]
        raise InvalidSettings(
            f"The ImageNet weights of {name} cannot be fetched; a file of them can be given instead: {reason}"
        ) from error


def load_classifier(network: keras.Model, path: Path) -> None:
    """Copy the weights of a whole `.h5` classifier of the same architecture into `network`."""
    _copy_weights(network, path, f"{path} cannot be gone on from as a {network.name}", whole=True)


def _copy_weights(network: keras.Model, path: str | Path, problem: str, *, whole: bool = False) -> None:
    """Set the weights of `network` to the first, or with `whole` to all, of a file."""
    try:
        weights = keras.models.load_model(path, compile=False).get_weights()
        network.set_weights(weights if whole else weights[: len(network.weights)])
    except Exception as error:  # Keras and h5py raise many kinds on broken files
        raise InvalidSettings(f"{problem}: {error}") from error


def get(name: str) -> Architecture:
    """Look up an architecture; the error names those that exist."""
    if name not in ARCHITECTURES:
        raise InvalidSettings(f"There is no architecture {name!r}; choose one of {', '.join(ARCHITECTURES)}.")
    return ARCHITECTURES[name]


def head(classes: int) -> layers.Dense:
    """The last layer, always in float32: one sigmoid for two classes, else softmax."""
    units, activation = (1, "sigmoid") if classes == 2 else (classes, "softmax")
    return layers.Dense(units, activation=activation, dtype="float32", name="probabilities")


def _scratch_features(pixels, weights: None):
    """A residual network with excited channels (He et al. 2016): a strided convolution, stages that halve the size."""
    x = layers.Rescaling(1 / 127.5, offset=-1.0)(pixels)
    x = layers.ReLU()(layers.BatchNormalization()(_conv(48, 3, strides=2)(x)))
    for filters, blocks in ((48, 1), (96, 1), (192, 2), (320, 2)):
        for block in range(blocks):
            x = _residual_block(x, filters, strides=2 if block == 0 else 1)
    return layers.GlobalAveragePooling2D(name="features")(x)


def _residual_block(x, filters: int, strides: int):
    shortcut = x
    if strides > 1:
        shortcut = layers.BatchNormalization()(_conv(filters, 1, strides)(x))
    x = layers.ReLU()(layers.BatchNormalization()(_conv(filters, 3, strides)(x)))
    # Starting each block as its shortcut makes early training steadier (Goyal et al. 2017).
    x = layers.BatchNormalization(gamma_initializer="zeros")(_conv(filters, 3)(x))
    return layers.ReLU()(layers.Add()([_excited(x, filters), shortcut]))


def _excited(x, filters: int):
    """Scale each channel by what all of them say of the whole photo (Hu et al. 2018, "Squeeze-and-excitation")."""
    squeezed = layers.GlobalAveragePooling2D(keepdims=True)(x)
    hidden = layers.Dense(filters // 8, activation="relu")(squeezed)
    return layers.Multiply()([x, layers.Dense(filters, activation="sigmoid")(hidden)])


def _conv(filters: int, size: int, strides: int = 1) -> layers.Conv2D:
    return layers.Conv2D(filters, size, strides=strides, padding="same", use_bias=False, kernel_initializer="he_normal")


def _xception_features(pixels, weights: str | None):
    """Chollet 2017, without its top, as keras.applications builds it."""
    scaled = layers.Rescaling(1 / 127.5, offset=-1.0)(pixels)
    return keras.applications.Xception(include_top=False, weights=weights, input_tensor=scaled, pooling="avg").output


def _mobilenet_v2_features(pixels, weights: str | None):
    """Sandler et al. 2018, width 1.0, without its top, as keras.applications builds it."""
    scaled = layers.Rescaling(1 / 127.5, offset=-1.0)(pixels)
    return keras.applications.MobileNetV2(include_top=False, weights=weights, input_tensor=scaled, pooling="avg").output


def _resnet50_features(pixels, weights: str | None):
    """He et al. 2016, without its top, as keras.applications builds it: on BGR pixels less the mean of ImageNet."""
    centred = layers.Rescaling(1.0, offset=[-123.68, -116.779, -103.939])(pixels)
    bgr = _reversed_channels(centred)
    return keras.applications.ResNet50(include_top=False, weights=weights, input_tensor=bgr, pooling="avg").output


def _reversed_channels(images):
    """RGB to BGR by layers without weights: an `.h5` holds no slices, and weights would disturb those of a base."""
    first = layers.Permute((3, 1, 2))(images)
    channels = [layers.Cropping2D(((index, 2 - index), (0, 0)))(first) for index in (2, 1, 0)]
    return layers.Permute((2, 3, 1))(layers.Concatenate(axis=1)(channels))


ARCHITECTURES = {
    "scratch_cnn": Architecture("CNN from scratch", 192, _scratch_features, pretrained=False, dropout=0.3),
    "xception": Architecture("Xception", 160, _xception_features, pretrained=True, dropout=0.2),
    "mobilenet_v2": Architecture("MobileNetV2", 224, _mobilenet_v2_features, pretrained=True, dropout=0.2),
    "resnet50": Architecture("ResNet50", 160, _resnet50_features, pretrained=True, dropout=0.2),
}
