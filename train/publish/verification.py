"""Whether a folder of models may be published: each loads, is what its spec says, and measures as recorded."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import hypergeom

from catdog import load
from catdog.classifier import Classifier
from catdog.comparator import Comparator
from catdog.errors import ModelMismatch
from catdog.models.spec import ModelSpec
from catdog.settings import BUNDLED_WEIGHTS
from train.data.dataset import DatasetError, Split, find
from train.fit.lineage import is_number
from train.measure import evaluate
from train.measure.served import settings_for

EXAMPLES = BUNDLED_WEIGHTS.parent / "examples"
SAMPLE = 1000  # photos that are measured again; a split of no more is measured whole
SEED = 0
COMPARED = ("accuracy", "log_loss", "roc_auc", "calibration_error")
# By how much a figure may differ between processors and engines.
TOLERANCE = 0.005
# A true record fails the test on a sample once in ten thousand times.
CONFIDENCE = 0.9999


class NotReproduced(ModelMismatch):
    """A model does not measure as its spec says."""

    code = "not_reproduced"


def verify(weights: Path, data: Path | None = None) -> tuple[tuple[ModelSpec, ...], list[str]]:
    """The specs of a folder in the order of display, and sentences on what was found, once all of it is right.

    1. Every spec can be read, every `.h5` has one, has its sha256, and loads as serving loads it.
    2. With `data`, the recorded figures are measured again, see `_measure_again`; without, every model
       answers on the bundled photos, and the sentences say that nothing was measured.

    Raises ModelMismatch, NotReproduced, ModelUnavailable or DatasetError that says what is wrong.
    """
    comparator = load(settings_for(weights))
    with contextlib.closing(comparator):
        if comparator.problems:
            raise ModelMismatch(" ".join(comparator.problems))
        described = {spec.file for spec in comparator.specs}
        if strangers := sorted(path.name for path in weights.glob("*.h5") if path.name not in described):
            raise ModelMismatch(f"{weights} holds {', '.join(strangers)} without a spec. Remove what is no model.")
        report = [f"{spec.name}: {spec.bytes / 1e6:.1f} MB, sha256 as in its spec, loads" for spec in comparator.specs]
        if data:
            again = f"Measure anew: python -m train evaluate --weights {weights} --data {data} --split val."
            report += [_measure_again(classifier, data, again) for classifier in comparator.models.values()]
        else:
            report += _on_examples(comparator)
        return comparator.specs, report


def _measure_again(classifier: Classifier, data: Path, again: str) -> str:
    """Measure a model on the validation photos; on the test photos if figures are recorded for those alone.

    A split of up to SAMPLE photos is measured whole, and every figure must be the recorded one, but for
    TOLERANCE. Of a larger one a random sample is measured. If the record is true, the number of right
    answers in it follows the hypergeometric distribution, and must lie within its central CONFIDENCE.
    """
    spec = classifier.spec
    name = next((name for name in ("val", "test") if {"images", "accuracy"} <= spec.metrics.get(name, {}).keys()), None)
    if name is None:
        raise NotReproduced(f"The spec of {spec.name} records no figures. {again}")
    split, recorded = find(data, name), spec.metrics[name]
    if len(split) != recorded["images"]:
        raise DatasetError(
            f"{data / name} holds {len(split)} photos; the figures of {spec.name} are recorded for "
            f"{recorded['images']}. Give the folder on which they were measured as --data, or --unmeasured. {again}"
        )
    sample = _sample(split)
    figures = evaluate.measure(evaluate.predict([classifier], sample)[spec.name], sample.labels, sample.classes)
    problems = list(_differences(figures, recorded) if sample is split else _unlikely(figures, recorded))
    if problems:
        raise NotReproduced(
            f"{spec.name} does not measure as its spec says on {data / name}: {'; '.join(problems)}. {again}"
        )
    if sample is split:
        found = f"on all {len(split)} {name} photos, as recorded"
    else:
        truth = f"the {recorded['accuracy']:.2%} recorded"
        found = f"on a random {len(sample)} of {len(split)} {name} photos, which agrees with {truth}"
    others = [other for other in spec.metrics if other != name]
    untested = f"; its figures on {', '.join(others)} were not measured again" if others else ""
    return f"{spec.name}: accuracy {figures['accuracy']:.2%} {found}{untested}"


def _sample(split: Split) -> Split:
    if len(split) <= SAMPLE:
        return split
    rows = np.sort(np.random.default_rng(SEED).choice(len(split), SAMPLE, replace=False))
    return Split(split.classes, tuple(split.paths[row] for row in rows), split.labels[rows])


def _differences(figures: dict[str, Any], recorded: dict[str, Any]) -> Iterator[str]:
    for key in COMPARED:
        allowed = _slack(figures["images"]) if key == "accuracy" else TOLERANCE
        if is_number(recorded.get(key)) and key in figures and not abs(figures[key] - recorded[key]) <= allowed + 1e-9:
            yield f"{key} {figures[key]:g} instead of {recorded[key]:g}"


def _unlikely(figures: dict[str, Any], recorded: dict[str, Any]) -> Iterator[str]:
    total, drawn = recorded["images"], figures["images"]
    right_of_total = round(recorded["accuracy"] * total)
    low, high = hypergeom.interval(CONFIDENCE, total, right_of_total, drawn)
    right, slack = figures["accuracy"] * drawn, _slack(drawn) * drawn
    if not low - slack <= right <= high + slack:
        yield (
            f"{right:.0f} of {drawn} photos right; with an accuracy of {recorded['accuracy']:.2%} on all {total}, "
            f"{low:.0f} to {high:.0f} would be"
        )


def _slack(images: int) -> float:
    """By how much an accuracy may differ: TOLERANCE, but one photo in any case."""
    return max(TOLERANCE, 1 / images)


def _on_examples(comparator: Comparator) -> list[str]:
    photos = [path for path in (EXAMPLES / "cat.jpg", EXAMPLES / "dog.jpg") if path.is_file()]
    report = ["The recorded figures were not measured again: that needs --data."]
    for path in photos:
        verdicts = comparator.compare(path).models
        said = (f"{verdict.model} says {verdict.label} ({verdict.confidence:.1%})" for verdict in verdicts)
        report.append(f"On the bundled {path.name}: {', '.join(said)}.")
    return report
