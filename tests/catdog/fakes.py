"""Comparators around engines of a few lines that look at nothing but colour: every kind of verdict, at once."""

import numpy as np
from PIL import Image
from scipy.special import softmax

from catdog import ModelSpec, Settings
from catdog.classifier import Classifier
from catdog.comparator import Comparator
from catdog.engine import Outputs
from catdog.engine.openvino_engine import OpenVINOEngine
from catdog.verdict import Comparison, Verdict
from tests.specs import minimal

# What the models of `comparator` say of photos of one colour.
CAT, DOG, DISPUTED, NEITHER = (200, 40, 40), (40, 200, 40), (200, 200, 40), (40, 40, 200)
NAMES = {"scratch_cnn": "CNN from scratch", "xception": "Xception", "mobilenet_v2": "MobileNetV2"}
SHA = {name: f"{number:064x}" for number, name in enumerate(NAMES)}


class Colours:
    """Red is a cat, green a dog, blue neither; with as much of red and green, the sign of `bias` decides."""

    runtime, problem = "fake", ""

    def __init__(self, bias: float):
        self.bias = bias

    def __call__(self, batch: np.ndarray) -> Outputs:
        red, green, blue = np.moveaxis(batch[:, 4::8, 4::8] / 255, -1, 0)
        maps = np.stack([np.zeros_like(red), 8 * (green - red), 20 * (blue - np.maximum(red, green))], axis=-1)
        logits = maps.mean(axis=(1, 2)) + np.array([0, self.bias, 0])
        return Outputs.from_model(softmax(logits, axis=1), maps)


class Fixed:
    """An engine that gives the same outputs to every photo."""

    runtime, problem = "a test", ""

    def __init__(self, *outputs: float):
        self.outputs = outputs

    def __call__(self, batch: np.ndarray) -> Outputs:
        return Outputs.from_model(np.array([self.outputs] * len(batch), np.float32))


class NonsenseInInt8(OpenVINOEngine):
    """Answers in int8 with what is no number, and else as the model does."""

    def __call__(self, batch: np.ndarray) -> Outputs:
        outputs = super().__call__(batch)
        return outputs._replace(probabilities=outputs.probabilities * (np.nan if "int8" in self.runtime else 1))


def fixed(name: str, *outputs: float, accuracy: float = 0.9, **changes) -> Classifier:
    """A model that gives the same outputs to every photo."""
    return Classifier(minimal(name, metrics={"val": {"accuracy": accuracy}}, **changes), Fixed(*outputs))


def spec(name: str, **changes) -> ModelSpec:
    """A spec that knows all that a spec can know."""
    same = [other for other in ("xception", "mobilenet_v2") if name in ("xception", "mobilenet_v2") and other != name]
    disputes = {
        "others": {other: SHA[other] for other in NAMES if other != name}, "same": same, "photos": 40,
        "right": 30 if same else 10,
    }  # fmt: skip
    values = {
        "name": name, "title": NAMES.get(name, name.upper()), "architecture": name, "file": f"{name}.h5",
        "sha256": SHA.get(name, "f" * 64),
        "bytes": 6_500_000, "image_size": 32, "classes": ("cat", "dog"),
        "neither": {"threshold": 0.5, "auroc": 0.99},
        "metrics": {"val": {"accuracy": 0.97, "images": 2000}}, "disagreement": [disputes],
        "sureness": {"confidence": [0.0, 0.9], "error_rate": [0.3, 0.02]},
        "training": {"parameters": 2_900_000, "seconds": 1260},
    }  # fmt: skip
    return ModelSpec(**values | changes)


def verdict(model: str = "m", label: str = "cat", **known) -> Verdict:
    """What one model says, as far as it matters."""
    return Verdict(
        **{"model": model, "label": label, "confidence": 0.9, "probabilities": {}, "milliseconds": 1} | known
    )


def compared(*verdicts: Verdict, **known) -> Comparison:
    """Verdicts of which the first leads."""
    first = verdicts[0]
    values = {
        "prediction": first.label.capitalize(), "confidence": first.confidence, "leader": first.model,
        "models": verdicts, "agree": len({verdict.label for verdict in verdicts}) == 1, "source": "bundled",
        "verdict": first.label,
    }  # fmt: skip
    return Comparison(**values | known)


def classifiers() -> list[Classifier]:
    return [Classifier(spec(name), Colours(0.3 if name != "scratch_cnn" else -0.3)) for name in NAMES]


def comparator(settings: Settings | None = None) -> Comparator:
    """Three models that agree on CAT and DOG, and on what is neither, and disagree on DISPUTED."""
    return Comparator(classifiers(), settings=settings)


def photo(colour: tuple[int, int, int], size: tuple[int, int] = (320, 240)) -> Image.Image:
    """A photo of one colour with a darker half, so that its maps are not flat."""
    image = Image.new("RGB", size, colour)
    image.paste(tuple(value // 2 for value in colour), (0, 0, size[0] // 2, size[1]))
    return image
