"""The config of a model of Keras 1, 2 or 3 -> one that this Keras loads and that computes the same.

Nothing is built: dictionaries go in and come out. What matters only in training is left out.
"""

from __future__ import annotations

import inspect
import itertools
import re
from dataclasses import dataclass
from typing import Any

from catdog.keras_file.keras_1 import from_keras_1
from catdog.keras_file.operations import OPERATION_LAYERS, as_layer, is_operation, is_ref, operation_of
from catdog.keras_file.refusals import refused

Layer = dict[str, Any]

MODELS = ("Functional", "Model")
KINDS = {
    "BatchNormalizationV1": "BatchNormalization", "BatchNormalizationV2": "BatchNormalization",
    "SyncBatchNormalization": "BatchNormalization", "Custom>CustomScaleLayer": "CustomScaleLayer",
}  # fmt: skip
# They leave photos as they are when a model predicts. Identity stands in for them: Keras 3 finds weights by counting.
AUGMENTATIONS = {
    "RandomFlip", "RandomRotation", "RandomZoom", "RandomContrast", "RandomBrightness", "RandomTranslation",
    "RandomHeight", "RandomWidth", "RandomShear", "RandomHue", "RandomSaturation", "RandomColorJitter",
    "RandomColorDegeneration", "RandomGrayscale", "RandomGaussianBlur", "RandomSharpness", "RandomPosterization",
    "RandomErasing", "RandomPerspective", "RandomElasticTransform", "RandomInvert", "RandAugment", "AugMix",
    "MixUp", "CutMix", "GaussianNoise", "GaussianDropout", "AlphaDropout", "ActivityRegularization", "StochasticDepth",
}  # fmt: skip
# Of Keras, but they run what lies elsewhere.
OWN_CODE = {"Lambda", "TFSMLayer", "JaxLayer", "FlaxLayer", "TorchModuleWrapper", "Wrapper", "Layer"}
# Options that change nothing when a model predicts, beside those with the endings.
IRRELEVANT = {
    "batch_input_shape", "batch_shape", "input_shape", "build_config", "compile_config", "rng_type", "implementation",
    "ragged", "sparse", "virtual_batch_size", "fused", "time_major", "experimental_autocast", "gamma_regularizer",
    "quantization_config", "autocast", "query_shape", "key_shape", "value_shape",
}  # fmt: skip
ENDINGS = ("_initializer", "_regularizer", "_constraint")
HARMLESS = (None, False, 1, "", [], {})
# Far more than any network has. Keras takes time for each layer, and in a Sequential, for each pair of them.
MOST_LAYERS, MOST_IN_A_ROW = 5000, 300
# Moving their channels would move their weights or numbers as well.
CHANNELS_LAST_ONLY = {"Reshape", "Permute", "PReLU", "LayerNormalization"}


@dataclass(frozen=True)
class Source:
    """Where a config is from."""

    name: str  # of the file, for messages
    version: int  # of Keras: the first number
    channels_first: bool  # whether its photos are (3, height, width)


def modernised(model: Layer, name: str, version: int, size: tuple[int, int] | None = None) -> Layer:
    """A model's class and config, rewritten; `size` is the height and width of photos, where the config has none.

    Raises Refused for what is not a layer of Keras, or cannot be told from its config.
    """
    try:
        source = Source(name, version, mentions(model, "channels_first", "th"))
        found = _modern(model, source)
        if len(found) != 1 or found[0]["class_name"] not in ("Sequential", "Functional"):
            raise refused("own_code", name, layer=str(model.get("class_name")), kind="a model")
        (model,) = found
        layers = model["config"]["layers"]
        if model["class_name"] == "Sequential" and layers[0]["class_name"] != "InputLayer":
            if size is None:
                raise refused("unknown_input", name)
            layers.insert(0, _layer("InputLayer", batch_shape=[None, *size, 3], dtype="float32"))
        return model
    except (KeyError, TypeError, AttributeError, IndexError, ValueError, RecursionError) as error:
        if hasattr(error, "code"):
            raise
        raise refused("damaged", name, reason=f"{type(error).__name__} in its description") from error


def mentions(config: Any, *words: str) -> bool:
    """Whether any layer in a config has one of these words as its order of axes (`data_format`, `dim_ordering`)."""
    if isinstance(config, dict):
        return any(
            (key in ("data_format", "dim_ordering") and value in words) or mentions(value, *words)
            for key, value in config.items()
        )
    return isinstance(config, list) and any(mentions(value, *words) for value in config)


def _modern(layer: Layer, source: Source) -> list[Layer]:
    """The layers that do the same, usually one."""
    kind, config = layer["class_name"], layer["config"]
    if kind in AUGMENTATIONS:
        return [_layer("Identity", name=usable_name(config["name"]))]
    if kind == "Sequential":
        return _sequential(config, source)
    if kind in MODELS:
        return _functional(config, source)
    kind, config = _renamed(kind, config, source)
    if kind == "InputLayer":
        return [_input(config.get("batch_input_shape") or config.get("batch_shape"), config.get("name"), source)]
    known = _options_of(kind)
    if known is None:
        raise refused("own_code", source.name, layer=repr(config.get("name", kind)), kind=kind)
    relevant = {key: value for key, value in config.items() if key not in IRRELEVANT and not key.endswith(ENDINGS)}
    options, after = _special(kind, _plain(relevant), source)
    for key in sorted(options.keys() - known):
        harmless = any(type(options[key]) is type(value) and options[key] == value for value in HARMLESS)
        if not harmless and key != "trainable":  # of any layer; a few do not take it
            raise _unknown_option(key, kind, config, source)
        del options[key]
    # The file has the weights: random ones would take time, and several times their memory.
    options |= {key: "zeros" for key in known if key.endswith("_initializer")}
    options |= {"dtype": "float32"} if "dtype" in known else {}
    # Keras takes axes from layers that do not say where they are from, and takes some of their texts for functions.
    own = {"module": "keras.layers", "registered_name": kind if kind in of_applications() else None}
    # A Flatten that is to keep the order of a photo whose channels came first needs them first again.
    turned = kind == "Flatten" and source.channels_first and config.get("data_format") != "channels_first"
    before = [_layer("Permute", dims=[3, 1, 2])] if turned else []
    return [*before, {"class_name": kind, "config": options, **own}, *after]


def _renamed(kind: str, config: dict[str, Any], source: Source) -> tuple[str, dict[str, Any]]:
    """The layer of today's Keras that does the same, and its config."""
    if source.version < 2:
        kind, config = from_keras_1(kind, config)
    kind = KINDS.get(kind, kind)
    if kind == "RandomCrop" and source.version < 3:  # when it predicts, the largest centre of these proportions
        kept = {key: config[key] for key in ("name", "height", "width")}
        return "Resizing", kept | {"crop_to_aspect_ratio": True}
    if kind == "ThresholdedReLU":
        return "ReLU", {"name": config["name"], "threshold": config["theta"]}
    return kind, config


def _unknown_option(option: str, kind: str, config: dict[str, Any], source: Source) -> Exception:
    return refused("unknown_option", source.name, layer=repr(config.get("name", kind)), kind=option)


def _options_of(kind: str) -> set[str] | None:
    """The options of a layer of Keras; None where there is no such layer."""
    import keras

    cls = of_applications().get(kind) or getattr(keras.layers, kind, None)
    if kind in OWN_CODE or not (inspect.isclass(cls) and issubclass(cls, keras.layers.Layer)):
        return None
    own, of_all = (inspect.signature(c.__init__).parameters for c in (cls, keras.layers.Layer))
    return {*own, *(of_all if "kwargs" in own else ())} - {"self", "args", "kwargs"}


def of_applications() -> dict[str, type]:
    """Layers of Keras that only its own networks use, by their names."""
    from keras.src.applications.convnext import LayerScale
    from keras.src.applications.inception_resnet_v2 import CustomScaleLayer

    return {cls.__name__: cls for cls in (LayerScale, CustomScaleLayer)}


def _special(kind: str, config: dict[str, Any], source: Source) -> tuple[dict[str, Any], list[Layer]]:
    """Options whose names or meanings changed, and layers that must follow."""
    new, after = dict(config), []
    if "name" in new:
        new["name"] = usable_name(new["name"])
    if "activation" in new:
        new["activation"] = _activation(new["activation"], source)
        activations = new["activation"], new.get("recurrent_activation")
        if "hard_sigmoid" in activations and source.version < 3:  # another function since Keras 3
            if activations[1]:
                raise _unknown_option("hard_sigmoid of Keras 2", kind, config, source)
            new["activation"] = "linear"
            after = [_layer("Rescaling", scale=0.2, offset=0.5), _layer("ReLU", max_value=1.0)]
    if kind == "LeakyReLU" and "alpha" in new:
        new["negative_slope"] = new.pop("alpha")
    if isinstance(new.get("axis"), list) and len(new["axis"]) == 1:
        (new["axis"],) = new["axis"]
    if source.channels_first and kind in CHANNELS_LAST_ONLY:
        raise _unknown_option("channels_first", kind, config, source)
    new |= _channels_last(new) if source.channels_first else {}
    new |= _inner_layers(new, source)
    return new, after


def _channels_last(config: dict[str, Any]) -> dict[str, Any]:
    """The options that said where the channels are, for channels that come last."""
    axis = {"axis": -1} if config.get("axis") == 1 else {}
    return axis | ({"data_format": "channels_last"} if "data_format" in config else {})


def _inner_layers(config: dict[str, Any], source: Source) -> dict[str, Any]:
    """The options that are layers themselves, rewritten."""
    one = {
        key: _inner(config[key], source)
        for key in ("layer", "backward_layer", "cell")
        if isinstance(config.get(key), dict)
    }
    several = {key: [_inner(each, source) for each in config[key]] for key in config.keys() & {"cells", "layers"}}
    return one | several


def _inner(layer: Layer, source: Source) -> Layer:
    """A layer within the config of another, where Keras wants to know that it is one of its own."""
    (found,) = _modern(layer, source)
    return {"module": "keras.layers", "registered_name": None} | found


def _activation(value: Any, source: Source) -> Any:
    """A name of Keras, or the config of a layer that is used as an activation."""
    import keras

    if isinstance(value, dict):
        if isinstance(value.get("config"), dict):
            return _inner(value, source)
        value = value.get("config")
    if value is None:
        return "linear"
    name = str(value).removesuffix("_v2")
    try:
        keras.activations.get(name)
    except ValueError as error:
        raise refused("own_code", source.name, layer=repr(name), kind="an activation") from error
    return name


def _plain(value: Any) -> Any:
    """A value without the ways in which versions of Keras wrapped it, and without anything to import."""
    if isinstance(value, dict):
        if value.get("type") == "ndarray" or value.get("class_name") in ("__numpy__", "__tensor__", "__tuple__"):
            return _plain(value[next(key for key in ("value", "config", "items") if key in value)])
        return {key: _plain(item) for key, item in value.items() if key not in ("module", "registered_name")}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _layer(kind: str, **config: Any) -> Layer:
    return {"class_name": kind, "config": config}


def usable_name(name: str) -> str:
    """The name of a layer as TensorFlow takes it: other characters become their codes, and slashes underscores."""
    return re.sub(r"[^A-Za-z0-9_.>-]", lambda letter: f"{ord(letter[0]):x}", name.replace("/", "_"))


def _input(shape: Any, name: str | None, source: Source) -> Layer:
    """An InputLayer for any number of photos, channels last."""
    shape = _plain(shape)
    rest = shape[1:]
    if source.channels_first and len(rest) == 3:
        rest = [*rest[1:], rest[0]]
    named = {"name": usable_name(name)} if name else {}
    return _layer("InputLayer", batch_shape=[None, *rest], dtype="float32", **named)


def _sequential(config: Any, source: Source) -> list[Layer]:
    layers, name = (config, "sequential") if isinstance(config, list) else (config["layers"], config.get("name"))
    new = [found for layer in layers for found in _modern(layer, source)]
    if len(new) > MOST_IN_A_ROW:
        raise refused("absurd_size", source.name, reason=f"{len(new)} layers in a row")
    shape = _first_shape(config)
    if shape and new[0]["class_name"] != "InputLayer":
        new.insert(0, _input(shape, None, source))
    return [_layer("Sequential", name=usable_name(name or "sequential"), layers=new)]


def _first_shape(config: Any) -> Any:
    """The shape that a layer's config gives for its input; None if it gives none."""
    own, layers = ({}, config) if isinstance(config, list) else (config, config.get("layers"))
    shape = own.get("batch_input_shape") or own.get("batch_shape") or own.get("build_input_shape")
    return shape or (_first_shape(layers[0]["config"]) if layers else None)


def _functional(config: dict[str, Any], source: Source) -> list[Layer]:
    """A graph in which arithmetic is layers."""
    ends, chains = {}, []
    if len(config["layers"]) > MOST_LAYERS:
        raise refused("absurd_size", source.name, reason=f"{len(config['layers'])} layers")
    for entry in config["layers"]:
        name, nodes = entry["name"], entry["inbound_nodes"]
        found = [_operation(entry, source)] if is_operation(entry) else _modern(entry, source)
        chains.append(_chain(found, name, found[0].pop("inbound_nodes", nodes), source))
        ends[name] = chains[-1][-1]["name"]
    layers = [*itertools.chain(*chains)]
    shift = _counted_from_1(layers, [*(layer["inbound_nodes"] for layer in layers), config["output_layers"]])

    def target(ref: list) -> list:
        name, call, output = ref[:3]
        return [ends.get(name, usable_name(name)), call - (name in shift), output]

    for first, *_ in chains:  # the others of a chain refer to their own
        first["inbound_nodes"] = [_call(_redirected(node, target)) for node in first["inbound_nodes"]]
    ports = {key: _single(_redirected(config[key], target)) for key in ("input_layers", "output_layers")}
    return [_layer("Functional", name=usable_name(config.get("name") or "model"), layers=layers, **ports)]


def _counted_from_1(layers: list[Layer], nodes: list) -> set[str]:
    """The nested models whose calls Keras 2 counted from 1, because they had been called when they were made."""
    calls = {
        layer["config"]["name"]: len(layer["inbound_nodes"])
        for layer in layers
        if layer["class_name"] in ("Sequential", "Functional")
    }
    return {name for name, call, *_ in _refs(nodes) if call >= calls.get(usable_name(name), call + 1)}


def _single(ports: list) -> list:
    """One input or output by itself: in a list of one, a nested model would return a list."""
    return ports[0] if len(ports) == 1 else ports


def _operation(entry: Layer, source: Source) -> Layer:
    if layer := as_layer(entry):
        return layer
    kind = operation_of(entry) if entry["class_name"] in OPERATION_LAYERS else entry["class_name"]
    raise refused("unknown_operation", source.name, layer=repr(entry["name"]), kind=kind)


def _chain(layers: list[Layer], name: str, nodes: list, source: Source) -> list[Layer]:
    """Layers of a graph with their names and what they are called on: `nodes`, and then each other."""
    if len(layers) > 1 and len(nodes) != 1:
        raise refused("unknown_operation", source.name, layer=repr(name), kind="a layer that is used twice")
    entries = []
    for number, layer in enumerate(layers):
        own = usable_name(name) if number == 0 else f"{usable_name(name)}_then_{number}"
        inbound = nodes if number == 0 else [[[entries[-1]["name"], 0, 0, {}]]]
        entries.append(layer | {"name": own, "config": layer["config"] | {"name": own}, "inbound_nodes": inbound})
    return entries


def _refs(node: Any) -> list[list]:
    """All references to other layers in a node, of either form."""
    if is_ref(node):
        return [node]
    if isinstance(node, dict):
        if node.get("class_name") == "__keras_tensor__":
            return [list(node["config"]["keras_history"])]
        node = list(node.values())
    return [ref for item in node for ref in _refs(item)] if isinstance(node, list) else []


def _call(node: Any) -> Any:
    """A call with a tensor as an option, as Keras 3 writes it: it would take the older form of that for a list."""
    if not isinstance(node, list) or not any(is_ref(ref) and _refs(ref[3:]) for ref in node):
        return node

    def tensor(ref: list) -> Layer:
        config = {"shape": [None], "dtype": "float32", "keras_history": ref[:3]}
        return {"class_name": "__keras_tensor__", "config": config}

    given = [tensor(ref) for ref in node]
    options = {key: tensor(value) if is_ref(value) else value for key, value in node[0][3].items()}
    return {"args": given if len(given) == 1 else [given], "kwargs": options}


def _redirected(node: Any, target: Any) -> Any:
    """A node with other references; options of calls that matter only in training are left out."""
    if is_ref(node):
        return [*target(node), *_redirected(node[3:], target)]
    if isinstance(node, dict):
        if node.get("class_name") == "__keras_tensor__":
            config = node["config"]
            return node | {"config": config | {"keras_history": target(config["keras_history"])}}
        return {key: _redirected(value, target) for key, value in node.items() if key != "training"}
    return [_redirected(item, target) for item in node] if isinstance(node, list) else node
