"""Ask finished models about photos, as serving does, and keep what they say of a data folder beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import PIL
from PIL import Image
from tqdm import tqdm

from catdog.classifier import Classifier, calibrated
from catdog.engine import Outputs
from catdog.errors import CatDogError
from catdog.models.spec import ModelSpec
from catdog.photo.array import to_array
from catdog.photo.reader import Read, Reader, needs_whole
from catdog.settings import MAX_PIXELS, Settings
from train.data import photo_cache
from train.data.dataset import DatasetError, Split
from train.measure.robustness import AS_THEY_ARE, CONDITIONS, Condition
from train.measure.served import LARGEST_FILE

BATCH = 64

Change = Callable[[Image.Image], Image.Image] | None


def predict(classifiers: Sequence[Classifier], split: Split) -> dict[str, np.ndarray]:
    """Calibrated probabilities of each model for a split: name -> float64 (N, classes), columns as in the split.

    Raises DatasetError when a model knows other classes, or a photo cannot be read.
    """
    temperatures = {classifier.spec.name: classifier.spec.temperature for classifier in classifiers}
    outputs = outputs_of(classifiers, split)
    return {name: calibrated(rows.probabilities, temperatures[name]) for name, rows in outputs.items()}


def outputs_of(
    classifiers: Sequence[Classifier], split: Split, change: Change = None, progress: str = "photos"
) -> dict[str, Outputs]:
    """As `ask_all` about the photos of a split; probabilities have columns as the split has classes."""
    columns = {classifier.spec.name: columns_of(classifier, split) for classifier in classifiers}
    outputs = ask_all(classifiers, split.paths, change, progress)
    return {name: rows._replace(probabilities=rows.probabilities[:, columns[name]]) for name, rows in outputs.items()}


def ask_all(
    classifiers: Sequence[Classifier], paths: Sequence[Path], change: Change = None, progress: str = "photos"
) -> dict[str, Outputs]:
    """Model -> its Outputs on all photos: probabilities before the temperature, float64, and features; no maps.

    Photos are read as `Comparator.compare` reads them: a large one reduced, and a second time as a whole when any of
    the models is in doubt. `change` is what is done to each photo before, `progress` a name for the progress bar.
    Raises DatasetError for a photo that cannot be read.
    """
    read = _reader(classifiers, change)
    batches = [
        _ask(classifiers, read, paths[start : start + BATCH])
        for start in tqdm(range(0, len(paths), BATCH), desc=progress, unit="batch")
    ]
    return {c.spec.name: _joined([batch[c.spec.name] for batch in batches]) for c in classifiers}


def columns_of(classifier: Classifier, split: Split) -> list[int]:
    """Which output of a model is each class of a split; raises DatasetError when it knows other classes."""
    known = classifier.spec.classes
    if sorted(known) != sorted(split.classes):
        raise DatasetError(
            f"Model {classifier.spec.name} knows the classes {', '.join(known)}; "
            f"the data folder has {', '.join(split.classes)}."
        )
    return [known.index(name) for name in split.classes]


def _reader(classifiers: Sequence[Classifier], change: Change) -> Callable[..., Read]:
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


def _ask(classifiers: Sequence[Classifier], read: Callable[..., Read], paths: Sequence[Path]) -> dict[str, Outputs]:
    """As `ask_all`, about one batch."""
    photos = [read(path) for path in paths]
    outputs = {c.spec.name: _outputs(c, [photo.image for photo in photos]) for c in classifiers}
    confidences = {
        c: calibrated(outputs[c.spec.name].probabilities, c.spec.temperature).max(axis=1) for c in classifiers
    }
    doubtful = [
        i for i, photo in enumerate(photos) if photo.reduced and needs_whole(rows[i] for rows in confidences.values())
    ]
    if doubtful:
        whole = [read(paths[i], whole=True).image for i in doubtful]
        for classifier in classifiers:
            for values, rows in zip(outputs[classifier.spec.name], _outputs(classifier, whole), strict=True):
                if values is not None:
                    values[doubtful] = rows
    return outputs


def _outputs(classifier: Classifier, images: Sequence[Image.Image]) -> Outputs:
    """What a model says of RGB images, before its temperature and without maps."""
    plain = Classifier(classifier.spec.replace(temperature=1.0), classifier.engine)
    outputs = plain.outputs(np.stack([to_array(image, classifier.spec.input) for image in images]))
    return Outputs(*(None if values is None else np.array(values) for values in outputs._replace(maps=None)))


def _joined(batches: Sequence[Outputs]) -> Outputs:
    return Outputs(*(None if part[0] is None else np.concatenate(part) for part in zip(*batches, strict=True)))


@dataclass(frozen=True)
class Answers:
    """Photos, models, and what these say of those.

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

    def name_of(self, photo: int) -> str:
        """A photo's folder and file name."""
        path = self.split.paths[photo]
        return f"{path.parent.name}/{path.name}"


def ask(classifiers: Sequence[Classifier], split: Split, cache: Path) -> Answers:
    """Ask every model about every photo, as it is and under each of CONDITIONS.

    The answers are kept in the folder `cache` and read from there when the same models, in the same arithmetic, are
    asked about the same photos again. Raises as `outputs_of`, and OSError when `cache` cannot be written to.
    """
    return Answers(
        split,
        specs=tuple(classifier.spec for classifier in classifiers),
        runtime={classifier.spec.name: classifier.engine.runtime for classifier in classifiers},
        outputs=_kept(classifiers, split, cache, AS_THEY_ARE),
        changed={name: _kept(classifiers, split, cache, condition) for name, condition in CONDITIONS.items()},
    )


def _kept(classifiers: Sequence[Classifier], split: Split, cache: Path, condition: Condition) -> dict[str, np.ndarray]:
    def fill(kept: np.ndarray) -> None:
        outputs = outputs_of(classifiers, split, condition.change, condition.title)
        for rows, found in zip(kept, outputs.values(), strict=True):
            rows[:] = found.probabilities

    path = cache / f"answers-{_fingerprint(classifiers, split, condition)}.npy"
    kept = photo_cache.cached(path, (len(classifiers), len(split), len(split.classes)), np.float64, fill)
    return dict(zip((classifier.spec.name for classifier in classifiers), kept, strict=True))


def _fingerprint(classifiers: Sequence[Classifier], split: Split, condition: Condition) -> str:
    """A name that changes with all that answers depend on, except this project's code."""
    # All models together: a large photo is read again for all when one of them is in doubt.
    models = [
        (spec.sha256, spec.input, spec.classes, spec.temperature, sorted(spec.clear.items()), classifier.engine.runtime)
        for classifier in classifiers
        for spec in [classifier.spec]
    ]
    return photo_cache.fingerprint(split, "answers", models, split.classes, condition.definition, PIL.__version__)
