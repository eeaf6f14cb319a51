"""The record of a training in a spec, as plain JSON: its data, recipe, history, and the weights it began with."""

import dataclasses
import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras

from catdog.errors import InvalidSettings
from catdog.models.spec import ModelSpec, is_spec, sha256_of
from train.fit.job import Job, Product
from train.fit.lineage import RANDOM
from train.fit.trainer import Data
from train.networks import hardware
from train.networks.recipes import Recipe


def provenance(photos: Data, job: Job, recipe: Recipe, history: list[dict], *, precision: str) -> dict[str, Any]:
    """Describe a finished run: data, recipe, precision used, time, software and hardware."""
    return {
        "photos": {"train": len(photos.labels), "val": len(photos.validation_labels)},
        "epochs": len(history),
        "seconds": round(sum(row["seconds"] for row in history)),
        "recipe": dataclasses.asdict(recipe),
        "precision": precision,
        "history": history,
        "seed": recipe.seed,
    } | _circumstances(job)


def averaged(files: Sequence[Path], product: Product, validation_photos: int) -> dict[str, Any]:
    """Describe the mean of the weights of some `.h5` files, of which the last is recorded as the base."""
    *others, last = map(origin_of, files)
    photos = last.get("training", {}).get("photos", {})
    return {
        "photos": {**photos, "val": validation_photos},
        "base": last,
        "averaged_with": others,
    } | _circumstances(product)


def _circumstances(product: Product) -> dict[str, str]:
    return {
        "dataset": product.dataset,
        "backend": keras.backend.backend(),
        "keras": keras.__version__,
        "hardware": hardware.describe(),
        "date": datetime.date.today().isoformat(),
        "command": product.command,
    }


def without_repeats(training: dict[str, Any]) -> dict[str, Any]:
    """A record in which the training of each file, known by its sha256, is described only once.

    A run records the training of its base and of its teacher, and an average that of each part; without this, shared
    ones would double with each generation. They stay where `catdog.models.training_runs.steps_to` meets them first. It
    does not follow teachers, so their trainings are kept once more.
    """
    return _first_mention(training, {"base": set(), "teacher": set()})


def _first_mention(run: dict[str, Any], known: dict[str, set[str]]) -> dict[str, Any]:
    """As `without_repeats`, without the training of files already known (sha256), as a base or as a teacher."""

    def once(origin: Any, role: str) -> Any:
        match origin:
            case {"training": _, "sha256": str(sha256)} if sha256 in known[role]:
                return {key: value for key, value in origin.items() if key != "training"}
            case {"training": dict(earlier)}:
                known[role].add(str(origin.get("sha256")))
                return origin | {"training": _first_mention(earlier, known)}
        return origin

    others = run.get("averaged_with")
    shorter = {"averaged_with": [once(other, "base") for other in others]} if isinstance(others, list) else {}
    return run | shorter | {role: once(run[role], role) for role in known if role in run}


def identity(source: str | Path | None) -> str | None:
    """The sha256 of a file of weights, or else their name: equal for runs that start with the same weights."""
    if source in (None, "none"):
        return None
    return sha256_of(source) if Path(source).is_file() else str(source)


def beginning(job: Job) -> Any:
    """Describe what a run begins with: the name of its weights, or their file and the training of that."""
    if job.start:
        return origin_of(job.start)
    if job.base in (None, "none"):
        return RANDOM
    if job.base == "imagenet":
        return "keras.applications, ImageNet"
    if not Path(job.base).is_file():
        raise InvalidSettings(f"The base must be imagenet, none or an existing .h5 file. Received: {job.base!r}.")
    return origin_of(Path(job.base))


def origin_of(path: Path) -> dict[str, Any]:
    """Describe an `.h5`: name, sha256 and, from the spec beside it, its training."""
    named = {"file": path.name}
    if spec := spec_beside(path):  # which has the sha256 of the file
        return named | {"sha256": spec.sha256, "training": spec.training}
    return named | {"sha256": sha256_of(path)}


def spec_beside(path: Path) -> ModelSpec | None:
    """The spec beside an `.h5`, or None where there is none, or it belongs to other weights.

    Raises ModelMismatch for a spec that cannot be read.
    """
    described = path.with_suffix(".json")
    spec = ModelSpec.read(described) if described.is_file() and is_spec(described) else None
    # A process that was killed between the two files may have left the spec of other weights.
    return spec if spec and spec.sha256 == sha256_of(path) else None
