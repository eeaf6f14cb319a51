"""Ask finished models about photos, as serving does, and keep what they say of a data folder beside it."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import PIL
from tqdm import tqdm

from catdog.classifier import Classifier, calibrated
from catdog.engine import Outputs
from catdog.errors import CatDogError
from catdog.models.spec import ModelSpec, respelt
from catdog.photo.array import to_array
from catdog.photo.reader import Read, Reader, needs_whole
from catdog.settings import MAX_PIXELS, Settings
from train.data import photo_cache
from train.data.dataset import DatasetError, Split
from train.measure.robustness import AS_THEY_ARE, CONDITIONS, Change, Condition
from train.measure.served import LARGEST_FILE

BATCH = 64


def predict(classifiers: Sequence[Classifier], split: Split) -> dict[str, np.ndarray]:
    """Calibrated probabilities of each model for a split: name -> float64 (N, classes), columns as in the split.

    Raises DatasetError when a model knows other classes, or a photo cannot be read.
    """
    outputs = outputs_of(classifiers, split)
    return {c.spec.name: calibrated(outputs[c.spec.name].probabilities, c.spec.temperature) for c in classifiers}


def outputs_of(
    classifiers: Sequence[Classifier], split: Split, change: Change | None = None, progress: str = "photos"
) -> dict[str, Outputs]:
    """Model -> its Outputs on all photos: probabilities before the temperature, float64; no maps.

    Probabilities have columns as the split has classes. Photos are read as `Comparator.compare` reads them: a large
    one reduced, and a second time as a whole when any of the models is in doubt. `change` is what is done to each
    photo before, `progress` a name for the progress bar. Raises as `predict`.
    """
    columns = {classifier.spec.name: columns_of(classifier, split) for classifier in classifiers}
    uncalibrated = [Classifier(c.spec.replace(temperature=1.0), c.engine) for c in classifiers]
    read = _reader(classifiers, change)
    outputs, reduced = _ask(uncalibrated, read, split.paths, progress)
    sure = [calibrated(outputs[c.spec.name].probabilities, c.spec.temperature).max(axis=1) for c in classifiers]
    doubtful = np.flatnonzero(reduced & [needs_whole(confidences) for confidences in zip(*sure, strict=True)])
    if len(doubtful):
        paths = [split.paths[i] for i in doubtful]
        again, _ = _ask(uncalibrated, functools.partial(read, whole=True), paths, f"{progress}, in doubt")
        for name, found in again.items():
            for values, rows in zip(outputs[name], found, strict=True):
                if values is not None:
                    values[doubtful] = rows
    return {name: rows._replace(probabilities=rows.probabilities[:, columns[name]]) for name, rows in outputs.items()}


def columns_of(classifier: Classifier, split: Split) -> list[int]:
    """Which output of a model is each class of a split, whatever its case; DatasetError when it knows other classes."""
    (model,) = respelt([classifier.spec], split.classes)
    if sorted(model.classes) != sorted(split.classes):
        raise DatasetError(
            f"Model {model.name} knows the classes {', '.join(model.classes)}; "
            f"the data folder has {', '.join(split.classes)}."
        )
    return [model.classes.index(name) for name in split.classes]


def _reader(classifiers: Sequence[Classifier], change: Change | None) -> Callable[..., Read]:
    """A function from a path, and `whole`, to the photo as `Reader` gives it, after the change."""
    limits = Settings(max_upload_bytes=LARGEST_FILE, max_pixels=MAX_PIXELS)
    reader = Reader.of((classifier.spec.input for classifier in classifiers), limits)

    def read(path: Path, *, whole: bool = False) -> Read:
        try:
            photo = change(reader(path, whole=True).image) if change else path
            return reader(photo, whole=whole)
        except CatDogError as error:
            raise DatasetError(f"{path}: {error} Run `python -m train prepare`, which drops such files.") from error

    return read


def _ask(
    classifiers: Sequence[Classifier], read: Callable[[Path], Read], paths: Sequence[Path], progress: str
) -> tuple[dict[str, Outputs], np.ndarray]:
    """Model -> its Outputs on photos, without maps; and which of them were reduced, bool (N,)."""
    batches, reduced = {classifier.spec.name: [] for classifier in classifiers}, []
    for start in tqdm(range(0, len(paths), BATCH), desc=progress, unit="batch"):
        photos = [read(path) for path in paths[start : start + BATCH]]
        reduced += [photo.reduced for photo in photos]
        for classifier in classifiers:
            arrays = np.stack([to_array(photo.image, classifier.spec.input) for photo in photos])
            batches[classifier.spec.name].append(classifier.outputs(arrays)._replace(maps=None))
    return {name: _joined(found) for name, found in batches.items()}, np.array(reduced)


def _joined(batches: Sequence[Outputs]) -> Outputs:
    return Outputs(*(None if part[0] is None else np.concatenate(part) for part in zip(*batches, strict=True)))


@dataclass(frozen=True)
class Answers:
    """The answers of models to the photos of a split.

    specs    the models, in the order of display
    runtime  model -> what ran it
    outputs  model -> probabilities before the temperature, float64 (N, classes)
    changed  condition, a key of CONDITIONS -> model -> the same for changed photos
    """

    split: Split
    specs: tuple[ModelSpec, ...]
    runtime: dict[str, str]
    outputs: dict[str, np.ndarray]
    changed: dict[str, dict[str, np.ndarray]]

    @cached_property
    def probabilities(self) -> dict[str, np.ndarray]:
        """Model -> calibrated probabilities, as served, float64 (N, classes)."""
        return {spec.name: calibrated(self.outputs[spec.name], spec.temperature) for spec in self.specs}

    @cached_property
    def titles(self) -> dict[str, str]:
        """Model -> the name shown to people, or its short name where two models have one title."""
        every = [spec.title for spec in self.specs]
        return {spec.name: spec.title if every.count(spec.title) == 1 else spec.name for spec in self.specs}

    def to(self, photo: int) -> dict[str, Any]:
        """What is said of one photo, as plain JSON: its folder and file name, its label, the answer of each model."""
        classes, path = self.split.classes, self.split.paths[photo]
        said = {}
        for name, rows in self.probabilities.items():
            best = int(rows[photo].argmax())
            said[name] = {"answer": classes[best], "confidence": float(rows[photo, best])}
        return {"photo": f"{path.parent.name}/{path.name}", "label": classes[self.split.labels[photo]], "answers": said}


def ask(classifiers: Sequence[Classifier], split: Split, cache: Path) -> Answers:
    """Ask every model about every photo, as it is and under each of CONDITIONS.

    The answers are kept in the folder `cache` and read from there when the same models, in the same arithmetic, are
    asked about the same photos again. Raises as `outputs_of`, and OSError when `cache` cannot be written to.
    """
    return Answers(
        split,
        specs=tuple(classifier.spec for classifier in classifiers),
        runtime={classifier.spec.name: classifier.engine.runtime for classifier in classifiers},
        outputs=kept(classifiers, split, cache),
        changed={name: kept(classifiers, split, cache, condition) for name, condition in CONDITIONS.items()},
    )


def kept(
    classifiers: Sequence[Classifier], split: Split, cache: Path, condition: Condition = AS_THEY_ARE
) -> dict[str, np.ndarray]:
    """Model -> probabilities before the temperature, float64 (N, classes), from `cache`, or asked for and kept there.

    Raises as `ask`.
    """

    def fill(array: np.ndarray) -> None:
        outputs = outputs_of(classifiers, split, condition.change, condition.title)
        for rows, found in zip(array, outputs.values(), strict=True):
            rows[:] = found.probabilities

    path = cache / f"answers-{_fingerprint(classifiers, split, condition)}.npy"
    of_all = photo_cache.cached(path, (len(classifiers), len(split), len(split.classes)), np.float64, fill)
    return dict(zip((classifier.spec.name for classifier in classifiers), of_all, strict=True))


def _fingerprint(classifiers: Sequence[Classifier], split: Split, condition: Condition) -> str:
    """A name that changes with all that answers depend on, except this project's code."""
    # All models together: a large photo is read again for all when one of them is in doubt.
    models = [
        (spec.sha256, spec.input, spec.classes, spec.temperature, sorted(spec.clear.items()), classifier.engine.runtime)
        for classifier in classifiers
        for spec in [classifier.spec]
    ]
    return photo_cache.fingerprint(split, "answers", models, split.classes, condition.definition, PIL.__version__)
