"""Where trained weights come from, as plain JSON for the spec."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras

from catdog.errors import InvalidSettings
from catdog.models.spec import ModelSpec, is_spec, sha256_of
from train.fit.job import Job, Product
from train.fit.trainer import Data
from train.networks import hardware


def provenance(photos: Data, job: Job, history: list[dict], *, precision: str) -> dict[str, Any]:
    """Describe a finished run: data, recipe, the precision that it came to, time, software and hardware."""
    return {
        "dataset": job.dataset,
        "photos": {"train": len(photos.labels), "val": len(photos.validation_labels)},
        "epochs": len(history),
        "seconds": round(sum(row["seconds"] for row in history)),
        "recipe": dataclasses.asdict(job.recipe),
        "precision": precision,
        "history": history,
        "backend": keras.backend.backend(),
        "keras": keras.__version__,
        "hardware": hardware.describe(),
        "seed": job.recipe.seed,
        "date": datetime.date.today().isoformat(),
        "command": job.command,
    }


def averaged(files: Sequence[Path], product: Product, validation_photos: int) -> dict[str, Any]:
    """Describe the mean of the weights of some `.h5` files, the last of which counts as what it went on from."""
    *others, last = map(origin_of, files)
    photos = last.get("training", {}).get("photos", {})
    return {
        "dataset": product.dataset,
        "photos": {**photos, "val": validation_photos},
        "base": last,
        "averaged_with": others,
        "backend": keras.backend.backend(),
        "keras": keras.__version__,
        "hardware": hardware.describe(),
        "date": datetime.date.today().isoformat(),
        "command": product.command,
    }


def without_repeats(training: dict[str, Any]) -> dict[str, Any]:
    """A record of a training in which what is behind each file, known by its sha256, stands only once.

    A run records the history of its weights and of its teacher, and an average that of each part: shared histories
    would double with every generation. They stay where `catdog.models.training_runs.steps_to` meets them first;
    it does not follow teachers, whose histories are therefore counted by themselves.
    """
    return _first_mention(training, set(), set())


def _first_mention(run: dict[str, Any], weights: set[str], teachers: set[str]) -> dict[str, Any]:
    """As `without_repeats`, without what is behind files already mentioned as `weights` or as `teachers`."""

    def once(origin: Any, known: set[str]) -> Any:
        match origin:
            case {"sha256": str(sha256), "training": _} if sha256 in known:
                return {key: value for key, value in origin.items() if key != "training"}
            case {"training": dict(earlier)}:
                known.add(str(origin.get("sha256")))
                return origin | {"training": _first_mention(earlier, weights, teachers)}
        return origin

    shorter = {}
    if isinstance(run.get("averaged_with"), list):
        shorter["averaged_with"] = [once(other, weights) for other in run["averaged_with"]]
    for key, known in (("base", weights), ("teacher", teachers)):
        if key in run:
            shorter[key] = once(run[key], known)
    return run | shorter


def identity(source: str | Path | None) -> str | None:
    """A name of weights to start from, or the sha256 of their file: tells whether two runs start alike."""
    if source in (None, "none"):
        return None
    return sha256_of(source) if Path(source).is_file() else str(source)


def base_provenance(base: str | None) -> Any:
    """What is known of the base weights: their name, or their file and its own training."""
    if base in (None, "none"):
        return "random weights"
    if base == "imagenet":
        return "keras.applications, ImageNet"
    if not Path(base).is_file():
        raise InvalidSettings(f"The base must be imagenet, none or an existing .h5 file. Received: {base!r}.")
    return origin_of(Path(base))


def origin_of(path: Path) -> dict[str, Any]:
    """What is known of an `.h5` that a run began with: its file and, from the spec beside it, its own training."""
    spec = spec_beside(path)
    return {"file": path.name, "sha256": sha256_of(path)} | ({"training": spec.training} if spec else {})


def spec_beside(path: Path) -> ModelSpec | None:
    """The spec beside an `.h5`; None where there is none, or one of other weights, or JSON of another kind.

    Raises ModelMismatch for one that cannot be read.
    """
    described = path.with_suffix(".json")
    spec = ModelSpec.read(described) if described.is_file() and is_spec(described) else None
    # A spec of other weights, left by a process that was killed between the two files, says nothing.
    return spec if spec and spec.sha256 == sha256_of(path) else None
