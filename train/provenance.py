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


def provenance(
    photos: Data, recipe: Recipe, history: list[dict], *, precision: str, command: str, dataset: str
) -> dict[str, Any]:
    """Describe a finished run: data, recipe, the precision that it came to, time, software and hardware."""
    return {
        "dataset": dataset,
        "photos": {"train": len(photos.labels), "val": len(photos.validation_labels)},
        "epochs": len(history),
        "seconds": round(sum(row["seconds"] for row in history)),
        "recipe": dataclasses.asdict(recipe),
        "precision": precision,
        "history": history,
        "backend": keras.backend.backend(),
        "keras": keras.__version__,
        "hardware": hardware.describe(),
        "seed": recipe.seed,
        "date": datetime.date.today().isoformat(),
        "command": command,
    }


def identity(source: str | Path | None) -> str | None:
    """A name of weights to start from, or the sha256 of their file: tells whether two runs start alike."""
    if source in (None, "none"):
        return None
    return sha256_of(source) if Path(source).is_file() else str(source)


def description_of(base: Path) -> Path:
    """The JSON that `distill` writes beside `NAME.weights.h5`: NAME.json."""
    return base.with_name(base.name.removesuffix(".weights.h5") + ".json")


def base_provenance(base: str | None) -> Any:
    """What is known of the base weights: the JSON that `distill` wrote beside them, or their name."""
    if base in (None, "none"):
        return "random weights"
    if base == "imagenet":
        return "keras.applications, ImageNet"
    path, actual = Path(base), sha256_of(base)
    described = description_of(path)
    origin = json.loads(described.read_text()) if described.is_file() else {}
    # A description of other weights, left by a process that was killed between the two files, says nothing.
    if origin and origin.get("sha256", actual) == actual:
        return origin
    return {"file": path.name, "sha256": actual}


def start_provenance(start: Path) -> dict[str, Any]:
    """What is known of the classifier that a run went on from: its file and its own training."""
    described = start.with_suffix(".json")
    training = ModelSpec.read(described).training if described.is_file() else {}
    return {"went_on_from": start.name, "sha256": sha256_of(start), "training": training}
