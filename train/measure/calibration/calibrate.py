"""What a model learns about itself on val: the temperature that makes its confidence mean what it says, and more."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import minimize, minimize_scalar
from sklearn.metrics import roc_auc_score

from catdog import Settings, load
from catdog.classifier import Classifier, calibrated
from catdog.engine import EXACT, Outputs, fast_here
from catdog.models.neither import LEAST, Neither
from catdog.models.novelty import Novelty
from catdog.models.spec import ModelSpec
from catdog.terminal import tell
from train.data.dataset import Split, find, find_elsewhere
from train.measure import evaluate, fit_clear, fit_disagreement, fit_error_rate, fit_novelty
from train.measure.served import settings_for

# Of cats and dogs, as many may be taken for neither.
REFUSED = 0.015


def fit_temperature(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """The temperature that minimises the log loss of uncalibrated probabilities (N, classes).

    Guo et al. 2017, "On calibration of modern neural networks". Searched between 0.05 and 20. A label
    counts as right but for once in N + 2 photos (Platt 1999, "Probabilistic outputs for support vector
    machines"): few photos that are all right would otherwise make every answer certain.
    """
    rows, doubt = np.arange(len(labels)), 1 / (len(labels) + 2)

    def log_loss(log_temperature: float) -> float:
        said = np.log(np.clip(calibrated(probabilities, float(np.exp(log_temperature))), 1e-12, 1.0))
        right = said[rows, labels]
        others = (said.sum(axis=1) - right) / (said.shape[1] - 1)
        return -float(((1 - doubt) * right + doubt * others).mean())

    best = minimize_scalar(log_loss, bounds=(np.log(0.05), np.log(20)), method="bounded")
    return round(float(np.exp(best.x)), 4)


def fit_shift(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """What to add to the logits so that, with the best temperature, the log loss is least: (classes,), first 0.

    Bias-corrected temperature scaling (Alexandari et al. 2020, "Maximum likelihood with
    bias-corrected calibration"), for a network that leans towards a class on photos it was not
    trained on. Shifts and the logarithm of the sharpness are expected near 0 (a normal prior of variance
    1), so that few photos move them little.
    """
    logits = np.log(np.clip(probabilities, 1e-12, 1.0))
    rows = np.arange(len(labels))

    def log_loss(parameters: np.ndarray) -> float:
        scaled = logits * np.exp(parameters[0]) + parameters[1:]
        mean = (np.logaddexp.reduce(scaled, axis=1) - scaled[rows, labels]).mean()
        return float(mean + parameters @ parameters / 2 / len(labels))

    count = logits.shape[1] + 1
    sharpness, *shifts = minimize(log_loss, np.zeros(count), method="L-BFGS-B", bounds=[(-3, 3)] * count).x
    return (np.array(shifts) - shifts[0]) / np.exp(sharpness)


def fit_neither(of_classes: np.ndarray, of_neither: np.ndarray) -> Neither:
    """What is known of an output for neither by its log odds, (N,), for photos of the classes and (M,) for others.

    Its threshold is where it refuses REFUSED of the photos of the classes.
    """
    odds = float(np.quantile(of_classes, 1 - REFUSED))
    threshold = float(np.clip(1 / (1 + np.exp(-odds)), LEAST, 1 - LEAST))
    if not len(of_neither):
        return Neither(threshold=threshold)
    truth = np.repeat([0, 1], [len(of_classes), len(of_neither)])
    auroc = float(roc_auc_score(truth, np.concatenate([of_classes, of_neither])))
    caught = float((of_neither > np.log(threshold / (1 - threshold))).mean())
    return Neither(threshold=threshold, auroc=round(auroc, 6), caught=round(caught, 6), photos=len(of_neither))


def calibrate(weights: Path, data: Path, more: Sequence[Path] = ()) -> dict[str, ModelSpec]:
    """Learn on `data`/val what every model in `weights` may say of itself, and write it into its spec.

    sureness      how often its answers of a given confidence are wrong
    novelty       what the features of cats and dogs look like; None for a model without features, or too few photos
    disagreement  how often it is right where others disagree
    neither       from where on its output for neither refuses, and how well it tells photos of neither in val, of
                  `data` and of the further folders `more`; None for a model without that output
    clear         from which uncalibrated probability on it can be trusted in fast arithmetic; left as it is for what
                  the processor is not fast at

    What was learned before is replaced. A model that cannot be used is named on stderr and left as it is.
    """
    split = find(data, "val")
    settings = settings_for(weights)
    comparator = load(settings)
    tell(comparator.problems)
    try:
        classifiers = list(comparator.models.values())
        learned = learn(classifiers, split, find_elsewhere(data, "val", more).of_neither)
        for name, clear in _clear(classifiers, weights, settings, split).items():
            learned[name]["clear"] = clear
    finally:
        comparator.close()
    return {
        spec.name: evaluate.amend(weights / f"{spec.name}.json", spec, **learned[spec.name])
        for spec in comparator.specs
    }


def learn(classifiers: Sequence[Classifier], split: Split, of_neither: Split) -> dict[str, dict[str, Any]]:
    """What `calibrate` writes, for models on photos that they were not trained on: name -> fields of its spec."""
    answers = evaluate.outputs_of(classifiers, split)
    able = [classifier for classifier in classifiers if classifier.spec.neither]
    refusing = evaluate.outputs_of(able, of_neither, ("neither",)) if able and len(of_neither) else {}
    sha256 = {classifier.spec.name: classifier.spec.sha256 for classifier in classifiers}
    predicted = {name: outputs.probabilities.argmax(axis=1) for name, outputs in answers.items()}
    return {
        name: {
            "sureness": fit_error_rate.fit(outputs.probabilities.max(axis=1), predicted[name] == split.labels),
            "novelty": _novelty(outputs.features, split.labels),
            "neither": _neither(outputs.neither, refusing[name].neither if name in refusing else None),
            "disagreement": fit_disagreement.count(name, predicted, split.labels, sha256),
        }
        for name, outputs in answers.items()
    }


def _clear(
    classifiers: Sequence[Classifier], weights: Path, settings: Settings, split: Split
) -> dict[str, dict[str, float]]:
    """The field `clear` of each model that could run in fast arithmetic, as `arithmetic.fit_clear` finds it."""
    specs = {c.spec.name: c.spec for c in classifiers if evaluate.on_openvino(c)}
    fast = fast_here() if specs else ()
    if not fast:
        return {}
    # By themselves, without a second answer where they are not clear.
    alone = {
        name: evaluate.in_arithmetics(fast, spec.replace(clear={}), weights, settings) for name, spec in specs.items()
    }
    each = [classifier for models in alone.values() for classifier in models.values()]
    answers = evaluate.outputs_of(map(evaluate.uncalibrated, each), split, ("neither",), progress="arithmetic")
    learned = {}
    for name, models in alone.items():
        rows = {precision: _all_outputs(answers[classifier.spec.name]) for precision, classifier in models.items()}
        exact, temperature = rows.pop(EXACT), specs[name].temperature
        found = {key: fit_clear.fit_clear(fast_rows, exact, temperature) for key, fast_rows in rows.items()}
        kept = {key: clear for key, clear in specs[name].clear.items() if key not in fast}
        learned[name] = kept | {key: clear for key, clear in found.items() if clear is not None}
    return learned


def _neither(of_classes: np.ndarray | None, of_neither: np.ndarray | None) -> Neither | None:
    if of_classes is None:
        return None
    return fit_neither(of_classes, np.zeros(0) if of_neither is None else of_neither)


def _all_outputs(outputs: Outputs) -> np.ndarray:
    """The probabilities (N, outputs) that a model gave before those of its classes were told apart from neither."""
    if outputs.neither is None:
        return outputs.probabilities
    neither = 1 / (1 + np.exp(-outputs.neither[:, None]))
    return np.concatenate([outputs.probabilities * (1 - neither), neither], axis=1)


def _novelty(features: np.ndarray | None, labels: np.ndarray) -> Novelty | None:
    enough = features is not None and np.bincount(labels).min() >= fit_novelty.LEAST
    return fit_novelty.fit(features, labels) if enough else None
