"""Measure models through the serving path: `catdog.comparator` on the reloaded files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from sklearn import metrics as sk
from tqdm import tqdm

from catdog import Settings, load
from catdog.classifier import Classifier, calibrated
from catdog.comparator import Comparator
from catdog.engine import EXACT, FAST, Outputs, fast_here, load_engine, precisions_of
from catdog.errors import InvalidSettings, ModelMismatch, NotConverted
from catdog.models.spec import ModelSpec, sha256_of
from catdog.photo.array import to_array
from catdog.terminal import tell
from train.data.dataset import DatasetError, Split, find, read
from train.measure.served import settings_for
from train.measure.statistics import calibration_error, rounded, wilson

BATCH = 64


def evaluate(
    weights: Path, data: Path, split_name: str = "test", exact: Sequence[Path] = ()
) -> dict[str, dict[str, Any]]:
    """Measure every model in `weights` on `data`/split_name and record it in its spec.

    Returns name -> figures, as `measure` defines them. A model that cannot be used is named on
    stderr and left out. `exact` are `.h5` files as `fit` leaves them in its run folder, before
    rounding; the figures of their models then say, as `rounding`, what rounding changed. Of each
    arithmetic that the processor is fast at they say, under its name, what it changes with float32
    below the confidence that the spec calls clear: `catdog.engine` goes by it, and the other figures
    are those of the arithmetic that it chooses from then on.
    """
    split = find(data, split_name)
    settings = settings_for(weights)
    comparator = load(settings)
    tell(comparator.problems)
    try:
        unrounded = {path.stem: _unrounded(path, comparator, settings) for path in exact}
        models = _in_all_arithmetics(comparator, weights, settings)
        each = [classifier for by_precision in models.values() for classifier in by_precision.values()]
        outputs = predict(map(uncalibrated, each), split)
    finally:
        comparator.close()
    results = {}
    for name, classifier in comparator.models.items():
        raw = {precision: outputs[one.spec.name] for precision, one in models[name].items()}
        results[name] = _figures(classifier.spec, raw, split, split_name)
        if name in unrounded:
            after = calibrated(raw[EXACT], classifier.spec.temperature)
            results[name]["rounding"] = _changes(predict([unrounded[name]], split)[name], after)
    for name, figures in results.items():  # when there are all: who stops it is told that nothing was recorded
        _record(figures, split_name, comparator.models[name].spec, weights / f"{name}.json")
    return results


def _figures(spec: ModelSpec, raw: dict[str, np.ndarray], split: Split, split_name: str) -> dict[str, Any]:
    """Measure a model by its probabilities without temperature, float64 (N, classes), per arithmetic.

    The figures are those of the arithmetic that it is to run in from now on.
    """
    answers = {key: calibrated(rows, spec.temperature) for key, rows in raw.items()}
    changes = {
        key: {"images": len(split), "clear": spec.clear[key], **_changes(answers[EXACT], rows)}
        for key, rows in answers.items()
        if key != EXACT
    }
    precision = EXACT
    if changes:
        measured = spec.replace(metrics={**spec.metrics, split_name: changes})
        precision = next(name for name in precisions_of(measured) if name in answers)
    return measure(answers[precision], split.labels, split.classes, uncalibrated=raw[precision]) | changes


def _unrounded(path: Path, comparator: Comparator, settings: Settings) -> Classifier:
    """The model of a file named like one of the comparator's, with that one's spec but for its sha256."""
    if path.stem not in comparator.models:
        raise InvalidSettings(f"{path} must be named like a model: {', '.join(comparator.models)}.")
    # Engines know a file by its sha256: with the other's they would run the other.
    spec = comparator.models[path.stem].spec.replace(sha256=sha256_of(path))
    return Classifier(spec, load_engine(path, spec, settings, precision=EXACT))


def _in_all_arithmetics(comparator: Comparator, weights: Path, settings: Settings) -> dict[str, dict[str, Classifier]]:
    """Each model in float32, and in what the processor is fast at where its spec says what is clear then."""
    fast = fast_here() if any(map(on_openvino, comparator.models.values())) else ()
    models = {}
    for name, classifier in comparator.models.items():
        learned = [precision for precision in fast if precision in classifier.spec.clear and on_openvino(classifier)]
        # Where nothing is learned it is served in float32 anyhow.
        models[name] = in_arithmetics(learned, classifier.spec, weights, settings) if learned else {EXACT: classifier}
    return models


def in_arithmetics(fast: Sequence[str], spec: ModelSpec, weights: Path, settings: Settings) -> dict[str, Classifier]:
    """A model of the folder `weights` in float32, and in those of `fast` that it can run in: arithmetic -> model.

    Their names are extended by the arithmetic.
    """
    models = {}
    for precision in (EXACT, *fast):
        try:
            engine = load_engine(weights / spec.file, spec, settings, precision=precision)
        except NotConverted:
            if precision == EXACT:
                raise
        else:
            models[precision] = Classifier(spec.replace(name=f"{spec.name}.{precision}"), engine)
    return models


def on_openvino(classifier: Classifier) -> bool:
    return classifier.engine.runtime.startswith("OpenVINO")


def _changes(before: np.ndarray, after: np.ndarray) -> dict[str, Any]:
    changed = int((before.argmax(axis=1) != after.argmax(axis=1)).sum())
    return {"labels_changed": changed, "largest_change_of_probability": rounded(np.abs(before - after).max())}


def _record(figures: dict[str, Any], split_name: str, measured: ModelSpec, path: Path) -> None:
    """Add figures to a spec, and keep what only another machine, or another call, could measure of the same photos."""
    metrics = ModelSpec.read(path).metrics
    before = metrics.get(split_name, {})
    if before.get("images") == figures.get("images"):
        figures = {key: before[key] for key in (*FAST, "rounding") if key in before} | figures
    amend(path, measured, metrics={**metrics, split_name: figures})


def amend(path: Path, measured: ModelSpec, **fields: Any) -> ModelSpec:
    """Replace fields of a spec and return it; refuses when another model took its place meanwhile."""
    spec = ModelSpec.read(path)
    if spec.sha256 != measured.sha256:
        raise ModelMismatch(f"{path} describes another model than the one that was measured: measure again.")
    spec = spec.replace(**fields)
    spec.write(path)
    return spec


def describe(results: dict[str, dict[str, Any]]) -> str:
    """The figures as a Markdown table, one row per model."""
    rows = [
        "| model | accuracy | 95 % interval | log loss | calibration error (without temperature) | images |",
        "|---|---|---|---|---|---|",
    ]
    for name, row in results.items():
        low, high = row["accuracy_interval"]
        rows.append(
            f"| {name} | {row['accuracy']:.2%} | {low:.2%} to {high:.2%} | {row['log_loss']:.4f} "
            f"| {row['calibration_error']:.4f} ({row['calibration_error_uncalibrated']:.4f}) | {row['images']} |"
        )
    return "\n".join(rows)


def uncalibrated(classifier: Classifier) -> Classifier:
    """The same model without its temperature; `catdog.comparator.calibrated` gives its answers one."""
    return Classifier(classifier.spec.replace(temperature=1.0), classifier.engine)


def predict(
    classifiers: Iterable[Classifier],
    split: Split,
    change: Callable[[Image.Image], Image.Image] | None = None,
    progress: str = "evaluate",
) -> dict[str, np.ndarray]:
    """Probabilities of each model for a split: name -> float64 (N, classes), columns as in the split.

    `change` is what is done to each decoded RGB photo before the models see it; `progress` names
    the progress bar. Raises DatasetError when a model does not know the classes of the folder.
    """
    outputs = outputs_of(classifiers, split, ("probabilities",), change, progress)
    return {name: rows.probabilities for name, rows in outputs.items()}


def outputs_of(
    classifiers: Iterable[Classifier],
    split: Split,
    parts: Sequence[str] = Outputs._fields,
    change: Callable[[Image.Image], Image.Image] | None = None,
    progress: str = "evaluate",
) -> dict[str, Outputs]:
    """What each model says of a split: name -> Outputs, of which the probabilities have columns as in the split.

    `parts` are the fields to keep, besides the probabilities; the rest is as for `predict`.
    """
    classifiers = list(classifiers)
    places = {c.spec.name: columns(c, split) for c in classifiers}
    kept: dict[str, list[Outputs]] = {name: [] for name in places}
    for batch in looked_at(classifiers, split.paths, change, progress):
        for name, outputs in batch.items():
            wanted = {part: getattr(outputs, part) for part in parts}
            kept[name].append(Outputs(**wanted | {"probabilities": outputs.probabilities[:, places[name]]}))
    return {name: joined(rows) for name, rows in kept.items()}


def looked_at(
    classifiers: Sequence[Classifier],
    paths: Sequence[Path],
    change: Callable[[Image.Image], Image.Image] | None = None,
    progress: str = "evaluate",
) -> Iterator[dict[str, Outputs]]:
    """What each model says of photos, as `Classifier.outputs`, in batches: name -> Outputs."""
    for start in tqdm(range(0, len(paths), BATCH), desc=progress, unit="batch"):
        images = [read(path) for path in paths[start : start + BATCH]]
        images = [change(image) for image in images] if change else images
        yield {
            c.spec.name: c.outputs(np.stack([to_array(image, c.spec.input) for image in images])) for c in classifiers
        }


def joined(batches: Sequence[Outputs]) -> Outputs:
    """Outputs on several batches as those on one."""
    return Outputs(*(None if part[0] is None else np.concatenate(part) for part in zip(*batches, strict=True)))


def measure(
    probabilities: np.ndarray, labels: np.ndarray, classes: Sequence[str], *, uncalibrated: np.ndarray | None = None
) -> dict[str, Any]:
    """Figures of one model on one split, each a plain number; `images` says how many are behind them.

    accuracy_interval  95 % Wilson score interval
    precision, recall, f1  means over the classes that there are photos of
    calibration_error  expected calibration error over 15 equal bins of confidence (Guo et al. 2017);
                       calibration_error_uncalibrated is that of `uncalibrated`, the probabilities
                       without the temperature, where given
    roc_auc            with more than two classes, the mean of each against the rest
    confusion          rows are true classes, columns predicted ones, in the order of `classes`
    """
    predicted = probabilities.argmax(axis=1)
    right = int((predicted == labels).sum())
    precision, recall, f1, _ = sk.precision_recall_fscore_support(
        labels, predicted, labels=np.unique(labels), average="macro", zero_division=0
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
    if uncalibrated is not None:
        figures["calibration_error_uncalibrated"] = calibration_error(uncalibrated, labels)
    if len(np.unique(labels)) == len(classes):
        scores = probabilities[:, 1] if len(classes) == 2 else probabilities
        figures["roc_auc"] = sk.roc_auc_score(labels, scores, multi_class="ovr")
    figures = {key: rounded(value) for key, value in figures.items()}
    return figures | {"confusion": sk.confusion_matrix(labels, predicted, labels=range(len(classes))).tolist()}


def columns(classifier: Classifier, split: Split) -> list[int]:
    """Which output of a model is each class of a split; raises DatasetError when it knows other classes."""
    known = classifier.spec.classes
    if sorted(known) != sorted(split.classes):
        raise DatasetError(
            f"Model {classifier.spec.name} knows the classes {', '.join(known)}; "
            f"the data folder has {', '.join(split.classes)}."
        )
    return [known.index(name) for name in split.classes]
