"""From answers to figures: all that the report says, as plain JSON."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from tqdm import tqdm

from catdog.models.spec import ModelSpec
from catdog.verdict import default_of
from train.fit import lineage
from train.measure import agreement, evaluate, mistakes
from train.measure.answers import Answers
from train.measure.robustness import CONDITIONS
from train.measure.statistics import bootstrap, calibration_bins, middle, middle_less_bias, rounded, wilson

# Figures whose intervals come from resamples; accuracy has Wilson's.
RESAMPLED = ("precision", "recall", "f1", "roc_auc", "log_loss")
BIASED = ("calibration_error", "calibration_error_uncalibrated")


def findings(answers: Answers, resamples: int) -> dict[str, Any]:
    """Everything that the answers show: per model, per pair of models, and per photo that was got wrong."""
    labels, probabilities = answers.split.labels, answers.probabilities
    suspected = mistakes.suspected(probabilities, labels)
    worst = mistakes.worst(probabilities, labels)
    specs = tqdm(answers.specs, desc="intervals", unit="model")
    found = {
        "default": default_of(answers.specs).name,
        "models": {spec.name: _model(spec, answers, resamples) for spec in specs},
        "conditions": {key: condition.definition for key, condition in CONDITIONS.items()},
        "pairs": agreement.pairs(probabilities, labels),
        "agreement": agreement.by_agreement(probabilities, labels),
        "suspected_labels": {
            "confidence": mistakes.SUSPICION,
            "photos": [_photo(answers, index) for index in worst if suspected[index]],
            "accuracy_without": {
                name: accuracy(rows[~suspected], labels[~suspected]) for name, rows in probabilities.items()
            },
        },
        "mistakes": [_photo(answers, index) for index in worst if not suspected[index]],
    }
    return rounded(found)


def accuracy(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """Accuracy of (N, classes) with Wilson's 95 % interval, and how many photos are behind it."""
    right, total = int((probabilities.argmax(axis=1) == labels).sum()), len(labels)
    if not total:
        return {"images": 0}
    return {"images": total, "accuracy": right / total, "interval": wilson(right, total)}


def _model(spec: ModelSpec, answers: Answers, resamples: int) -> dict[str, Any]:
    name, labels = spec.name, answers.split.labels
    chain = lineage.runs(spec.training)
    near = lineage.convergence(chain)
    under = {condition: accuracy(outputs[name], labels) for condition, outputs in answers.changed.items()}
    plain = accuracy(answers.outputs[name], labels)["accuracy"]
    return {
        "title": answers.titles[name],
        "sha256": spec.sha256,
        "bytes": spec.bytes,
        "parameters": spec.parameters,
        "trained_on": spec.training.get("photos"),
        "image_size": spec.image_size,
        "temperature": spec.temperature,
        "runtime": answers.runtime[name],
        "figures": _figures(answers, name),
        "intervals": _intervals(answers, name, resamples),
        "calibration_bins": {
            key: [dataclasses.asdict(found) for found in calibration_bins(rows[name], labels)]
            for key, rows in (("without_temperature", answers.outputs), ("with_temperature", answers.probabilities))
        },
        "conditions": {key: found | {"change": found["accuracy"] - plain} for key, found in under.items()},
        "runs": [{"title": run.title, "hardware": run.hardware, "epochs": run.epochs} for run in chain],
        "convergence": dataclasses.asdict(near) if near else None,
    }


def _figures(answers: Answers, name: str, rows: np.ndarray | slice = slice(None)) -> dict[str, Any]:
    split = answers.split
    return evaluate.measure(
        answers.probabilities[name][rows], split.labels[rows], split.classes, uncalibrated=answers.outputs[name][rows]
    )


def _intervals(answers: Answers, name: str, resamples: int) -> dict[str, tuple[float, float]]:
    def figures(rows: np.ndarray) -> dict[str, float]:
        measured = _figures(answers, name, rows)
        return {key: measured[key] for key in (*RESAMPLED, *BIASED) if key in measured}

    measured = _figures(answers, name)
    return {
        key: middle_less_bias(values, measured[key]) if key in BIASED else middle(values)
        for key, values in bootstrap(figures, len(answers.split), resamples).items()
    }


def _photo(answers: Answers, index: int) -> dict[str, Any]:
    """One photo: its name, its label and the answer of each model."""
    classes = answers.split.classes
    said = {}
    for name, rows in answers.probabilities.items():
        best = int(rows[index].argmax())
        said[name] = {"answer": classes[best], "confidence": float(rows[index, best])}
    return {"photo": answers.name_of(index), "label": classes[answers.split.labels[index]], "answers": said}
