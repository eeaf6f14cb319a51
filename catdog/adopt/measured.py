"""What labelled photos tell about a model: its scaling and classes, its accuracy, its temperature and error rates."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from catdog.adopt.choose import Choice, choose, scalings_for
from catdog.adopt.fit_confidence import fit_error_rate, fit_temperature
from catdog.adopt.labelled import Labelled, read_pixels
from catdog.classifier import calibrated
from catdog.engine import Outputs
from catdog.errors import InvalidSettings, NotWritten
from catdog.photo.array import Input, Scaling, Shape, scaled
from catdog.photo.reader import Reader
from catdog.settings import Settings

if TYPE_CHECKING:
    import keras

# How many photos the choice is made with, and how many a model is measured on: fewer, down to LEAST, where these would
# take more than MOST_SECONDS, or pixels to choose with more than MOST_BYTES.
MOST_TO_CHOOSE, MOST_TO_MEASURE, LEAST = 200, 2000, 40
MOST_SECONDS, MOST_BYTES = 60, 2**28
LEAST_TO_CALIBRATE = 20
BATCH = 32  # photos, or fewer where the model takes much memory for each
TRIALS = 5  # of which the median time is taken


def measured(
    model: keras.Model,
    names: tuple[str, ...],
    shapes: Sequence[Shape],
    usual: dict[str, Any],
    labelled: Labelled,
    seconds: float,
) -> tuple[Choice, dict[str, Any], tuple[int, int]]:
    """What labelled photos say: the choice, fields of the spec, and how many photos could be read and how many not."""
    from catdog.keras_file.footprint import photos_at_once  # it imports Keras

    labelled = labelled.of(names)
    if len(labelled.classes) < 2:
        raise InvalidSettings(
            f"{labelled.folder} must hold photos of at least two of {', '.join(names)}. "
            f"Found: {', '.join(labelled.classes) or 'none'}."
        )
    wanted = Input(*shapes[0])
    ways = len(shapes) * len(scalings_for(wanted.array[2], usual.get("scaling")))
    room = max(LEAST, MOST_BYTES // (len(shapes) * math.prod(wanted.array)))
    first = min(_affordable(MOST_TO_CHOOSE, ways * seconds), room)
    paths = labelled.paths[: max(first, _affordable(MOST_TO_MEASURE, seconds))]
    labels = np.array([names.index(name) for name in labelled.names[: len(paths)]])
    reader = Reader.of([wanted], Settings.from_env())
    batch = min(BATCH, photos_at_once(model, wanted.array[:2]))
    predict = functools.partial(_predict, model, batch)
    pixels, readable = read_pixels(paths[:first], shapes, reader)
    seen = labels[:first][readable]
    if len({*seen}) < 2:
        raise InvalidSettings(f"Photos of at least two classes in {labelled.folder} must be readable.")
    choice = choose(predict, pixels, seen, len(names), usual)
    option = choice.option
    rows = [predict(pixels[option.shape], option.scaling)]
    for start in range(first, len(paths), batch):
        more, read_too = read_pixels(paths[start : start + batch], [option.shape], reader)
        readable = np.concatenate([readable, read_too])
        if read_too.any():
            rows.append(predict(more[option.shape], option.scaling))
    probabilities = np.concatenate(rows)[:, np.argsort(option.order)]
    return choice, _figures(probabilities, labels[readable]), (int(readable.sum()), int((~readable).sum()))


def _figures(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """Fields of a spec from uncalibrated probabilities (N, classes), in the order of the labels (N,).

    A few photos are no validation set, so the figures are kept under the key `photos`, where they do not make the model
    the leader.
    """
    enough = len(labels) >= LEAST_TO_CALIBRATE
    temperature = fit_temperature(probabilities, labels) if enough else 1.0
    rows = calibrated(probabilities, temperature)
    right = rows.argmax(axis=1) == labels
    loss = -np.log(np.clip(rows[np.arange(len(labels)), labels], 1e-12, 1)).mean()
    figures = {"images": len(labels), "accuracy": float(right.mean()), "log_loss": float(loss)}
    return {
        "temperature": temperature,
        "metrics": {"photos": {key: round(value, 5) for key, value in figures.items()}},
        "sureness": fit_error_rate(rows.max(axis=1), right) if enough else None,
    }


def _affordable(most: int, seconds: float) -> int:
    """How many photos can be judged in MOST_SECONDS, at that many seconds each: LEAST to `most`."""
    return int(np.clip(MOST_SECONDS / seconds, LEAST, most))


def _predict(model: keras.Model, batch: int, pixels: np.ndarray, scaling: Scaling) -> np.ndarray:
    """Probabilities (N, classes) that add up to 1, also of sigmoids; raises NotWritten for NaN."""
    batches = (scaled(pixels[start : start + batch], scaling) for start in range(0, len(pixels), batch))
    parts = [np.asarray(model.predict_on_batch(photos)) for photos in batches]
    rows = Outputs.from_model(np.concatenate(parts).astype(np.float64)).probabilities
    if not np.isfinite(rows).all():
        raise NotWritten("Nothing is written: the model's answers are no numbers (NaN), so its weights are broken.")
    return rows / np.maximum(rows.sum(axis=1, keepdims=True), 1e-12)


def seconds_of(model: keras.Model, array: tuple[int, int, int]) -> float:
    photo, times = np.zeros((1, *array), np.float32), []
    for _ in range(TRIALS + 1):
        start = time.perf_counter()
        model.predict_on_batch(photo)
        times.append(time.perf_counter() - start)
    return float(np.median(times[1:]))  # the first one compiles
