"""The command `adopt`: from somebody's file to an `.h5` and a spec, written whole or not at all."""

from __future__ import annotations

import datetime
import functools
import math
import re
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from catdog.adopt.choose import Choice, Option, choose, scalings_for
from catdog.adopt.fit_confidence import fit_error_rate, fit_temperature
from catdog.adopt.guess import usual_scaling
from catdog.adopt.labelled import Labelled, find_labelled, read_pixels
from catdog.adopt.source import Source, find_source, usual_name
from catdog.classifier import calibrated
from catdog.engine import Outputs
from catdog.errors import InvalidSettings, NotWritten
from catdog.files import whole
from catdog.keras_file.head import activation_of, last_layer, with_probabilities
from catdog.keras_file.read import Read, read
from catdog.keras_file.refusals import refused
from catdog.models.locate import ORDER
from catdog.models.spec import ModelSpec, sha256_of
from catdog.photo.array import Input, Scaling, Shape, scaled
from catdog.photo.reader import Reader
from catdog.settings import Settings

if TYPE_CHECKING:
    import keras

SIDES = range(8, 2049)  # what a spec allows
# Photos that the choice is made with, and that a model is measured on. Fewer where that would take long, or as pixels
# take more than MOST_BYTES.
MOST_TO_CHOOSE, MOST_TO_MEASURE, LEAST = 200, 2000, 40
MOST_SECONDS, MOST_BYTES = 120, 2**28
LEAST_TO_CALIBRATE = 20
BATCH = 32
ASSUMED = ("cat", "dog")  # the alphabetical order that Keras gives to folders
LARGEST_DIFFERENCE = 1e-5  # between probabilities of the model as it was read and as it was written
TRIALS = 5  # of which the median time is taken


@dataclass(frozen=True)
class Adopted:
    """What was written, and how it came about.

    spec     as written
    folder   where it and the `.h5` are
    head     what the last layer is
    version  of Keras that wrote the file
    choice   what the photos said, or None without photos
    assumed  fields of Option that nothing but the photos told: `scaling`, `order`
    seconds  that one photo takes, the median
    photos   how many photos could be read, and how many not
    """

    spec: ModelSpec
    folder: Path
    head: str
    version: str
    choice: Choice | None
    assumed: tuple[str, ...]
    seconds: float
    photos: tuple[int, int]


def adopt(
    path: Path,
    out: Path,
    *,
    classes: Sequence[str] = (),
    photos: Path | None = None,
    size: tuple[int, int] | None = None,
    logits: bool = False,
    name: str | None = None,
    overwrite: bool = False,
) -> Adopted:
    """Write `out`/NAME.h5 and its spec for the model in a file, a folder or a zip.

    classes    the names of its outputs, in order; by default those of labels.txt beside it, or of `photos`
    photos     a folder of labelled photos that it was not trained on
    size       height and width of its photos, where the file does not say
    logits     whether its linear outputs are logits, even if the file does not say so
    name       by default the file's
    overwrite  whether NAME.h5 and NAME.json may be replaced

    Raises Refused for a file that cannot be served, InvalidSettings for other arguments that cannot be used, and
    NotWritten.
    """
    labelled = find_labelled(photos) if photos else None
    with tempfile.TemporaryDirectory(prefix="catdog-") as workspace:
        source = find_source(path, Path(workspace))
        target = _target(out, name or _name(source.model if source.model.stem != "config" else path), overwrite)
        found = read(source.model, source.weights, size)
        model = with_probabilities(found.model, source.model.name, found.loss, logits=logits, sigmoids=True)
        array = _array(model, source.model.name, size)
        names, certain = _classes(model, source, tuple(map(usual_name, classes)), labelled, source.model.name)
        facts = _facts(path, source, found, model)
    shapes, seconds = _shapes(array, source), _seconds(model, array)
    scaling, known = ("symmetric", True) if source.teachable else usual_scaling(model)
    wanted = Option(scaling, shapes[0], tuple(range(len(names))))
    assumed = (() if certain else ("order",)) + (() if known else ("scaling",))
    choice, figures, counts = None, {}, (0, 0)
    if labelled:
        usual = {field: value for field, value in wanted._asdict().items() if field not in assumed}
        choice, figures, counts = _measured(model, names, shapes, usual, labelled, seconds)
        wanted = choice.option
    spec = _write(model, _spec(target, array, wanted, names, figures, facts), target)
    return Adopted(spec, out, activation_of(last_layer(model)), found.version, choice, assumed, seconds, counts)


def _target(out: Path, name: str, overwrite: bool) -> Path:
    """Where the `.h5` goes; raises InvalidSettings where something is there already."""
    target = out / f"{name}.h5"
    for path in (target, target.with_suffix(".json")):
        if path.exists() and not overwrite:
            raise InvalidSettings(f"{path} is there already: give another --name, or --overwrite to replace it.")
    return target


def _name(path: Path) -> str:
    """A file's name as a spec allows it, and none of a shipped model."""
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", path.name.split(".")[0]).lstrip("_-") or "model"
    return f"my_{name}" if name in ORDER else name


def _array(model: keras.Model, name: str, size: tuple[int, int] | None) -> tuple[int, int, int]:
    """Height, width and channels of the photos; raises Refused."""
    shapes = [tuple(tensor.shape) for tensor in model.inputs]
    shape = shapes[0]
    if len(shapes) != 1 or len(shape) != 4 or shape[3] not in (1, 3):
        raise refused("not_for_photos", name, shape=shapes if len(shapes) > 1 else shape)
    if None in shape[1:3] and size is None:
        raise refused("unknown_input", name)
    height, width = (side or wanted for side, wanted in zip(shape[1:3], size or (0, 0), strict=True))
    if height not in SIDES or width not in SIDES:
        raise refused("not_for_photos", name, shape=shape)
    return height, width, shape[3]


def _classes(
    model: keras.Model, source: Source, given: tuple[str, ...], labelled: Labelled | None, name: str
) -> tuple[tuple[str, ...], bool]:
    """The names of the outputs in order, and whether somebody named them; raises InvalidSettings."""
    count = max(2, model.outputs[0].shape[1])
    labels, seen = source.labels or (), labelled.classes if labelled else ()
    if len(seen) == count and not {*labels} & {*seen}:
        labels = ()  # such as Teachable Machine's "Class 1": the photos have better names
    names = given or labels or seen or ASSUMED
    if len(names) != count or len(set(names)) != count:
        raise InvalidSettings(
            f"{name} tells {count} classes apart; name so many different ones with --classes or --labels, in the order "
            f"of its outputs. Received: {', '.join(names)}."
        )
    return names, bool(given or labels)


def _facts(path: Path, source: Source, found: Read, model: keras.Model) -> dict[str, Any]:
    """What the spec keeps of where the model is from."""
    head = activation_of(last_layer(model))
    several = {"head": "sigmoids"} if head == "sigmoid" and model.outputs[0].shape[1] > 1 else {}
    return several | {
        "adopted_from": path.name,
        "adopted_sha256": sha256_of(source.weights or source.model),
        "keras_version": found.version,
        "parameters": model.count_params(),
        "date": datetime.date.today().isoformat(),
    }


def _shapes(array: tuple[int, int, int], source: Source) -> list[Shape]:
    """The shapes of pixels that a model may want, the usual one first."""
    height, width, channels = array
    size = height if height == width and channels == 3 else array
    modes = ("crop", "stretch") if source.teachable else ("stretch", "crop")
    return [(size, mode) for mode in modes]


def _measured(
    model: keras.Model,
    names: tuple[str, ...],
    shapes: Sequence[Shape],
    usual: dict[str, Any],
    labelled: Labelled,
    seconds: float,
) -> tuple[Choice, dict[str, Any], tuple[int, int]]:
    """What labelled photos say: the choice, fields of the spec, and how many photos could be read and how many not."""
    labelled = labelled.of(names)
    if len(labelled.classes) < 2:
        raise InvalidSettings(
            f"{labelled.folder} must hold photos of at least two of {', '.join(names)}. "
            f"Found: {', '.join(labelled.classes) or 'none'}."
        )
    wanted = Input(*shapes[0])
    ways, size = len(shapes) * len(scalings_for(wanted.array[2])), len(shapes) * math.prod(wanted.array)
    first = min(_affordable(MOST_TO_CHOOSE, ways * seconds), max(LEAST, MOST_BYTES // size))
    paths = labelled.paths[: max(first, _affordable(MOST_TO_MEASURE, seconds))]
    labels = np.array([names.index(name) for name in labelled.names[: len(paths)]])
    reader = Reader.of([wanted], Settings.from_env())
    pixels, readable = read_pixels(paths[:first], shapes, reader)
    if not readable.any():
        raise InvalidSettings(f"No photo in {labelled.folder} can be read.")
    choice = choose(functools.partial(_predict, model), pixels, labels[:first][readable], len(names), usual)
    option = choice.option
    rows = [_predict(model, pixels[option.shape], option.scaling)]
    for start in range(first, len(paths), BATCH):
        more, read_too = read_pixels(paths[start : start + BATCH], [option.shape], reader)
        readable = np.concatenate([readable, read_too])
        if read_too.any():
            rows.append(_predict(model, more[option.shape], option.scaling))
    probabilities = np.concatenate(rows)[:, np.argsort(option.order)]
    return choice, _figures(probabilities, labels[readable]), (int(readable.sum()), int((~readable).sum()))


def _figures(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """Fields of a spec from uncalibrated probabilities (N, classes), in the order of the labels (N,).

    Few photos are no validation set, so the figures are kept under a name of their own, and such a model does not lead
    others by them.
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
    """How many photos can be asked about in MOST_SECONDS, at that many seconds each: LEAST to `most`."""
    return int(np.clip(MOST_SECONDS / seconds, LEAST, most))


def _predict(model: keras.Model, pixels: np.ndarray, scaling: Scaling) -> np.ndarray:
    """Probabilities (N, classes) that add up to 1, also of sigmoids."""
    batches = (scaled(pixels[start : start + BATCH], scaling) for start in range(0, len(pixels), BATCH))
    parts = [np.asarray(model.predict_on_batch(batch)) for batch in batches]
    rows = Outputs.from_model(np.concatenate(parts).astype(np.float64)).probabilities
    return rows / np.maximum(rows.sum(axis=1, keepdims=True), 1e-12)


def _spec(
    target: Path,
    array: tuple[int, int, int],
    wanted: Option,
    names: tuple[str, ...],
    figures: dict[str, Any],
    facts: dict[str, Any],
) -> ModelSpec:
    """A spec of a file that is not yet written."""
    height, width, channels = array
    shape = {} if width == height and channels == 3 else {"image_width": width, "channels": channels}
    return ModelSpec(
        name=target.stem, title=target.stem.replace("_", " "), architecture="adopted", file=target.name,
        sha256="0" * 64, bytes=0, image_size=height,
        classes=tuple(names[place] for place in wanted.order), resize=wanted.shape[1], scaling=wanted.scaling,
        training=facts, **shape, **figures,
    )  # fmt: skip


def _write(model: keras.Model, spec: ModelSpec, target: Path) -> ModelSpec:
    """Write the `.h5` and the spec, and return it; raises NotWritten where that fails or gives other answers."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with whole(target) as partial:
            model.save(partial)
            _require_same(model, partial, spec)
            spec = spec.replace(sha256=sha256_of(partial), bytes=partial.stat().st_size)
            # A spec without its `.h5` would be reported as broken: it comes last, and an old one goes first.
            target.with_suffix(".json").unlink(missing_ok=True)
        spec.write(target.with_suffix(".json"))
    except OSError as error:
        target.unlink(missing_ok=True)
        raise NotWritten(f"{target} cannot be written: {error.strerror or error}.") from error
    return spec


def _require_same(model: keras.Model, written: Path, spec: ModelSpec) -> None:
    """Read the file again, as serving does, and compare its answers."""
    again = with_probabilities(read(written).model, written.name, sigmoids=True)
    batch = np.random.default_rng(0).integers(0, 256, (2, *spec.input.array)).astype(np.uint8)
    before, after = (np.asarray(each.predict_on_batch(scaled(batch, spec.scaling))) for each in (model, again))
    difference = float(np.abs(before - after).max())
    if not difference <= LARGEST_DIFFERENCE:  # also for NaN
        raise NotWritten(f"{spec.file} is not written: read again, a probability differs by {difference:.1e}.")


def _seconds(model: keras.Model, array: tuple[int, int, int]) -> float:
    photo, times = np.zeros((1, *array), np.float32), []
    for _ in range(TRIALS + 1):
        start = time.perf_counter()
        model.predict_on_batch(photo)
        times.append(time.perf_counter() - start)
    return float(np.median(times[1:]))  # the first one compiles
