"""One `.h5` file -> a callable from pixels to probabilities."""

from __future__ import annotations

import contextlib
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .config import Settings
from .errors import ModelMismatch
from .spec import ModelSpec

if TYPE_CHECKING:
    import keras

# float32 (N, H, W, 3), scaled as the spec says -> float32 (N, outputs)
Engine = Callable[[np.ndarray], np.ndarray]


def load_engine(path: Path, spec: ModelSpec, settings: Settings) -> Engine:
    """Load a Keras `.h5` file, check its shapes against its spec, and warm it up.

    Raises ModelMismatch when the file cannot be opened as a model or does not fit the spec.
    """
    import keras

    _limit_threads(settings.threads)
    try:
        # Without compile no training code is restored; safe mode refuses pickled functions.
        model = keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras and h5py raise many kinds on broken files
        reason = _first_line(error).replace(str(path), path.name)  # pages show it, and nobody's folders
        raise ModelMismatch(f"{path.name} cannot be loaded as a Keras model: {reason}") from error

    _check_input(model, path, spec)

    def engine(batch: np.ndarray) -> np.ndarray:
        # predict_on_batch runs one compiled call; predict would build a data pipeline each time.
        return np.asarray(model.predict_on_batch(batch), dtype=np.float32)

    _check(engine, path, spec)
    return engine


def are_probabilities(outputs: np.ndarray) -> bool:
    """Whether all values are numbers from 0 to 1, but for rounding."""
    return bool(np.all((outputs >= -1e-4) & (outputs <= 1 + 1e-4)))  # False for NaN


def _check_input(model: keras.Model, path: Path, spec: ModelSpec) -> None:
    """Compare the declared input with the spec: a model that averages over its area runs at any size, wrongly."""
    wanted = (None, spec.image_size, spec.image_size, 3)
    declared = [tuple(tensor.shape) for tensor in model.inputs]
    if (
        len(declared) != 1
        or len(declared[0]) != 4
        or any(size not in (None, want) for size, want in zip(declared[0], wanted, strict=True))
    ):
        raise ModelMismatch(f"{path.name} takes inputs of shape {declared}; its spec says {wanted}.")


def _check(engine: Engine, path: Path, spec: ModelSpec) -> None:
    shape = (1, spec.image_size, spec.image_size, 3)
    try:
        outputs = engine(np.zeros(shape, np.float32))
    except Exception as error:
        raise ModelMismatch(
            f"{path.name} does not turn pixels of shape {shape} into one array: {_first_line(error)}"
        ) from error
    allowed = [(1, len(spec.classes))] + ([(1, 1)] if len(spec.classes) == 2 else [])
    if outputs.shape not in allowed:
        raise ModelMismatch(
            f"{path.name} has outputs of shape {outputs.shape}; its spec names {len(spec.classes)} classes, "
            f"which needs {' or '.join(map(str, allowed))}."
        )
    if not are_probabilities(outputs):
        raise ModelMismatch(
            f"{path.name} returns values that are not probabilities from 0 to 1: {outputs[0].tolist()}. "
            "Its last layer must be a sigmoid or a softmax, and its weights numbers."
        )


def _first_line(error: Exception) -> str:
    """The part of a library's message that people can use; Keras goes on with whole configurations."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return textwrap.shorten(lines[0], 300)


def _limit_threads(threads: int) -> None:
    if threads:
        import tensorflow

        with contextlib.suppress(RuntimeError):  # already running: the first model's limit holds
            tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
            tensorflow.config.threading.set_inter_op_parallelism_threads(threads)
