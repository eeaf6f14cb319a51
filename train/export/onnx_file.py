"""One `.h5` -> a small ONNX file with the outputs of an engine, whose answers are close to those of Keras."""

import math
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from tqdm import tqdm

from catdog.classifier import Classifier
from catdog.engine import convert
from catdog.engine.keras_engine import KerasEngine, load_model
from catdog.errors import CatDogError
from catdog.models.spec import ModelSpec
from catdog.photo.array import resized, scaled
from catdog.photo.decode import decode
from train.export.compact import LADDER, compact
from train.export.layer_inputs import factors
from train.export.onnx_engine import OnnxEngine

OPSET = 17
LARGEST_DIFFERENCE = 0.01  # of a calibrated probability from that of Keras
TYPICAL = 50  # photos at least, and fewer than twice as many, that tell what the inputs of layers are like


class NotExported(CatDogError, RuntimeError):
    """A model whose ONNX file would answer otherwise than its `.h5`."""

    code = "not_exported"


def exported(
    path: Path, spec: ModelSpec, photos: Sequence[Path], *, exact: bool = False
) -> tuple[onnx.ModelProto, dict[str, Any]]:
    """The smallest model of LADDER that answers as Keras does, or with `exact` one without rounding; and its figures.

    No label of the photos may change, and no calibrated probability or score for neither may move by more than
    LARGEST_DIFFERENCE (with `exact`, by what a conversion may). Raises NotExported if one does in every model of the
    LADDER, and ModelMismatch for a file that is not the one of its spec.
    """
    ladder, limit = ((None,), convert.LARGEST_DIFFERENCE) if exact else (LADDER, LARGEST_DIFFERENCE)
    engine = KerasEngine(load_model(path, spec))
    expected = [_answer(Classifier(spec, engine), one) for one in tqdm(photos, f"{spec.name} with Keras", leave=False)]
    # The least sure first, because rounding moves them most.
    pairs = sorted(zip(photos, expected, strict=True), key=lambda pair: pair[1][:-1].max())
    answers = engine(convert.check_batch(spec)).probabilities
    whole, kernels = _converted(engine), [*_kernels(engine)]
    typical = photos[:: max(1, len(photos) // TYPICAL)]
    known = {} if exact else factors(whole, (_input(spec, photo) for photo in typical))
    for bits in ladder:
        model = compact(whole, bits, kernels, known)
        engine = OnnxEngine(model)
        found = ((_answer(Classifier(spec, engine), photo), answer) for photo, answer in pairs)
        difference = _largest_difference(tqdm(found, f"{spec.name} as ONNX", len(pairs), leave=False), limit)
        if difference <= limit:
            return model, {
                "exact": exact,
                "bits": bits,
                "photos": len(photos),
                "largest_difference": difference,
                "answers": answers.tolist(),
                "ramp": engine(scaled(ramp(spec), spec.scaling)).probabilities[0].tolist(),
            }
    raise NotExported(
        f"{spec.name} is not exported: of {len(photos)} photos the ONNX file changes a label, or a probability by more "
        f"than {limit:g}."
    )


def _answer(classifier: Classifier, photo: Path) -> np.ndarray:
    """Calibrated probabilities of the classes, then the score for neither, 0 for a model without one."""
    spec = classifier.spec
    outputs = classifier.outputs(_input(spec, photo)).of(0)
    return np.append(outputs.probabilities, spec.neither.score(float(outputs.neither)) if spec.neither else 0.0)


def _input(spec: ModelSpec, photo: Path) -> np.ndarray:
    return scaled(resized(decode(photo.read_bytes()), *spec.input.shape)[None], spec.scaling)


def _largest_difference(pairs: Iterable[tuple[np.ndarray, np.ndarray]], limit: float) -> float:
    """The largest difference between two answers, up to the first above `limit`; infinite for another label."""
    largest = 0.0
    for found, expected in pairs:
        if found[:-1].argmax() != expected[:-1].argmax():
            return math.inf
        largest = max(float(np.abs(found - expected).max()), largest)
        if not largest <= limit:
            break
    return largest


def ramp(spec: ModelSpec) -> np.ndarray:
    """A picture that every runtime can make, to check by its answer that it computes correctly: uint8 (1, h, w, c)."""
    shape = spec.input.array
    return (np.arange(math.prod(shape)) * 7 % 256).astype(np.uint8).reshape(1, *shape)


def _kernels(engine: KerasEngine) -> Iterator[np.ndarray]:
    """The weights of the layers as the graph lays them out, before normalisations are multiplied into them."""
    for weights in map(np.asarray, engine.model.weights):
        if weights.ndim == 4:
            yield weights.transpose(3, 2, 0, 1)
            yield weights.transpose(2, 3, 0, 1).reshape(-1, 1, *weights.shape[:2])  # of a depthwise layer


def _converted(engine: KerasEngine) -> onnx.ModelProto:
    """The network of an engine that has answered, float32, for any number of photos."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        engine.model.export(path, format="onnx", opset_version=OPSET, verbose=False)
        model = onnx.load(path)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "photos"
    return model
