"""Measure models through the serving path: `catdog.compare` on the reloaded files."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn import metrics as sk
from tqdm import tqdm

from catdog import Settings, load
from catdog.compare import Classifier, Comparator
from catdog.engine import Outputs, load_engine
from catdog.errors import InvalidSettings, ModelMismatch
from catdog.preprocessing import to_array
from catdog.spec import ModelSpec

from .dataset import DatasetError, Split, find, read

BATCH = 64
CALIBRATION_BINS = 15


def evaluate(
    weights: Path, data: Path, split_name: str = "test", exact: Sequence[Path] = ()
) -> dict[str, dict[str, Any]]:
    """Measure every model in `weights` on `data`/split_name and record it in its spec.

    Returns name -> figures, as `measure` defines them. A model that cannot be used is named on
    stderr and left out. `exact` are `.h5` files as `fit` leaves them in its run folder, before
    rounding; the figures of their models then say, as `rounding`, what rounding changed.
    """
    split = find(data, split_name)
    settings = Settings(weights=weights)
    comparator = load(settings)
    print(*comparator.problems, sep="\n", end="\n" if comparator.problems else "", file=sys.stderr)
    try:
        unrounded = {path: _unrounded(path, comparator, settings) for path in exact}
        probabilities = predict(comparator.models.values(), split)
    finally:
        comparator.close()
    results = {spec.name: measure(probabilities[spec.name], split.labels, split.classes) for spec in comparator.specs}
    for classifier in unrounded.values():
        name = classifier.spec.name
        results[name]["rounding"] = _changes(predict([classifier], split)[name], probabilities[name])
    for spec in comparator.specs:
        _record(results[spec.name], split_name, spec, weights / f"{spec.name}.json")
    return results


def _unrounded(path: Path, comparator: Comparator, settings: Settings) -> Classifier:
    """The model of a file named like one of the comparator's, with that one's spec."""
    if path.stem not in comparator.models:
        raise InvalidSettings(f"{path} must be named like a model: {', '.join(comparator.models)}.")
    spec = comparator.models[path.stem].spec
    return Classifier(spec, load_engine(path, spec, settings))


def _changes(before: np.ndarray, after: np.ndarray) -> dict[str, Any]:
    changed = int((before.argmax(axis=1) != after.argmax(axis=1)).sum())
    return {"labels_changed": changed, "largest_change_of_probability": _rounded(np.abs(before - after).max())}


def _record(figures: dict[str, Any], split_name: str, measured: ModelSpec, path: Path) -> None:
    """Add figures to a spec."""
    amend(path, measured, metrics={**ModelSpec.read(path).metrics, split_name: figures})


def amend(path: Path, measured: ModelSpec, **fields: Any) -> ModelSpec:
    """Replace fields of a spec and return it; refuses when another model took its place meanwhile."""
    spec = ModelSpec.read(path)
    if spec.sha256 != measured.sha256:
        raise ModelMismatch(f"{path} describes another model than the one that was measured: measure again.")
    spec = dataclasses.replace(spec, **fields)
    spec.write(path)
    return spec


def describe(results: dict[str, dict[str, Any]]) -> str:
    """The figures as a Markdown table, one row per model."""
    rows = ["| model | accuracy | 95 % interval | log loss | calibration error | images |", "|---|---|---|---|---|---|"]
    for name, row in results.items():
        low, high = row["accuracy_interval"]
        rows.append(
            f"| {name} | {row['accuracy']:.2%} | {low:.2%} to {high:.2%} | {row['log_loss']:.4f} "
            f"| {row['calibration_error']:.4f} | {row['images']} |"
        )
    return "\n".join(rows)


def predict(classifiers: Iterable[Classifier], split: Split) -> dict[str, np.ndarray]:
    """Probabilities of each model for a split: name -> float64 (N, classes), columns as in the split.

    Raises DatasetError when a model does not know the classes of the folder.
    """
    return {name: outputs.probabilities for name, outputs in outputs_of(classifiers, split, ("probabilities",)).items()}


def outputs_of(
    classifiers: Iterable[Classifier], split: Split, parts: Sequence[str] = Outputs._fields
) -> dict[str, Outputs]:
    """What each model says of a split: name -> Outputs, of which the probabilities have columns as in the split.

    `parts` are the fields to keep, besides the probabilities; raises as `predict`.
    """
    classifiers = list(classifiers)
    columns = {c.spec.name: _columns(c, split) for c in classifiers}
    kept: dict[str, list[Outputs]] = {name: [] for name in columns}
    for batch in looked_at(classifiers, split.paths):
        for name, outputs in batch.items():
            wanted = {part: getattr(outputs, part) for part in parts}
            kept[name].append(Outputs(**wanted | {"probabilities": outputs.probabilities[:, columns[name]]}))
    return {name: joined(rows) for name, rows in kept.items()}


def looked_at(classifiers: Sequence[Classifier], paths: Sequence[Path]) -> Iterator[dict[str, Outputs]]:
    """What each model says of photos, as `Classifier.outputs`, in batches: name -> Outputs."""
    for start in tqdm(range(0, len(paths), BATCH), desc="evaluate", unit="batch"):
        images = [read(path) for path in paths[start : start + BATCH]]
        yield {c.spec.name: c.outputs(np.stack([to_array(image, c.spec) for image in images])) for c in classifiers}


def joined(batches: Sequence[Outputs]) -> Outputs:
    """Outputs on several batches as those on one."""
    return Outputs(*(None if part[0] is None else np.concatenate(part) for part in zip(*batches, strict=True)))


def measure(probabilities: np.ndarray, labels: np.ndarray, classes: Sequence[str]) -> dict[str, Any]:
    """Figures of one model on one split, each a plain number; `images` says how many are behind them.

    accuracy_interval  95 % Wilson score interval
    calibration_error  expected calibration error over 15 equal bins of confidence (Guo et al. 2017)
    confusion          rows are true classes, columns predicted ones, in the order of `classes`
    """
    predicted = probabilities.argmax(axis=1)
    right = int((predicted == labels).sum())
    precision, recall, f1, _ = sk.precision_recall_fscore_support(
        labels, predicted, labels=range(len(classes)), average="macro", zero_division=0
    )
    figures = {
        "images": len(labels),
        "accuracy": right / len(labels),
        "accuracy_interval": wilson(right, len(labels)),
        "precision": precision,
        "recall": recall,
        "f1": f1,
        "log_loss": sk.log_loss(labels, probabilities, labels=range(len(classes))),
        "calibration_error": calibration_error(probabilities, labels),
    }
    if len(classes) == 2 and len(np.unique(labels)) == 2:
        figures["roc_auc"] = sk.roc_auc_score(labels, probabilities[:, 1])
    figures = {key: _rounded(value) for key, value in figures.items()}
    return figures | {"confusion": sk.confusion_matrix(labels, predicted, labels=range(len(classes))).tolist()}


def wilson(right: int, total: int, z: float = 1.959964) -> tuple[float, float]:
    """Wilson's 95 % score interval of a proportion (Wilson 1927)."""
    share = right / total
    centre = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z / (1 + z * z / total) * np.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    return float(max(0.0, centre - half)), float(min(1.0, centre + half))


def calibration_error(probabilities: np.ndarray, labels: np.ndarray, bins: int = CALIBRATION_BINS) -> float:
    """Expected calibration error: mean gap between confidence and accuracy over bins of confidence."""
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    index = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = (
        abs(confidence[index == b].mean() - right[index == b].mean()) * (index == b).sum() for b in np.unique(index)
    )
    return float(sum(gaps) / len(labels))


def _columns(classifier: Classifier, split: Split) -> list[int]:
    known = classifier.spec.classes
    if sorted(known) != sorted(split.classes):
        raise DatasetError(
            f"Model {classifier.spec.name} knows the classes {', '.join(known)}; "
            f"the data folder has {', '.join(split.classes)}."
        )
    return [known.index(name) for name in split.classes]


def _rounded(value: Any) -> Any:
    if isinstance(value, tuple):
        return [round(float(v), 5) for v in value]
    return value if isinstance(value, int) else round(float(value), 5)
