"""Recorded figures of models: as tables for the terminal and the model card, and as the Hub's `model-index`.

Nothing here measures: every number is one that `fit` or `evaluate` wrote into a spec.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from catdog.models.locate import locate
from catdog.models.spec import ModelSpec
from catdog.verdict import default_of
from catdog.wording import readable_size
from train.fit.lineage import count, is_number, prose
from train.measure.served import settings_for
from train.report.markdown import table

TASK = "image-classification"
SPLIT_NAMES = {"test": "test", "val": "validation"}  # as specs name them -> as the Hub does, in the order shown
# Figures of `metrics.measure` -> their names for people; the keys are those of hf.co/metrics where there is one.
METRICS = {
    "accuracy": "Accuracy",
    "precision": "Precision (macro)",
    "recall": "Recall (macro)",
    "f1": "F1 (macro)",
    "roc_auc": "ROC AUC",
    "log_loss": "Log loss",
    "calibration_error": "Expected calibration error",
}


# --- the commands evaluate and compare ----------------------------------------------------------


def evaluated(results: Mapping[str, Mapping[str, Any]]) -> str:
    """What `evaluate` measured, as a Markdown table with a row per model."""
    header = ["model", "accuracy", "95 % interval", "log loss", "calibration error (without temperature)", "images"]
    rows = [
        [
            name,
            _format(row, "accuracy"),
            interval(row),
            _format(row, "log_loss"),
            f"{_format(row, 'calibration_error')} ({_format(row, 'calibration_error_uncalibrated')})",
            str(row["images"]),
        ]
        for name, row in results.items()
    ]
    return table(header, rows)


def compare(weights: Path) -> tuple[list[ModelSpec], ModelSpec, tuple[str, ...]]:
    """The models in a folder by validation accuracy, the default one, and why others are not used.

    Raises ModelUnavailable when none is usable.
    """
    located = locate(settings_for(weights))
    specs = [model.spec for model in located.models]
    ranked = sorted(specs, key=lambda spec: -spec.validation_accuracy)
    return ranked, default_of(specs), located.problems


def compared(specs: Sequence[ModelSpec], default: ModelSpec) -> str:
    """The models as a Markdown table, and a sentence on which one is the default."""
    measured = ["accuracy", "95 % interval", "photos"]
    rows = [
        [
            spec.name,
            *_accuracy(spec, "val"),
            *_accuracy(spec, "test"),
            readable_size(spec.bytes),
            f"{spec.parameters:,}" if spec.parameters else "-",
        ]
        for spec in specs
    ]
    why = "the highest validation accuracy" if default.validation_accuracy else "no validation accuracy is recorded"
    header = ["model", f"validation {measured[0]}", *measured[1:], f"test {measured[0]}", *measured[1:]]
    return f"{table([*header, 'size', 'parameters'], rows)}\nDefault: {default.name} ({why})."


def summary(specs: Sequence[ModelSpec], default: ModelSpec) -> dict[str, Any]:
    """The same as plain JSON."""
    models = [
        {
            "model": spec.name,
            "val_accuracy": spec.metrics.get("val", {}).get("accuracy"),
            "test_accuracy": spec.metrics.get("test", {}).get("accuracy"),
            "bytes": spec.bytes,
            "parameters": spec.parameters,
        }
        for spec in specs
    ]
    return {"default": default.name, "models": models}


# --- the model card -----------------------------------------------------------------------------


def card_table(specs: Sequence[ModelSpec]) -> str:
    """A Markdown table with a row per model and split, and what a reader must know about it."""
    rows = [
        [
            spec.name,
            f"{count(figures.get('images'))} {SPLIT_NAMES.get(split, split)}",
            _format(figures, "accuracy"),
            interval(figures),
            _format(figures, "log_loss"),
            _format(figures, "calibration_error"),
        ]
        for spec in specs
        for split, figures in _splits(spec)
    ]
    if not rows:
        return "Nothing has been measured."
    notes = [
        "Measured on the files as they are here, through the code that serves. The interval is Wilson's. The "
        "calibration error is the expected one, over bins of confidence; temperatures were fitted on the validation "
        "photos.",
        *(note for spec in specs for note in _rounding(spec)),
    ]
    header = ["model", "photos", "accuracy", "95 % interval", "log loss", "calibration error"]
    return f"{table(header, rows)}\n\n{prose(' '.join(notes))}"


def model_index(specs: Sequence[ModelSpec]) -> list[dict[str, Any]]:
    """The Hub's `model-index`: one entry per model that has figures."""
    from huggingface_hub import EvalResult, ModelCardData

    entries = []
    for spec in specs:
        results = [
            EvalResult(
                task_type=TASK,
                task_name="Image classification",
                dataset_type=dataset_id(spec) or "unnamed",
                dataset_name=spec.training.get("dataset") or "Photos without a name",
                dataset_split=SPLIT_NAMES.get(split, split),
                dataset_args={"num_images": figures["images"]} if "images" in figures else None,
                metric_type=key,
                # Where the entries of several models are shown as one list, only this tells them apart.
                metric_name=f"{METRICS[key]} of {spec.name}",
                metric_value=figures[key],
                metric_args=_interval_of(figures, key),
            )
            for split, figures in _splits(spec)
            for key in METRICS
            if is_number(figures.get(key))
        ]
        if results:
            entries += ModelCardData(model_name=spec.name, eval_results=results).to_dict()["model-index"]
    return entries


def metrics(specs: Sequence[ModelSpec]) -> list[str]:
    """The metrics of which any model has a figure."""
    recorded = {key for spec in specs for _, figures in _splits(spec) for key in figures}
    return [key for key in METRICS if key in recorded]


def dataset_id(spec: ModelSpec) -> str | None:
    """The data of a model in the form that the Hub accepts; an id of the Hub stays as it is."""
    name = str(spec.training.get("dataset") or "")
    if re.fullmatch(r"[\w-]+/[\w.-]+", name):
        return name
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or None


def _rounding(spec: ModelSpec) -> Iterator[str]:
    for split, figures in _splits(spec):
        if isinstance(changes := figures.get("rounding"), dict):
            yield (
                f"Rounding the weights of {spec.name} changed {changes.get('labels_changed')} labels of the "
                f"{SPLIT_NAMES.get(split, split)} photos, and no probability by more than "
                f"{changes.get('largest_change_of_probability')}."
            )


# --- figures as text ----------------------------------------------------------------------------


def _splits(spec: ModelSpec) -> list[tuple[str, dict[str, Any]]]:
    """Splits with their figures, test first."""
    order = [*SPLIT_NAMES, *spec.metrics]
    return sorted(spec.metrics.items(), key=lambda item: order.index(item[0]))


def _accuracy(spec: ModelSpec, split: str) -> list[str]:
    """Accuracy, interval and number of photos; dashes for what is not recorded."""
    figures = spec.metrics.get(split, {})
    if "accuracy" not in figures:
        return ["-"] * 3
    images = figures.get("images")
    return [
        _format(figures, "accuracy"),
        interval(figures),
        f"{images:,}" if isinstance(images, int) and images > 0 else "-",
    ]


def _format(figures: Mapping[str, Any], key: str) -> str:
    value = figures.get(key)
    return "-" if not is_number(value) else f"{value:.2%}" if key == "accuracy" else f"{value:.4f}"


def interval(figures: Mapping[str, Any]) -> str:
    """The recorded 95 % interval of an accuracy as text; a dash where there is none."""
    bounds = _bounds(figures, "accuracy")
    return "{:.2%} to {:.2%}".format(*bounds) if bounds else "-"


def _interval_of(figures: Mapping[str, Any], key: str) -> dict[str, Any] | None:
    """What the `model-index` says about how certain a figure is."""
    bounds = _bounds(figures, key)
    return {"confidence_level": 0.95, "confidence_interval": bounds} if bounds else None


def _bounds(figures: Mapping[str, Any], key: str) -> list[float] | None:
    match figures.get(f"{key}_interval"):
        case [low, high] if is_number(low) and is_number(high):
            return [low, high]
    return None
