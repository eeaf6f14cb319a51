"""The command `adopt`: a model file from elsewhere -> an `.h5` and a spec, written whole or not at all."""

from __future__ import annotations

import datetime
import os.path
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from catdog.adopt.choose import MOST_TO_ORDER, Choice, Option
from catdog.adopt.labelled import Labelled, find_labelled
from catdog.adopt.measured import measured, seconds_of
from catdog.adopt.source import Source, find_source
from catdog.errors import InvalidSettings, NotWritten
from catdog.files import whole
from catdog.keras_file.head import head_of, with_probabilities
from catdog.keras_file.read import Read, read, workspace
from catdog.keras_file.refusals import first_line, refused
from catdog.models.locate import ORDER
from catdog.models.spec import ModelSpec, sha256_of, usual_name
from catdog.photo.array import scaled, size_of

if TYPE_CHECKING:
    import keras

SIDES = range(8, 2049)  # what a spec allows
ASSUMED = ("cat", "dog")  # the alphabetical order that Keras gives to folders
LARGEST_DIFFERENCE = 1e-5  # between probabilities of the model as it was read and as it was written


@dataclass(frozen=True)
class Adopted:
    """What `adopt` wrote, and how it chose the input and the order of the classes."""

    spec: ModelSpec  # as written
    folder: Path  # where it and the `.h5` are
    head: str  # what the last layer is
    choice: Choice | None  # what the photos said, or None without photos
    assumed: tuple[str, ...]  # fields of Option that nothing but the photos told: `scaling`, `order`
    seconds: float  # that one photo takes, the median
    photos: tuple[int, int]  # how many could be read, and how many not


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

    classes    names of the model's outputs, in order; by default those of labels.txt beside it, or of `photos`
    photos     a folder of labelled photos that the model was not trained on
    size       height and width of its input, if the file does not say
    logits     whether its linear outputs are logits, even if the file does not say so
    name       of the model; by default that of `path`
    overwrite  whether NAME.h5 and NAME.json may be replaced

    Raises Refused for a file that cannot be served, InvalidSettings for other arguments that cannot be used, and
    NotWritten.
    """
    given = tuple(map(usual_name, classes))
    with workspace(path.name) as folder:
        source = find_source(path, folder)
        labelled = find_labelled(photos, given or source.labels or ()) if photos else None
        target = _target(out, name or _name(path.absolute()), overwrite)
        found = read(source.model, source.weights, size)
        array = _array(found.model, source.model.name, size)
        model = with_probabilities(found.model, source.model.name, found.loss, logits=logits, sigmoids=True)
        names, certain = _classes(model, source, given, labelled, source.model.name)
        facts = _facts(path, source, found, model)
    modes = ("crop", "stretch") if source.teachable else ("stretch", "crop")  # the usual one first
    shapes = [(size_of(*array), mode) for mode in modes]
    try:
        seconds = seconds_of(model, array)
    except Exception as error:  # TensorFlow raises many kinds
        raise refused("not_loaded", source.model.name, reason=first_line(error)) from error
    from catdog.adopt.guess import usual_scaling  # it imports Keras, which many files are refused without

    scaling, known = ("symmetric", True) if source.teachable else usual_scaling(model)
    wanted = Option(scaling, shapes[0], tuple(range(len(names))))
    assumed = (() if certain else ("order",)) + (() if known else ("scaling",))
    choice, figures, counts = None, {}, (0, 0)
    if labelled:
        usual = {field: value for field, value in wanted._asdict().items() if field not in assumed}
        choice, figures, counts = measured(model, names, shapes, usual, labelled, seconds)
        wanted = choice.option
        facts["chosen_on"] = {"photos": counts[0], "agreement": {k: round(v, 3) for k, v in choice.shares.items()}}
    elif unsaid := (*assumed, *(() if source.teachable else ("shape",))):
        facts["assumed"] = [*unsaid]
    height, width, channels = array
    spec = ModelSpec(
        name=target.stem, title=target.stem.replace("_", " "), architecture="adopted", file=target.name,
        sha256="0" * 64, bytes=0,  # until it is written
        image_size=height, image_width=None if width == height else width, channels=channels,
        classes=tuple(names[place] for place in wanted.order), resize=wanted.shape[1], scaling=wanted.scaling,
        training=facts, **figures,
    )  # fmt: skip
    spec = _write(model, spec, target)
    return Adopted(spec, out, head_of(model.outputs[0]), choice, assumed, seconds, counts)


def _target(out: Path, name: str, overwrite: bool) -> Path:
    """Where the `.h5` goes; raises InvalidSettings for a name that is not allowed, or a file that exists already."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise InvalidSettings(f"--name must be of letters, digits, dots, _ and -. Received: {name!r}.")
    target = out / f"{name}.h5"
    for path in (target, target.with_suffix(".json")):
        if os.path.lexists(path) and not overwrite:
            raise InvalidSettings(f"{path} is there already: give another --name, or --overwrite to replace it.")
    return target


def _name(path: Path) -> str:
    """A model name made from a file's name: as a spec allows it, and not that of a shipped model."""
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
    if len(seen) == count and not _folded(labels) & _folded(seen):
        labels = ()  # such as Teachable Machine's "Class 1": the photos have better names
    names = given or labels or seen or ASSUMED
    if len(names) != count or len(_folded(names) - {""}) != count:
        raise InvalidSettings(
            f"{name} has {count} classes. Name {count} different ones with --classes or --labels, in the order of its "
            f"outputs. Received: {', '.join(names)}."
        )
    certain = bool(given or labels)
    if not certain and count > MOST_TO_ORDER:
        raise InvalidSettings(
            f"{name} has {count} classes, and photos can tell the order of at most {MOST_TO_ORDER}. Name the classes "
            f"with --classes or --labels, in the order of its outputs. Found: {', '.join(names)}."
        )
    return names, certain


def _folded(names: Sequence[str]) -> set[str]:
    """The names without their case, in which two names of one class are equal."""
    return {name.casefold() for name in names}


def _facts(path: Path, source: Source, found: Read, model: keras.Model) -> dict[str, Any]:
    """What the spec keeps of where the model is from."""
    head, file = head_of(model.outputs[0]), source.weights or source.model
    several = {"head": "sigmoids"} if head == "sigmoid" and model.outputs[0].shape[1] > 1 else {}
    return several | {
        "adopted_from": file.name if path in (source.model, source.weights) else f"{path.absolute().name}/{file.name}",
        "adopted_sha256": sha256_of(file),
        "keras_version": found.version,
        "parameters": model.count_params(),
        "date": datetime.date.today().isoformat(),
    }


def _write(model: keras.Model, spec: ModelSpec, target: Path) -> ModelSpec:
    """Write the `.h5` and the spec, and return it; raises NotWritten where that fails or gives other answers."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # Both are complete before either takes its place: first the `.h5`, without which a spec is reported as broken.
        with whole(target.with_suffix(".json")) as described, whole(target) as partial:
            model.save(partial)
            _require_same(model, partial, spec)
            spec = spec.replace(sha256=sha256_of(partial), bytes=partial.stat().st_size)
            spec.write(described)
    except OSError as error:
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
