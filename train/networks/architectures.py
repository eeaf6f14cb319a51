"""The architectures by name, and build(name) -> a Keras model. `recipes.py` has their recipes.

Every model takes float32 pixels (N, H, W, 3), 0..255, scales them itself, and returns probabilities: (N, 1) of the
second class for two classes, (N, classes) for more, (N, classes + 1) with an output for neither.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from keras import applications, layers

from catdog.errors import InvalidSettings

# The first logit of an output for neither that is added to a trained network: 6 % where the classes are equal.
NEITHER_LOGIT = -2.0


@dataclass(frozen=True)
class Architecture:
    """One entry of the registry.

    title       name for people
    image_size  default input height and width for serving, pixels
    features    features(pixels, weights, depth) -> pooled features (N, F) of pixels 0..255; weights is None or, for
                `pretrained` networks, "imagenet"; depth as in `build`
    pretrained  whether keras.applications has ImageNet weights for it
    dropout     rate before the last layer
    published   whether it is a network of keras.applications, which has only one depth
    """

    title: str
    image_size: int
    features: Callable[[keras.KerasTensor, str | None, float], keras.KerasTensor]
    pretrained: bool = True
    dropout: float = 0.2
    published: bool = False


def build(
    name: str,
    *,
    classes: int = 2,
    neither: bool = False,
    image_size: int | None = None,
    base: str | None = None,
    width: float = 1.0,
    depth: float = 1.0,
    dropout: float | None = None,
) -> keras.Model:
    """Build a classifier; `image_size` None accepts photos of any height and width.

    `neither` adds a last output, for photos of none of the classes. `base` is as `weights` in `build_base`. The layers
    of the network are those of the model; none is a model of its own.

    width    multiplies the channels of all layers, rounded to multiples of 8
    depth    multiplies the blocks of each stage, rounded up; must be 1 for networks of keras.applications
    dropout  rate before the last layer; None for that of the architecture
    """
    network = build_base(name, image_size=image_size, weights=base, width=width, depth=depth)
    features = layers.Dropout(get(name).dropout if dropout is None else dropout, name="dropout")(network.output)
    return keras.Model(network.input, head(classes, neither)(features), name=name)


def build_base(
    name: str, *, image_size: int | None = None, weights: str | None = None, width: float = 1.0, depth: float = 1.0
) -> keras.Model:
    """Build the feature extractor of an architecture: pixels 0..255 to pooled features.

    `weights` is None or "none" (random), "imagenet" (downloaded by keras.applications), or the path of an `.h5` that
    begins with this base: a classifier of the same architecture for any classes, or a model whose first layer is it.
    `width` and `depth` are as in `build`, and must be 1 with "imagenet".
    """
    architecture = get(name)
    require_possible(name, weights, width, depth)
    inputs = keras.Input((image_size, image_size, 3), name="pixels")
    try:
        features = architecture.features(inputs, "imagenet" if weights == "imagenet" else None, depth)
    except Exception as error:  # keras.utils.get_file raises a bare Exception when a download fails
        if weights != "imagenet":
            raise
        reason = str(error).partition("\n")[0]
        raise InvalidSettings(
            f"The ImageNet weights of {name} cannot be fetched. Name a file that has them, with --base. {reason}"
        ) from error
    network = _widened(keras.Model(inputs, features, name=f"{name}_base"), width)
    if weights not in (None, "none", "imagenet"):
        _copy_weights(network, weights, f"{weights} does not begin with the weights of {network.name}")
    return network


def require_possible(name: str, weights: str | None, width: float, depth: float) -> None:
    """Raise InvalidSettings if `build_base` cannot build a network with these weights, width and depth."""
    architecture = get(name)
    if weights == "imagenet" and (width, depth) != (1, 1):
        raise InvalidSettings(f"ImageNet weights fit only width 1 and depth 1. Received: {width:g} and {depth:g}.")
    if weights not in (None, "none") and not architecture.pretrained:
        raise InvalidSettings(f"{name} is trained from random weights and takes no base. Received: {weights!r}.")
    if architecture.published and depth != 1:
        raise InvalidSettings(f"Networks of keras.applications have only depth 1. Received: {depth:g}.")
    if weights == "imagenet" and not architecture.published:
        raise InvalidSettings(f"keras.applications has no weights of {name}: name a file that has them, with --base.")


def _widened(network: keras.Model, width: float) -> keras.Model:
    """A copy of a network without its weights, all of whose layers have `width` times the channels."""

    def clone(layer):
        config = layer.get_config()
        channels = {name: _multiple_of_8(width * config[name]) for name in ("filters", "units") if name in config}
        return type(layer).from_config(config | channels)

    return network if width == 1 else keras.models.clone_model(network, clone_function=clone)


def load_classifier(network: keras.Model, path: Path) -> None:
    """Copy the weights of a whole `.h5` classifier of the same architecture into `network`.

    The file may lack an output for neither that `network` has: that output then starts at NEITHER_LOGIT.
    """
    _copy_weights(network, path, f"{path} cannot continue as a {network.name}", whole=True)


def _with_neither(kernel: np.ndarray, bias: np.ndarray) -> list[np.ndarray]:
    """The weights of a last layer (F, outputs) with one more output, whose logit is always NEITHER_LOGIT."""
    if kernel.shape[1] == 1:  # the logit of a sigmoid is the difference of two logits of a softmax
        kernel, bias = (np.concatenate([-half, half], axis=-1) for half in (kernel / 2, bias / 2))
    zeros = np.zeros((len(kernel), 1), np.float32)
    return [np.concatenate([kernel, zeros], axis=1), np.append(bias, np.float32(NEITHER_LOGIT))]


def _copy_weights(network: keras.Model, path: str | Path, problem: str, *, whole: bool = False) -> None:
    """Set the weights of `network` to the first weights of a file, or with `whole` to all of them."""
    try:
        weights = keras.models.load_model(path, compile=False).get_weights()
        if whole and weights[-1].shape != (outputs := network.output.shape[-1],) and outputs > 2:
            weights[-2:] = _with_neither(*weights[-2:])
        network.set_weights(weights if whole else weights[: len(network.weights)])
    except Exception as error:  # Keras and h5py raise many kinds on broken files
        raise InvalidSettings(f"{problem}: {error}") from error


def get(name: str) -> Architecture:
    """Look up an architecture; the error names those that exist."""
    if name not in ARCHITECTURES:
        raise InvalidSettings(f"There is no architecture {name!r}; choose one of {', '.join(ARCHITECTURES)}.")
    return ARCHITECTURES[name]


def head(classes: int, neither: bool = False) -> layers.Dense:
    """The last layer, always in float32: one sigmoid for two classes, else softmax of these, and `neither`."""
    units, activation = (1, "sigmoid") if classes == 2 and not neither else (classes + neither, "softmax")
    return layers.Dense(units, activation=activation, dtype="float32", name="probabilities")


def _scratch_features(pixels, weights: None, depth: float):
    """A residual network (He et al. 2016) with squeeze-and-excitation; each of its stages halves the size."""
    x = layers.ReLU()(layers.BatchNormalization()(_conv(48, 3, strides=2)(symmetric(pixels))))
    for filters, blocks in ((48, 1), (96, 1), (192, 2), (320, 2)):
        for block in range(math.ceil(depth * blocks)):
            x = _residual_block(x, filters, strides=2 if block == 0 else 1)
    return layers.GlobalAveragePooling2D(name="features")(x)


def _residual_block(x, filters: int, strides: int):
    shortcut = x
    if strides > 1:
        shortcut = layers.BatchNormalization()(_conv(filters, 1, strides)(x))
    x = layers.ReLU()(layers.BatchNormalization()(_conv(filters, 3, strides)(x)))
    # With gamma 0, each block starts as its shortcut, which steadies early training (Goyal et al. 2017).
    x = layers.BatchNormalization(gamma_initializer="zeros")(_conv(filters, 3)(x))
    return layers.ReLU()(layers.Add()([_excited(x, filters), shortcut]))


def _excited(x, filters: int):
    """Squeeze-and-excitation (Hu et al. 2018): scale each channel by a factor from the means of all channels."""
    squeezed = layers.GlobalAveragePooling2D(keepdims=True)(x)
    hidden = layers.Dense(filters // 8, activation="relu")(squeezed)
    return layers.Multiply()([x, layers.Dense(filters, activation="sigmoid")(hidden)])


def _conv(filters: int, size: int, strides: int = 1) -> layers.Conv2D:
    return layers.Conv2D(filters, size, strides=strides, padding="same", use_bias=False, kernel_initializer="he_normal")


def _published(network: Callable[..., keras.Model], prepare: Callable) -> Callable:
    """A network as keras.applications builds it, without its top, on pixels that `prepare` scales."""

    def features(pixels, weights: str | None, depth: float):
        return network(include_top=False, weights=weights, input_tensor=prepare(pixels), pooling="avg").output

    return features


def symmetric(pixels):
    """Pixels 0..255 scaled to -1..1."""
    return layers.Rescaling(1 / 127.5, offset=-1.0)(pixels)


def _centred_bgr(pixels):
    """BGR less the mean of ImageNet. Not by slicing, which an `.h5` cannot hold, nor by weights, which would shift
    those of a base."""
    centred = layers.Rescaling(1.0, offset=[-123.68, -116.779, -103.939])(pixels)
    first = layers.Permute((3, 1, 2))(centred)
    channels = [layers.Cropping2D(((index, 2 - index), (0, 0)))(first) for index in (2, 1, 0)]
    return layers.Permute((2, 3, 1))(layers.Concatenate(axis=1)(channels))


# Kernel, stride, expansion, filters and repeats of the stages of EfficientNet (Tan and Le 2019, table 1).
_STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)


def _efficientnet_lite(width: float, repeated: float):
    """EfficientNet-Lite without its top (Google 2020): EfficientNet with ReLU6 and without excitation.

    `width` scales the filters of all stages, `repeated` the repeats of all stages but the first and the last. The first
    and the last convolution have 32 and 1280 filters. keras.applications lacks this network.
    """

    def features(pixels, weights: str | None, depth: float):
        scaled = layers.Rescaling(1 / 128, offset=-127 / 128)(pixels)
        stem = layers.Conv2D(32, 3, strides=2, padding="same", use_bias=False, name="stem_conv")
        x = _normalized(stem(scaled), "stem")
        block = 0
        for stage, (kernel, strides, expansion, filters, repeats) in enumerate(_STAGES):
            repeats = repeats if stage in (0, len(_STAGES) - 1) else math.ceil(repeated * repeats)
            for repeat in range(math.ceil(depth * repeats)):
                block += 1
                first = strides if repeat == 0 else 1
                x = _inverted_residual(x, kernel, first, expansion, _multiple_of_8(width * filters), f"block{block}")
        x = _normalized(layers.Conv2D(1280, 1, use_bias=False, name="top_conv")(x), "top")
        return layers.GlobalAveragePooling2D(name="features")(x)

    return features


def _inverted_residual(x, kernel: int, strides: int, expansion: int, filters: int, name: str):
    """An inverted residual block (Sandler et al. 2018): widen, depthwise convolution, narrow, shortcut if it fits."""
    shortcut, channels = x, x.shape[-1]
    if expansion > 1:
        x = layers.Conv2D(channels * expansion, 1, use_bias=False, name=f"{name}_expand_conv")(x)
        x = _normalized(x, f"{name}_expand")
    depthwise = layers.DepthwiseConv2D(kernel, strides, padding="same", use_bias=False, name=f"{name}_dwconv")
    x = _normalized(depthwise(x), name)
    x = layers.Conv2D(filters, 1, use_bias=False, name=f"{name}_project_conv")(x)
    x = layers.BatchNormalization(name=f"{name}_project_bn")(x)
    return layers.Add(name=f"{name}_add")([shortcut, x]) if strides == 1 and channels == filters else x


def _normalized(x, name: str):
    return layers.ReLU(6.0, name=f"{name}_relu")(layers.BatchNormalization(name=f"{name}_bn")(x))


def _multiple_of_8(filters: float) -> int:
    """The nearest multiple of 8, or the next one if the nearest is below 90 % of the filters."""
    nearest = max(8, int(filters + 4) // 8 * 8)
    return nearest if nearest >= 0.9 * filters else nearest + 8


# He et al. 2016 (ResNet), Chollet 2017 (Xception), Sandler et al. 2018 (MobileNetV2, width 1.0)
ARCHITECTURES = {
    "scratch_cnn": Architecture("CNN from scratch", 192, _scratch_features, pretrained=False, dropout=0.3),
    "xception": Architecture("Xception", 160, _published(applications.Xception, symmetric), published=True),
    "mobilenet_v2": Architecture("MobileNetV2", 224, _published(applications.MobileNetV2, symmetric), published=True),
    "efficientnet_lite0": Architecture("EfficientNet-Lite0", 224, _efficientnet_lite(1.0, 1.0)),
    "efficientnet_lite2": Architecture("EfficientNet-Lite2", 224, _efficientnet_lite(1.1, 1.2)),
    "resnet50": Architecture("ResNet50", 160, _published(applications.ResNet50, _centred_bgr), published=True),
}
