"""The command `evaluate`: measure the served models of a folder and record the figures in their specs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from catdog.classifier import Classifier, calibrated
from catdog.comparator import Comparator
from catdog.engine import EXACT, FAST, fast_here, precisions_of
from catdog.models.locate import ModelFile
from catdog.models.spec import ModelSpec
from train.data.dataset import Split, find
from train.measure.answers import outputs_of
from train.measure.metrics import measure
from train.measure.served import amend, files_of, in_precisions, on_openvino, served
from train.measure.statistics import rounded


def evaluate(weights: str | Path, data: Path, split_name: str = "test") -> dict[str, dict[str, Any]]:
    """Measure every model in `weights` on `data`/split_name and record the figures in its spec.

    Returns name -> figures, as `metrics.measure`, plus `int8` and `bfloat16`: what each arithmetic that the processor
    is fast at changes, with float32 where the answer is not clear. `catdog.engine` chooses the arithmetic by it. The
    other figures are those of the arithmetic that is chosen from then on. A model that cannot be used is named on
    stderr and left out.
    """
    split, files = find(data, split_name), files_of(weights)
    with served(weights) as comparator:
        models = _in_all_precisions(comparator, files)
        outputs = outputs_of([each for variants in models.values() for each in variants.values()], split)
    results = {}
    for name, variants in models.items():
        raw = {key: outputs[each.spec.name].probabilities for key, each in variants.items()}
        results[name] = _figures(comparator.models[name].spec, raw, split, split_name)
    for name, figures in results.items():  # only when all are measured: an interrupted command records nothing
        _record(figures, split_name, comparator.models[name].spec, files[name].spec_path)
    return results


def _figures(spec: ModelSpec, raw: dict[str, np.ndarray], split: Split, split_name: str) -> dict[str, Any]:
    """Measure a model by its probabilities before the temperature: arithmetic -> float64 (N, classes)."""
    answers = {key: calibrated(rows, spec.temperature) for key, rows in raw.items()}
    exact, changes = answers[EXACT], {}
    for key in (key for key in FAST if key in answers):
        changes[key] = {
            "images": len(split),
            "clear": spec.clear[key],
            "labels_changed": int((exact.argmax(axis=1) != answers[key].argmax(axis=1)).sum()),
            "largest_change_of_probability": rounded(np.abs(exact - answers[key]).max()),
        }
    chosen = EXACT
    if changes:
        measured = spec.replace(metrics={**spec.metrics, split_name: changes})
        chosen = next(precision for precision in precisions_of(measured) if precision in answers)
    return measure(answers[chosen], split.labels, split.classes, uncalibrated=raw[chosen]) | changes


def _in_all_precisions(comparator: Comparator, files: Mapping[str, ModelFile]) -> dict[str, dict[str, Classifier]]:
    """Each model in float32, and in what the processor is fast at where its spec says which answers are clear."""
    fast = fast_here() if any(map(on_openvino, comparator.models.values())) else ()
    models = {}
    for name, classifier in comparator.models.items():
        learned = [precision for precision in fast if precision in classifier.spec.clear and on_openvino(classifier)]
        # Without such, it is served in float32 anyway.
        models[name] = in_precisions(learned, classifier.spec, files[name].path) if learned else {EXACT: classifier}
    return models


def _record(figures: dict[str, Any], split_name: str, measured: ModelSpec, path: Path) -> None:
    """Write figures into a spec. What this call did not measure of the same photos is kept.

    That is what another processor is fast at, and `rounding`, which specs of earlier versions have.
    """
    metrics = ModelSpec.read(path).metrics
    before = metrics.get(split_name, {})
    if before.get("images") == figures.get("images"):
        figures = {key: before[key] for key in (*FAST, "rounding") if key in before} | figures
    amend(path, measured, metrics={**metrics, split_name: figures})
