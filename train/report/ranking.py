"""All models side by side, from what their specs record."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from catdog.models.locate import locate
from catdog.models.spec import ModelSpec
from catdog.verdict import default_of
from catdog.wording import readable_size
from train.measure.served import settings_for
from train.report.results import interval


def compare(weights: Path) -> tuple[list[ModelSpec], ModelSpec, tuple[str, ...]]:
    """The models in a folder by validation accuracy, the default one, and why others are not used.

    Raises ModelUnavailable when not one is usable.
    """
    located = locate(settings_for(weights))
    specs = [model.spec for model in located.models]
    ranked = sorted(specs, key=lambda spec: -spec.validation_accuracy)
    return ranked, default_of(specs), located.problems


def describe(specs: Sequence[ModelSpec], default: ModelSpec) -> str:
    """The models as a Markdown table, and which one is the default, in words."""
    rows = [
        "| model | validation accuracy | 95 % interval | photos | test accuracy | 95 % interval | photos | size "
        "| parameters |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for spec in specs:
        count = f"{spec.parameters:,}" if spec.parameters else "-"
        cells = [*_accuracy(spec, "val"), *_accuracy(spec, "test"), readable_size(spec.bytes), count]
        rows.append(f"| {spec.name} | {' | '.join(cells)} |")
    why = "the highest validation accuracy" if default.validation_accuracy else "no validation accuracy is recorded"
    return "\n".join([*rows, f"Default: {default.name} ({why})."])


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


def _accuracy(spec: ModelSpec, split: str) -> tuple[str, str, str]:
    """Accuracy, interval and number of photos as text; dashes for what is not recorded."""
    figures = spec.metrics.get(split, {})

    if "accuracy" not in figures:
        return "-", "-", "-"
    images = figures.get("images")
    photos = f"{images:,}" if isinstance(images, int) and images > 0 else "-"
    return f"{figures['accuracy']:.2%}", interval(figures), photos
