"""Run a model with Keras on TensorFlow: the reference that conversions are compared with."""

from __future__ import annotations

import contextlib
import os
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from catdog.engine.interface import Outputs
from catdog.errors import ModelMismatch, ModelUnavailable
from catdog.models.spec import ModelSpec

if TYPE_CHECKING:
    import keras


class KerasEngine:
    """Runs a Keras model. In a process that was forked later it raises ModelUnavailable."""

    def __init__(self, model: keras.Model, *, problem: str = ""):
        import keras

        self.model, self.problem, self.process = with_features_and_maps(model), problem, os.getpid()
        self.runtime = f"Keras {keras.__version__} on {keras.backend.backend()}, float32"

    def __call__(self, batch: np.ndarray) -> Outputs:
        if self.process != os.getpid():  # TensorFlow would wait forever for threads that the fork does not have
            raise ModelUnavailable(
                "TensorFlow cannot run in a process that was forked after the models were loaded: load them in each "
                "process, as gunicorn does without --preload."
            )
        outputs = self.model.predict_on_batch(batch)  # `predict` would build a data pipeline each time
        return Outputs.from_model(**{name: np.asarray(values, dtype=np.float32) for name, values in outputs.items()})


def load_model(path: Path, spec: ModelSpec) -> keras.Model:
    """Open a `.h5` file and compare its declared input and output with its spec.

    Raises ModelMismatch when the file cannot be opened as a model or does not fit the spec.
    """
    import keras

    try:
        # Without compile no training code is restored; safe mode refuses pickled functions.
        model = keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras and h5py raise many kinds on broken files
        reason = first_line(error).replace(str(path), path.name)  # pages show it: no folders
        raise ModelMismatch(f"{path.name} cannot be loaded as a Keras model: {reason}") from error
    _check_input(model, path, spec)
    return model


def with_features_and_maps(model: keras.Model) -> keras.Model:
    """The same layers with the outputs `probabilities` and, where the model has them, `features` and `maps`."""
    import keras
    from keras import layers

    head = model.layers[-1]
    (probabilities,) = model.outputs
    outputs = {"probabilities": probabilities}
    if isinstance(head, layers.Dense) and probabilities is head.output:
        seen = head.input
        while isinstance(before := seen._keras_history.operation, layers.Dropout):  # the layer that made it
            seen = before.input
        outputs["features"] = seen
        if isinstance(before, layers.GlobalAveragePooling2D) and before.data_format == "channels_last":
            maps = layers.Dense(head.units, use_bias=False, name="maps")
            outputs["maps"] = maps(before.input)
            maps.set_weights([np.asarray(head.kernel)])
    return keras.Model(model.inputs[0], outputs)


def limit_threads(threads: int) -> None:
    """Start TensorFlow with this many threads, 0 for all cores. Only the first call of a process has an effect."""
    import tensorflow

    if threads:
        with contextlib.suppress(RuntimeError):  # TensorFlow has started already
            tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
            tensorflow.config.threading.set_inter_op_parallelism_threads(threads)


def first_line(error: Exception) -> str:
    """The useful line of a library's message, at most 300 characters.

    Keras adds whole configurations after it, and OpenVINO adds places in its source code before it.
    """
    lines = [line for line in str(error).splitlines() if line.strip() and not line.startswith("Exception from ")]
    return textwrap.shorten(lines[0] if lines else type(error).__name__, 300)


def _check_input(model: keras.Model, path: Path, spec: ModelSpec) -> None:
    """Compare the declared input with the spec: a fully convolutional model would run at a wrong size, but badly."""
    wanted = (None, spec.image_size, spec.image_size, 3)
    declared = [tuple(tensor.shape) for tensor in model.inputs]
    if (
        len(declared) != 1
        or len(declared[0]) != 4
        or any(size not in (None, want) for size, want in zip(declared[0], wanted, strict=True))
    ):
        raise ModelMismatch(f"{path.name} takes inputs of shape {declared}; its spec says {wanted}.")
    if len(model.outputs) != 1:
        raise ModelMismatch(
            f"{path.name} does not turn pixels of shape {wanted} into one array: it has {len(model.outputs)} outputs."
        )
