"""Recorded figures of models: as tables for the terminal and the model card, and as the Hub's `model-index`.

Nothing here measures: every number is one that `fit` or `evaluate` wrote into a spec.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from catdog.adopt.fit_confidence import HIGHEST
from catdog.models.locate import locate
from catdog.models.spec import ModelSpec
from train.fit.lineage import is_number, number
from train.measure.metrics import METRICS, SPLIT_NAMES
from train.measure.served import settings_for
from train.report.markdown import render

TASK = "image-classification"
SHOWN = ("log_loss", "calibration_error", "calibration_error_uncalibrated")


def figures_table(measured: Sequence[tuple[str, str, Mapping[str, Any]]]) -> str:
    """A Markdown table with a row for each (model, split, figures from `metrics.measure`)."""
    return _rendered("figures", measured=measured)


def doubt(name: str, split: str, figures: Mapping[str, Any], temperature: float = 1.0) -> str:
    """A sentence that a model is of no use, if its figures, from `metrics.measure`, say so; else empty.

    It is of no use if always naming the commonest class is as accurate as the lower end of the interval of its
    accuracy, or if its temperature is the highest that is tried.
    """
    photos = f"{figures.get('images')} {SPLIT_NAMES.get(split, split)} photos"
    advice = "Train it for longer, on more photos or with another --learning-rate."
    match figures.get("accuracy_interval"):
        case [low, _] if is_number(low) and low <= (commonest := _share_of_commonest(figures.get("confusion"))):
            right = number(figures.get("accuracy"))
            return (
                f"{name} is hardly better than guessing: it is right on {right:.1%} of {photos}; always naming the "
                f"commonest class would be right on {commonest:.1%}. {advice}"
            )
    if temperature > 0.99 * HIGHEST:
        return f"{name} is of no use on {photos}: its temperature is {temperature:.3g}, the highest tried. {advice}"
    return ""


def _share_of_commonest(confusion: Any) -> float:
    """The share of the photos that are of the commonest class, by a recorded confusion; -1 where that says none."""
    try:
        counts = [sum(row) for row in confusion]
        return max(counts) / sum(counts)
    except (TypeError, ValueError, ZeroDivisionError):
        return -1


def ranked(weights: str | Path) -> tuple[list[ModelSpec], tuple[str, ...]]:
    """The models in a folder by validation accuracy, of which the first is the default, and why others are not used.

    Raises ModelUnavailable when none is usable.
    """
    located = locate(settings_for(weights))
    specs = [model.spec for model in located.models]
    return sorted(specs, key=lambda spec: -spec.validation_accuracy), located.problems


def summary(specs: Sequence[ModelSpec]) -> dict[str, Any]:
    """Ranked models as plain JSON, and which one is the default."""
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
    return {"default": specs[0].name, "models": models}


def recorded(specs: Sequence[ModelSpec]) -> list[tuple[str, str, dict[str, Any]]]:
    """Model, split and figures, test first; of a model that was never measured, no figures of val."""
    return [(spec.name, *found) for spec in specs for found in _splits(spec) or [("val", {})]]


def card_table(specs: Sequence[ModelSpec]) -> str:
    """The figures of all models, and what a reader must know about them."""
    return _rendered("card_figures", measured=[found for found in recorded(specs) if found[2]])


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
                metric_name=f"{metric.name} of {spec.name}",
                metric_value=figures[key],
                metric_args=_interval_of(figures) if key == "accuracy" else None,
            )
            for split, figures in _splits(spec)
            for key, metric in METRICS.items()
            if is_number(figures.get(key))
        ]
        if results:
            entries += ModelCardData(model_name=spec.name, eval_results=results).to_dict()["model-index"]
    return entries


def dataset_id(spec: ModelSpec) -> str | None:
    """The data of a model in the form that the Hub accepts; an id of the Hub stays as it is."""
    name = str(spec.training.get("dataset") or "")
    if re.fullmatch(r"[\w-]+/[\w.-]+", name):
        return name
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or None


def _splits(spec: ModelSpec) -> list[tuple[str, dict[str, Any]]]:
    """Splits with their figures, test first."""
    order = [*SPLIT_NAMES, *spec.metrics]
    return sorted(spec.metrics.items(), key=lambda item: order.index(item[0]))


def _rendered(template: str, **values: Any) -> str:
    shown = {key: METRICS[key].name.lower() for key in SHOWN}
    words = {"text": _text, "interval": interval, "split_names": SPLIT_NAMES, "shown": shown}
    return render(f"{template}.md.j2", **words, **values).rstrip("\n")


def _text(figures: Mapping[str, Any], key: str, form: str | None = None) -> str:
    """A figure as text, a metric in its own form; a dash for what is not recorded."""
    value = figures.get(key)
    return format(value, form or METRICS[key].form) if is_number(value) else "-"


def interval(figures: Mapping[str, Any]) -> str:
    """The recorded 95 % interval of an accuracy as text; a dash where there is none."""
    found = _interval_of(figures)
    return "{:.2%} to {:.2%}".format(*found["confidence_interval"]) if found else "-"


def _interval_of(figures: Mapping[str, Any]) -> dict[str, Any] | None:
    """What the `model-index` says about how certain an accuracy is."""
    match figures.get("accuracy_interval"):
        case [low, high] if is_number(low) and is_number(high):
            return {"confidence_level": 0.95, "confidence_interval": [low, high]}
    return None
