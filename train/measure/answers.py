"""What finished models say of a split: asked once, through the serving path, and kept beside the data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import PIL

from catdog.classifier import Classifier, calibrated
from catdog.models.spec import ModelSpec
from train.data import dataset
from train.folders import require_writable
from train.measure.evaluate import predict, uncalibrated
from train.measure.robustness import AS_THEY_ARE, CONDITIONS, Condition


@dataclass(frozen=True)
class Answers:
    """Photos, models, and what these say of those.

    specs    the models, in the order of display
    runtime  model -> what ran it
    outputs  model -> probabilities without temperature, float64 (N, classes)
    changed  condition, a key of CONDITIONS -> model -> the same for changed photos
    """

    split: dataset.Split
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


def ask(classifiers: Sequence[Classifier], split: dataset.Split, cache: Path) -> Answers:
    """Ask every model about every photo, as it is and under each of CONDITIONS.

    The answers of a model, known by its sha256 and what runs it, are kept in the folder `cache` and
    read from there from then on, so that a report can be drawn again without another look at the
    photos. Raises DatasetError as `evaluate.predict`, and OSError when `cache` cannot be written to.
    """
    return Answers(
        split,
        specs=tuple(classifier.spec for classifier in classifiers),
        runtime={classifier.spec.name: classifier.engine.runtime for classifier in classifiers},
        outputs=_kept(classifiers, split, cache, AS_THEY_ARE),
        changed={name: _kept(classifiers, split, cache, condition) for name, condition in CONDITIONS.items()},
    )


def _kept(
    classifiers: Sequence[Classifier], split: dataset.Split, cache: Path, condition: Condition
) -> dict[str, np.ndarray]:
    paths = {c.spec.name: cache / f"answers-{_fingerprint(c, split, condition)}.npy" for c in classifiers}
    missing = [uncalibrated(c) for c in classifiers if not paths[c.spec.name].exists()]
    if missing:
        require_writable(cache)
        for name, rows in predict(missing, split, condition.change, condition.title).items():
            dataset.cached(paths[name], rows.shape, rows.dtype, lambda array, rows=rows: np.copyto(array, rows))
    return {name: np.load(path) for name, path in paths.items()}


def _fingerprint(classifier: Classifier, split: dataset.Split, condition: Condition) -> str:
    """A name that changes with all that answers depend on but this project's code."""
    spec = classifier.spec
    model = (spec.sha256, spec.input, spec.classes, classifier.engine.runtime, sorted(spec.clear.items()))
    return dataset.fingerprint(split, "answers", model, split.classes, condition.definition, PIL.__version__)
