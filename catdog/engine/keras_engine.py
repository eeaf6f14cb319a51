"""Run a model with Keras on TensorFlow: the reference that conversions are compared with."""

from __future__ import annotations

import contextlib
import importlib.util
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from catdog.engine.interface import Outputs
from catdog.errors import ModelMismatch, ModelUnavailable, NotConverted, NotWritten
from catdog.keras_file.head import with_probabilities
from catdog.models.spec import ModelSpec

if TYPE_CHECKING:
    import keras


class KerasEngine:
    """Runs a Keras model. In a process that was forked later it raises ModelUnavailable."""

    def __init__(self, model: keras.Model, *, problem: str = ""):
        import keras

        from catdog.engine.class_maps import with_maps

        self.model, self.problem, self.process = with_maps(model), problem, os.getpid()
        self.runtime = f"Keras {keras.__version__} on {keras.backend.backend()}, float32"

    def __call__(self, batch: np.ndarray) -> Outputs:
        if self.process != os.getpid():  # TensorFlow would wait forever for threads that the fork does not have
            raise ModelUnavailable(
                "TensorFlow cannot run in a process that was forked after the models were loaded: load them in each "
                "process, as gunicorn does without --preload."
            )
        outputs = self.model.predict_on_batch([batch])  # `predict` would build a data pipeline each time
        return Outputs.from_model(**{name: np.asarray(values, dtype=np.float32) for name, values in outputs.items()})


def load_model(path: Path, spec: ModelSpec) -> keras.Model:
    """Open a file of any version of Keras and compare its declared input and output with its spec.

    Raises Refused when the file is no model that can be served, ModelMismatch when it does not fit the spec, and
    NotConverted where it cannot be unpacked.
    """
    from catdog.keras_file.read import read  # it needs h5py, which serving conversions does without

    try:
        found = read(path, size=spec.input.array[:2])
    except NotWritten as error:
        raise NotConverted(str(error)) from error
    _check_input(found.model, path, spec)
    adopted = spec.training.get("head") == "sigmoids"
    return with_probabilities(found.model, path.name, found.loss, sigmoids=adopted)


def has_keras() -> bool:
    """Whether Keras and TensorFlow are installed."""
    return importlib.util.find_spec("keras") is not None and importlib.util.find_spec("tensorflow") is not None


def limit_threads(threads: int) -> None:
    """Start TensorFlow with this many threads, 0 for all cores. Only the first call of a process has an effect."""
    import tensorflow

    if threads:
        with contextlib.suppress(RuntimeError):  # TensorFlow has started already
            tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
            tensorflow.config.threading.set_inter_op_parallelism_threads(threads)


def _check_input(model: keras.Model, path: Path, spec: ModelSpec) -> None:
    """Compare the declared input with the spec: a fully convolutional model would run at a wrong size, but badly."""
    wanted = (None, *spec.input.array)
    declared = [tuple(tensor.shape) for tensor in model.inputs]
    if (
        len(declared) != 1
        or len(declared[0]) != 4
        or any(size not in (None, want) for size, want in zip(declared[0], wanted, strict=True))
    ):
        raise ModelMismatch(f"{path.name} takes inputs of shape {declared}; its spec says {wanted}.")
