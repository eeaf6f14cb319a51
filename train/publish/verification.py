"""Whether a folder of models may be published: each loads, is what its spec says, and measures as recorded."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from catdog import load
from catdog.classifier import Classifier
from catdog.comparator import Comparator
from catdog.errors import ModelMismatch
from catdog.files import bundled
from catdog.models.spec import ModelSpec
from train.data.dataset import DatasetError, find
from train.fit.lineage import is_number
from train.measure.answers import predict
from train.measure.metrics import measure
from train.measure.served import settings_for
from train.report.results import doubt

EXAMPLES = bundled("examples")
COMPARED = ("accuracy", "log_loss", "roc_auc", "calibration_error")
TOLERANCE = 0.005  # by how much a figure may differ between processors and engines


class NotReproduced(ModelMismatch):
    """A model does not measure as its spec says."""

    code = "not_reproduced"


def verify(weights: Path, data: Path | None = None) -> tuple[tuple[ModelSpec, ...], list[str]]:
    """The specs of a folder in the order of display, and sentences on what was found, once all of it is right.

    1. Every spec can be read, every `.h5` has one, has its sha256, and loads as serving loads it.
    2. With `data`, the recorded figures are measured again; without, every model answers on the bundled photos, and
       the sentences say that nothing was measured.

    Raises ModelMismatch, NotReproduced, ModelUnavailable or DatasetError that says what is wrong.
    """
    comparator = load(settings_for(weights))
    with contextlib.closing(comparator):
        if comparator.problems:
            raise ModelMismatch(" ".join(comparator.problems))
        described = {spec.file for spec in comparator.specs}
        if unknown := sorted(path.name for path in weights.glob("*.h5") if path.name not in described):
            raise ModelMismatch(f"{weights} holds {', '.join(unknown)} without a spec. Remove what is no model.")
        findings = [f"{s.name}: {s.bytes / 1e6:.1f} MB, sha256 as in its spec, loads" for s in comparator.specs]
        measured = ((spec, split) for spec in comparator.specs for split in spec.metrics)
        doubts = (doubt(spec.name, split, spec.metrics[split], spec.temperature) for spec, split in measured)
        findings += filter(None, doubts)
        if data:
            again = f"Measure anew: python -m train evaluate --weights {weights} --data {data} --split val."
            findings += _measured_again(list(comparator.models.values()), data, again)
        else:
            findings += ["The recorded figures were not measured again: that needs --data.", *_on_examples(comparator)]
        return comparator.specs, findings


def _measured_again(classifiers: Sequence[Classifier], data: Path, again: str) -> Iterator[str]:
    """Measure models on the validation photos, or on the test photos where only figures of these are recorded.

    Every recorded figure must come out again, within TOLERANCE; an accuracy within one photo in any case.
    """
    recorded_on = {classifier: _measured_split(classifier.spec, again) for classifier in classifiers}
    for spec in (classifier.spec for classifier, name in recorded_on.items() if name is None):
        yield f"{spec.name}: adopted, and not measured again; {data} has no photos with recorded figures of it. {again}"
    for name in sorted(filter(None, set(recorded_on.values())), reverse=True):
        split, those = find(data, name), [c for c in classifiers if recorded_on[c] == name]
        for spec in (classifier.spec for classifier in those):
            if len(split) != spec.metrics[name]["images"]:
                raise DatasetError(
                    f"{data / name} holds {len(split)} photos; the figures of {spec.name} are recorded for "
                    f"{spec.metrics[name]['images']}. Give the folder on which they were measured as --data, "
                    f"or --unmeasured. {again}"
                )
        probabilities = predict(those, split)
        for spec in (classifier.spec for classifier in those):
            figures = measure(probabilities[spec.name], split.labels, split.classes)
            if problems := "; ".join(_differences(figures, spec.metrics[name])):
                raise NotReproduced(
                    f"{spec.name} does not measure as its spec says on {data / name}: {problems}. {again}"
                )
            said = f"{spec.name}: accuracy {figures['accuracy']:.2%} on all {len(split)} {name} photos, as recorded"
            others = ", ".join(other for other in spec.metrics if other != name)
            yield f"{said}; its figures on {others} were not measured again" if others else said


def _measured_split(spec: ModelSpec, again: str) -> str | None:
    """The split whose figures are measured again; None for an adopted model without any of val or test."""
    for name in ("val", "test"):
        if {"images", "accuracy"} <= spec.metrics.get(name, {}).keys():
            return name
    if spec.adopted:
        return None
    raise NotReproduced(f"The spec of {spec.name} records no figures. {again}")


def _differences(figures: dict[str, Any], recorded: dict[str, Any]) -> Iterator[str]:
    for key in COMPARED:
        allowed = max(TOLERANCE, 1 / figures["images"]) if key == "accuracy" else TOLERANCE
        if is_number(recorded.get(key)) and key in figures and not abs(figures[key] - recorded[key]) <= allowed + 1e-9:
            yield f"{key} {figures[key]:g} instead of {recorded[key]:g}"


def _on_examples(comparator: Comparator) -> Iterator[str]:
    for path in (EXAMPLES / "cat.jpg", EXAMPLES / "dog.jpg"):
        answers = (f"{v.model} says {v.label} ({v.confidence:.1%})" for v in comparator.compare(path).models)
        yield f"On the bundled {path.name}: {', '.join(answers)}."
