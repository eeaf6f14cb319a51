"""Everything that the command `report` finds out, as plain JSON."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from tqdm import tqdm

from catdog.models.spec import ModelSpec
from catdog.verdict import default_of
from train.fit import lineage
from train.measure import across_models
from train.measure.answers import Answers
from train.measure.metrics import calibration_bins, measure
from train.measure.robustness import CONDITIONS
from train.measure.statistics import bootstrap, middle, middle_less_bias, wilson

# Figures whose intervals come from resamples; accuracy has Wilson's.
RESAMPLED = ("precision", "recall", "f1", "roc_auc", "log_loss")
BIASED = ("calibration_error", "calibration_error_uncalibrated")


def report_figures(answers: Answers, resamples: int) -> dict[str, Any]:
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
            "photos": [_photo(answers, index) for index in worst if suspected[index]],
            "accuracy_without": {
                name: _accuracy(rows[~suspected], labels[~suspected]) for name, rows in probabilities.items()
            },
        },
        "mistakes": [_photo(answers, index) for index in worst if not suspected[index]],
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
    near = lineage.convergence(chain)
    under = {condition: _accuracy(outputs[name], labels) for condition, outputs in answers.changed.items()}
    figures = _figures(answers, name)
    return {
        "title": answers.titles[name],
        "sha256": spec.sha256,
        "bytes": spec.bytes,
        "parameters": spec.parameters,
        "trained_on": spec.training.get("photos"),
        "image_size": spec.image_size,
        "temperature": spec.temperature,
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
        "runs": [{"title": run.title, "hardware": run.hardware, "epochs": run.epochs} for run in chain],
        "convergence": dataclasses.asdict(near) if near else None,
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


def _photo(answers: Answers, index: int) -> dict[str, Any]:
    """One photo: its name, its label and the answer of each model."""
    classes = answers.split.classes
    said = {}
    for name, rows in answers.probabilities.items():
        best = int(rows[index].argmax())
        said[name] = {"answer": classes[best], "confidence": float(rows[index, best])}
    return {"photo": answers.name_of(index), "label": classes[answers.split.labels[index]], "answers": said}
