"""Recorded figures of models, as the table of the model card and as the Hub's `model-index`.

Nothing here measures: every number is one that `fit` or `evaluate` wrote into a spec.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from catdog.models.spec import ModelSpec
from train.fit.lineage import count, is_number, prose

TASK = "image-classification"
SPLIT_NAMES = {"test": "test", "val": "validation"}  # as specs name them -> as the Hub does, in the order shown
# Figures of `evaluate.measure` -> their names for people; the keys are those of hf.co/metrics where there is one.
METRICS = {
    "accuracy": "Accuracy",
    "precision": "Precision (macro)",
    "recall": "Recall (macro)",
    "f1": "F1 (macro)",
    "roc_auc": "ROC AUC",
    "log_loss": "Log loss",
    "calibration_error": "Expected calibration error",
}


def table(specs: Sequence[ModelSpec]) -> str:
    """A Markdown table, one row per model and split, and what must be known to read it."""
    rows = [
        f"| {spec.name} | {count(figures.get('images'))} {SPLIT_NAMES.get(split, split)} "
        f"| {_format(figures, 'accuracy')} | {interval(figures)} "
        f"| {_format(figures, 'log_loss')} | {_format(figures, 'calibration_error')} |"
        for spec in specs
        for split, figures in _splits(spec)
    ]
    if not rows:
        return "Nothing has been measured."
    header = [
        "| model | photos | accuracy | 95 % interval | log loss | calibration error |",
        "|---|---|---|---|---|---|",
    ]
    notes = [
        "Measured on the files as they are here, through the code that serves. The interval is Wilson's. The "
        "calibration error is the expected one, over bins of confidence; temperatures were fitted on the validation "
        "photos.",
        *(note for spec in specs for note in _rounding(spec)),
    ]
    return "\n".join([*header, *rows, "", prose(" ".join(notes))])


def model_index(specs: Sequence[ModelSpec]) -> list[dict[str, Any]]:
    """One entry per model that has figures."""
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


def _splits(spec: ModelSpec) -> list[tuple[str, dict[str, Any]]]:
    """Splits with their figures, test first."""
    order = [*SPLIT_NAMES, *spec.metrics]
    return sorted(spec.metrics.items(), key=lambda item: order.index(item[0]))


def _format(figures: dict[str, Any], key: str) -> str:
    value = figures.get(key)
    return "-" if not is_number(value) else f"{value:.2%}" if key == "accuracy" else f"{value:.4f}"


def interval(figures: dict[str, Any]) -> str:
    """The recorded 95 % interval of an accuracy as text; a dash where there is none."""
    bounds = _bounds(figures, "accuracy")
    return "{:.2%} to {:.2%}".format(*bounds) if bounds else "-"


def _interval_of(figures: dict[str, Any], key: str) -> dict[str, Any] | None:
    """What the `model-index` says about how sure a figure is."""
    bounds = _bounds(figures, key)
    return {"confidence_level": 0.95, "confidence_interval": bounds} if bounds else None


def _bounds(figures: dict[str, Any], key: str) -> list[float] | None:
    match figures.get(f"{key}_interval"):
        case [low, high] if is_number(low) and is_number(high):
            return [low, high]
    return None
