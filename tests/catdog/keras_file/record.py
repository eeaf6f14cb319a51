"""Record what Keras 2 writes and answers: `python -m tests.catdog.keras_file.record`, with tf_keras 2.21.0.

tf_keras is no dependency of the tests, because it would install a second TensorFlow.
"""

from __future__ import annotations

import copy
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import tensorflow as tf
import tf_keras as keras
from tf_keras import layers
from tf_keras.src.applications import convnext, inception_resnet_v2

from tests.catdog.keras_file import recorded

SIDE = 12


def models() -> Iterator[tuple[str, Any]]:
    """One small model for each thing that later versions of Keras do not know any more."""
    convolutions = [layers.DepthwiseConv2D(3), layers.SeparableConv2D(5, 3), layers.Conv2DTranspose(3, 2)]
    yield "layers", sequential(*convolutions[:2], layers.BatchNormalization(), convolutions[2])
    yield "activations", sequential(
        layers.LeakyReLU(0.2), layers.ThresholdedReLU(0.01), layers.ELU(0.5), layers.Activation("hard_sigmoid"),
        layers.Conv2D(3, 1, activation="hard_sigmoid"), layers.Conv2D(3, 1, activation=tf.nn.leaky_relu),
        layers.Conv2D(3, 1, activation=layers.LeakyReLU(0.07)), layers.Conv2D(3, 1, activation="swish"), layers.PReLU(),
    )  # fmt: skip
    yield "augmented", sequential(first=[layers.RandomFlip(), layers.RandomRotation(0.1), layers.GaussianNoise(0.1)])
    yield "names with slashes", sequential(layers.Conv2D(4, 3, name="block/conv"))
    yield "normalization", sequential(first=[layers.Normalization()])
    yield "two sigmoids", sequential(head=layers.Dense(2, activation="sigmoid"))
    yield "grey", sequential(shape=(SIDE, 16, 1))
    logits = sequential(head=layers.Dense(1))
    logits.compile(loss=keras.losses.BinaryCrossentropy(from_logits=True))
    yield "logits", logits
    yield "linear", sequential(head=layers.Dense(1))
    yield "one softmax", sequential(head=layers.Dense(1, activation="softmax"))
    # By `eval`, so that the code in the file does not name this file's folder.
    yield "lambda", sequential(layers.Lambda(eval("lambda x: x / 255")))
    for frozen in (True, False):
        yield f"nested, {'partly frozen' if frozen else 'trained'}", nested(frozen)
    yield "nested twice", teachable()
    yield "arithmetic", arithmetic()
    fixed = keras.Sequential([layers.Conv2D(3, 3, batch_input_shape=(2, SIDE, SIDE, 3)), layers.Flatten(), head()])
    yield "fixed batch", fixed
    keras.mixed_precision.set_global_policy("mixed_float16")
    yield "mixed precision", sequential(layers.BatchNormalization())
    keras.mixed_precision.set_global_policy("float32")
    yield "wrapped", sequential(
        layers.SpatialDropout2D(0.1), layers.TimeDistributed(layers.Conv1D(3, 3)),
        layers.TimeDistributed(layers.Flatten()), layers.Bidirectional(layers.GRU(3, return_sequences=True)),
        layers.RNN([layers.LSTMCell(3), layers.LSTMCell(2)]), pooled=False,
    )  # fmt: skip
    yield "attention", attentive()
    yield "gated", gated()
    yield "nested, names with slashes", named()
    yield "scaled sum", scaled_sum()


def head():
    return layers.Dense(2, activation="softmax")


def sequential(*between, first=(), shape=(SIDE, SIDE, 3), head=None, pooled=True):
    convolution = [*first, layers.Conv2D(4, 3, activation="relu"), *between]
    last = [layers.GlobalAveragePooling2D()] * pooled + [head or layers.Dense(2, activation="softmax")]
    return keras.Sequential([keras.Input(shape), *convolution, *last])


def nested(frozen: bool):
    augmentation = keras.Sequential(
        [layers.RandomFlip("horizontal", input_shape=(SIDE, SIDE, 3)), layers.RandomZoom(0.1)]
    )
    inner = keras.Input((SIDE, SIDE, 3))
    x = layers.BatchNormalization()(layers.Conv2D(4, 3)(inner))
    base = keras.Model(inner, layers.BatchNormalization()(layers.Conv2D(4, 3)(x)))
    for layer in base.layers[:3]:
        layer.trainable = not frozen
    photo = keras.Input((SIDE, SIDE, 3))
    features = base(augmentation(photo) / 127.5 - 1, training=False)
    merged = layers.Dropout(0.2)(layers.GlobalAveragePooling2D()(features + features * 0.5))
    return keras.Model(photo, head()(merged))


def attentive():
    """With a layer that only keras.applications has."""
    photo = keras.Input((SIDE, SIDE, 3))
    x = layers.Reshape((-1, 4))(layers.Conv2D(4, 3)(photo))
    x = layers.LayerNormalization()(layers.MultiHeadAttention(2, 3)(x, x) + x)
    x = convnext.StochasticDepth(0.2)(convnext.LayerScale(0.1, 4)(x))
    return keras.Model(photo, head()(layers.GlobalAveragePooling1D()(x)))


def named():
    """As MobileNetV3 and ConvNeXt are fine-tuned: nested, with slashes in names, and a weight that has none today."""
    inner = keras.Input((SIDE, SIDE, 3))
    x = layers.Conv2D(4, 3, name="block/conv")(inner)
    x = layers.DepthwiseConv2D(3, name="block/depthwise")(x)
    base = keras.Model(inner, convnext.LayerScale(0.1, 4)(layers.Conv2D(4, 1, name="other/conv")(x)))
    return keras.Sequential([keras.Input((SIDE, SIDE, 3)), base, layers.GlobalAveragePooling2D(), head()])


def scaled_sum():
    """With the layer that InceptionResNetV2 registers."""
    photo = keras.Input((SIDE, SIDE, 3))
    x = layers.Conv2D(4, 3)(photo)
    x = inception_resnet_v2.CustomScaleLayer(0.3)([x, layers.Conv2D(4, 1)(x)])
    return keras.Model(photo, head()(layers.GlobalAveragePooling2D()(x)))


def gated():
    """A graph in which one layer becomes several, axes are lists, and functions of TensorFlow are called."""
    photo = keras.Input((SIDE + 4, SIDE + 8, 3))
    x = layers.RandomCrop(SIDE, SIDE)(photo) - tf.constant([[[[0.4, 0.5, 0.6]]]])
    x = layers.BatchNormalization(renorm=True)(layers.Conv2D(4, 3, activation="hard_sigmoid")(x))
    gate = layers.Softmax(axis=[1, 2])(layers.Activation("hard_sigmoid")(tf.nn.relu6(x)))
    x = layers.LayerNormalization(axis=[1, 2, 3])(layers.Multiply()([tf.nn.silu(x), tf.stop_gradient(gate)]))
    keys = layers.Reshape((-1, 4))(x)
    return keras.Model(photo, head()(layers.Flatten()(layers.Attention()([keys, keys]))))


def arithmetic():
    photo = keras.Input((SIDE, SIDE, 3))
    x = 1.0 - tf.cast(photo, tf.float32) * 2.0
    x = -((x - [0.4, 0.5, 0.6]) / [0.2, 0.3, 0.25])
    return keras.Model(photo, head()(layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(x))))


def teachable():
    inner = keras.Input((SIDE, SIDE, 3))
    base = keras.Model(inner, layers.DepthwiseConv2D(3)(layers.Conv2D(4, 3)(inner)), name="model1")
    features = keras.Sequential([keras.Input((SIDE, SIDE, 3)), base, layers.GlobalAveragePooling2D()])
    top = keras.Sequential(
        [layers.Dense(5, activation="relu", input_shape=(4,)), layers.Dense(2, "softmax", use_bias=False)]
    )
    return keras.Sequential([keras.Input((SIDE, SIDE, 3)), features, top])


def record(model) -> dict[str, Any]:
    """What a `.h5` of a model holds, and the answers with the weights of `recorded`."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.h5"
        model.save(path)
        with h5py.File(path) as file:
            weights = file["model_weights"]
            found = {
                "version": str(file.attrs["keras_version"]),
                "config": json.loads(file.attrs["model_config"]),
                "training": json.loads(file.attrs.get("training_config", "{}")),
                "weights": {
                    layer: [[name, list(weights[layer][name].shape)] for name in weights[layer].attrs["weight_names"]]
                    for layer in weights.attrs["layer_names"]
                },
            }
        return found | answered(found, path, list(model.input_shape[1:]))


def answered(found: dict[str, Any], path: Path, shape: list[int]) -> dict[str, Any]:
    own = {cls.__name__: cls for cls in (convnext.LayerScale, convnext.StochasticDepth)}
    model = keras.models.load_model(recorded.write(found, path), compile=False, safe_mode=False, custom_objects=own)
    return {
        "shape": shape,
        "answers": model.predict(recorded.photos(shape), verbose=0, batch_size=2).astype(float).tolist(),
    }


def older(found: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The same as Keras 2.2 wrote it: a list of layers without an InputLayer, and initializers with a dtype."""
    new = copy.deepcopy(found)
    first, *others = new["config"]["config"]["layers"]
    others[0]["config"]["batch_input_shape"] = first["config"]["batch_input_shape"]
    new["weights"] = {name: weights for name, weights in new["weights"].items() if weights}
    for layer in others:
        for key, value in layer["config"].items():
            if key.endswith("_initializer") and value:
                value["config"]["dtype"] = "float32"
    new["config"]["config"]["layers"] = others
    yield "no input layer", new | {"version": "2.2.4-tf"}
    new = copy.deepcopy(new)
    new["config"]["config"] = others
    yield "list of layers", new | {"version": "2.2.0"}


def main() -> None:
    found = {name: record(model) for name, model in models()}
    plain = record(sequential())
    with tempfile.TemporaryDirectory() as folder:
        for name, changed in older(plain):
            found[name] = changed | answered(changed, Path(folder) / "model.h5", plain["shape"])
    recorded.FILE.write_text(json.dumps(found, separators=(",", ":")).replace('},"', '},\n"') + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
