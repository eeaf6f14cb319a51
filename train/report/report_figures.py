"""The command `report`: everything that it finds out about served models, as plain JSON, a page and drawings."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from catdog.errors import InvalidSettings
from catdog.models.spec import ModelSpec
from catdog.verdict import default_of
from train.data.dataset import find, find_elsewhere
from train.fit import lineage
from train.folders import require_writable
from train.measure import across_models
from train.measure.answers import Answers, ask, kept
from train.measure.metrics import calibration_bins, measure
from train.measure.robustness import CONDITIONS
from train.measure.served import served
from train.measure.statistics import RESAMPLES, bootstrap, middle, middle_less_bias, rounded, wilson
from train.report import drawings, markdown

# Figures whose intervals come from resamples; accuracy has Wilson's.
RESAMPLED = ("precision", "recall", "f1", "roc_auc", "log_loss")
BIASED = ("calibration_error", "calibration_error_uncalibrated")


def report(
    weights: str | Path,
    data: Path,
    split_name: str = "test",
    *,
    out: Path,
    limit: int | None = None,
    dataset: str = "",
    resamples: int = RESAMPLES,
    more: Sequence[Path] = (),
    command: str = "",
) -> dict[str, Any]:
    """Measure every model in `weights` on `data`/split_name; write README.md, report.json and drawings to `out`.

    1. Ask each model, as it is served, about each photo, unchanged and under each of `robustness.CONDITIONS`, and about
       the val photos of the classes in the further folders `more`. The answers are kept in `data`/.cache, so that the
       same models are not asked again.
    2. Write everything, each file whole or not at all. Drawings of an earlier report that this one lacks are removed;
       nothing else in `out` is touched.

    Returns the figures. A model that cannot be used is named on stderr and left out. `limit` takes the first photos
    of each class only; `dataset` is the name of the data and `command` how to repeat this, for the page.
    """
    if resamples < 0:
        raise InvalidSettings(f"The number of resamples must be 0 or more. Received: {resamples}.")
    split = find(data, split_name).head(limit)
    elsewhere = find_elsewhere(data, "val", more).of_classes if more else split.at(np.zeros(0, int))
    markdown.require_free("report", out)
    require_writable(out)
    with served(weights) as comparator:
        classifiers = list(comparator.models.values())
        answers = ask(classifiers, split, data / ".cache")
        said = kept(classifiers, elsewhere, data / ".cache") if len(elsewhere) else {}
    found = {
        "dataset": dataset,
        "split": split_name,
        "classes": list(split.classes),
        "photos": {name: int((split.labels == index).sum()) for index, name in enumerate(split.classes)},
        "limit": limit,
        "resamples": resamples,
        "command": command,
        "elsewhere": {name: rounded(_accuracy(rows, elsewhere.labels)) for name, rows in said.items()},
    } | rounded(_figures_of_all(answers, resamples))
    found["drawings"] = drawings.of_report(answers, found, out)
    return markdown.write("report", found, out)


def _figures_of_all(answers: Answers, resamples: int) -> dict[str, Any]:
    """What the answers show: per model, per pair of models, and per photo that a model got wrong."""
    labels, probabilities = answers.split.labels, answers.probabilities
    suspected = across_models.suspected(probabilities, labels)
    worst = across_models.worst(probabilities, labels)
    return {
        "default": default_of(answers.specs).name,
        "models": {
            spec.name: _model(spec, answers, resamples) for spec in tqdm(answers.specs, desc="intervals", unit="model")
        },
        "conditions": {key: condition.definition for key, condition in CONDITIONS.items()},
        "pairs": across_models.pairs(probabilities, labels),
        "agreement": across_models.by_agreement(probabilities, labels),
        "suspected_labels": {
            "confidence": across_models.SUSPICION,
            "photos": [answers.to(index) for index in worst if suspected[index]],
            "accuracy_without": {
                name: _accuracy(rows[~suspected], labels[~suspected]) for name, rows in probabilities.items()
            },
        },
        "mistakes": [answers.to(index) for index in worst if not suspected[index]],
    }


def _accuracy(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """Accuracy of (N, classes) with Wilson's 95 % interval, and how many photos are behind it."""
    right, total = int((probabilities.argmax(axis=1) == labels).sum()), len(labels)
    if not total:
        return {"images": 0}
    return {"images": total, "accuracy": right / total, "interval": wilson(right, total)}


def _model(spec: ModelSpec, answers: Answers, resamples: int) -> dict[str, Any]:
    name, labels = spec.name, answers.split.labels
    chain = lineage.runs(spec.training)
    under = {condition: _accuracy(outputs[name], labels) for condition, outputs in answers.changed.items()}
    figures = _figures(answers, name)
    return {
        "title": answers.titles[name],
        "sha256": spec.sha256,
        "bytes": spec.bytes,
        "parameters": spec.parameters,
        "trained_on": spec.training.get("photos"),
        "image_size": spec.image_size,
        "image_width": spec.input.array[1],
        "channels": spec.channels,
        "temperature": spec.temperature,
        "only_adopted": "photos" in spec.metrics,
        "runtime": answers.runtime[name],
        "figures": figures,
        "intervals": _intervals(answers, name, figures, resamples),
        "calibration_bins": {
            key: [found._asdict() for found in calibration_bins(rows[name], labels)]
            for key, rows in (("without_temperature", answers.outputs), ("with_temperature", answers.probabilities))
        },
        "conditions": {
            key: found | {"change": found["accuracy"] - figures["accuracy"]} for key, found in under.items()
        },
        "runs": chain,
        "convergence": lineage.convergence(chain),
    }


def _figures(answers: Answers, name: str, rows: np.ndarray | slice = slice(None)) -> dict[str, Any]:
    """The figures of a model on all photos, or on some rows of them."""
    split = answers.split
    return measure(
        answers.probabilities[name][rows], split.labels[rows], split.classes, uncalibrated=answers.outputs[name][rows]
    )


def _intervals(answers: Answers, name: str, figures: dict[str, Any], resamples: int) -> dict[str, tuple[float, float]]:
    def resampled(rows: np.ndarray) -> dict[str, float]:
        measured = _figures(answers, name, rows)
        return {key: measured[key] for key in (*RESAMPLED, *BIASED) if key in measured}

    return {
        key: middle_less_bias(values, figures[key]) if key in BIASED else middle(values)
        for key, values in bootstrap(resampled, len(answers.split), resamples).items()
    }
