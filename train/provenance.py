"""Where trained weights come from, as plain JSON for the spec."""

from __future__ import annotations

import dataclasses
import datetime
import json
from pathlib import Path
from typing import Any

import keras

from catdog.spec import ModelSpec, sha256_of

from . import hardware
from .trainer import Data, Recipe


def provenance(photos: Data, recipe: Recipe, history: list[dict], *, command: str, dataset: str) -> dict[str, Any]:
    """Describe a finished run: data, recipe, time, software and hardware."""
    return {
        "dataset": dataset,
        "photos": {"train": len(photos.labels), "val": len(photos.validation_labels)},
        "epochs": len(history),
        "seconds": round(sum(row["seconds"] for row in history)),
        "recipe": dataclasses.asdict(recipe),
        "history": history,
        "backend": keras.backend.backend(),
        "keras": keras.__version__,
        "hardware": hardware.describe(),
        "seed": recipe.seed,
        "date": datetime.date.today().isoformat(),
        "command": command,
    }


def base_provenance(base: str | None) -> Any:
    """What is known of the base weights: the JSON that `distill` wrote beside them, or their name."""
    if base in (None, "none"):
        return "random weights"
    if base == "imagenet":
        return "keras.applications, ImageNet"
    described = Path(base).with_suffix("").with_suffix(".json")
    return json.loads(described.read_text()) if described.is_file() else Path(base).name


def start_provenance(start: Path) -> dict[str, Any]:
    """What is known of the classifier that a run went on from: its file and its own training."""
    described = start.with_suffix(".json")
    training = ModelSpec.read(described).training if described.is_file() else {}
    return {"went_on_from": start.name, "sha256": sha256_of(start), "training": training}
