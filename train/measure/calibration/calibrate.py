"""The command `calibrate`: fit the temperature, error rates and thresholds of every model of a folder on val."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import expit

from catdog.adopt.fit_confidence import fit_error_rate, fit_temperature
from catdog.classifier import Classifier, calibrated
from catdog.engine import EXACT, FAST, Outputs, fast_here
from catdog.models.locate import ModelFile
from catdog.models.neither import Neither
from catdog.models.spec import ModelSpec
from train.data.dataset import Split, find, find_elsewhere
from train.measure.answers import outputs_of
from train.measure.calibration.fit_clear import fit_clear
from train.measure.calibration.fit_disagreement import fit_disagreement
from train.measure.calibration.fit_refusal import fit_neither
from train.measure.metrics import measure
from train.measure.served import amend, files_of, in_precisions, on_openvino, served

# Figures that another temperature changes, by their names in a spec.
MOVED = ("log_loss", "calibration_error", "roc_auc", "rounding", *FAST)


def calibrate(weights: str | Path, data: Path, more: Sequence[Path] = ()) -> dict[str, ModelSpec]:
    """Fit these fields of the specs of all models in `weights` on `data`/val; name -> spec, as written.

    temperature   calibrates confidence; the old one stays if it is as good. With a new one, the figures of val are
                  measured again, and figures of other photos that depend on it are dropped. For an adopted model,
                  figures of val replace those of the photos it was adopted with
    sureness      how often answers of a given confidence are wrong
    disagreement  how often the model is right when others disagree with it
    neither       the threshold above which the output for neither refuses a photo, and how well it separates the photos
                  of neither in val from those of the classes, in `data` and the folders `more`; None for a model
                  without that output. If no folder has photos of neither, the values of an earlier run stay
    clear         for each fast arithmetic, the uncalibrated probability from which its answer is trusted; unchanged for
                  an arithmetic that this processor is not fast at

    Earlier values are replaced. A model that cannot be used is named on stderr and left as it is.
    """
    split, files = find(data, "val"), files_of(weights)
    with served(weights) as comparator:
        classifiers = list(comparator.models.values())
        learned = learn(classifiers, split, find_elsewhere(data, "val", more))
        specs = [c.spec.replace(**learned[c.spec.name]) for c in classifiers if on_openvino(c)]
        for name, clear in _clear(specs, files, split).items():
            learned[name]["clear"] = clear
    return {spec.name: amend(files[spec.name].spec_path, spec, **learned[spec.name]) for spec in comparator.specs}


def learn(classifiers: Sequence[Classifier], split: Split, elsewhere: Split) -> dict[str, dict[str, Any]]:
    """Model -> the fields of its spec but `clear`, from photos that it was not trained on.

    The photos of neither among `elsewhere` tell how well a model refuses, and those of the classes what it refuses by
    mistake; all else comes from `split`.
    """
    specs = {classifier.spec.name: classifier.spec for classifier in classifiers}
    outputs = outputs_of(classifiers, split)
    raw = {name: found.probabilities for name, found in outputs.items()}
    temperatures = {name: fit_temperature(raw[name], split.labels, specs[name].temperature) for name in specs}
    able = [classifier for classifier in classifiers if classifier.spec.neither]
    others = outputs_of(able, elsewhere) if able and len(elsewhere) else {}
    probabilities = {name: calibrated(raw[name], temperature) for name, temperature in temperatures.items()}
    predicted = {name: rows.argmax(axis=1) for name, rows in probabilities.items()}
    sha256 = {name: spec.sha256 for name, spec in specs.items()}
    learned = {}
    for name, rows in probabilities.items():
        neither = specs[name].neither
        if len(elsewhere.of_neither) or not (neither and neither.photos):
            neither = refusal(outputs[name].neither, others[name].neither if name in others else None, elsewhere)
        learned[name] = {
            "temperature": temperatures[name],
            "metrics": _metrics(specs[name], temperatures[name], raw[name], split),
            "sureness": fit_error_rate(rows.max(axis=1), predicted[name] == split.labels),
            "neither": neither,
            "disagreement": fit_disagreement(name, predicted, split.labels, sha256),
        }
    return learned


def refusal(of_classes: np.ndarray | None, odds: np.ndarray | None, elsewhere: Split) -> Neither | None:
    """As `fit_neither`, from log odds of photos of the classes (N,) and of all photos of `elsewhere` (M,) or None.

    None for a model without an output for neither.
    """
    if of_classes is None:
        return None
    if odds is None:
        return fit_neither(of_classes, np.zeros(0))
    others = elsewhere.labels == len(elsewhere.classes)
    return fit_neither(np.concatenate([of_classes, odds[~others]]), odds[others])


def _metrics(spec: ModelSpec, temperature: float, raw: np.ndarray, split: Split) -> dict[str, dict[str, Any]]:
    """The figures of a spec that hold at this temperature, and those of val; `raw` (N, classes) is uncalibrated."""
    same = temperature == spec.temperature
    kept = {
        name: {key: value for key, value in figures.items() if same or key not in MOVED}
        for name, figures in spec.metrics.items()
        if name != "photos"
    }
    if same and "val" in kept:
        return kept
    figures = measure(calibrated(raw, temperature), split.labels, split.classes, uncalibrated=raw)
    return kept | {"val": figures}


def _all_outputs(outputs: Outputs) -> np.ndarray:
    """Probabilities (N, outputs) of a model with its output for neither, if it has one, before the temperature."""
    if outputs.neither is None:
        return outputs.probabilities
    neither = expit(outputs.neither[:, None])
    return np.concatenate([outputs.probabilities * (1 - neither), neither], axis=1)


def _clear(models: Sequence[ModelSpec], files: Mapping[str, ModelFile], split: Split) -> dict[str, dict[str, float]]:
    """The field `clear` of each model that could run in fast arithmetic: model -> arithmetic -> probability."""
    specs = {spec.name: spec for spec in models}
    fast = fast_here() if specs else ()
    if not fast:
        return {}
    # Without `clear` no answer of theirs is computed again in float32.
    alone = {name: in_precisions(fast, spec.replace(clear={}), files[name].path) for name, spec in specs.items()}
    each = [classifier for variants in alone.values() for classifier in variants.values()]
    outputs = outputs_of(each, split, progress="arithmetic")
    learned = {}
    for name, variants in alone.items():
        rows = {precision: _all_outputs(outputs[variant.spec.name]) for precision, variant in variants.items()}
        exact, spec = rows.pop(EXACT), specs[name]
        found = {
            precision: fit_clear(fast_rows, exact, len(spec.classes), spec.temperature)
            for precision, fast_rows in rows.items()
        }
        kept = {precision: clear for precision, clear in spec.clear.items() if precision not in fast}
        learned[name] = kept | {precision: clear for precision, clear in found.items() if clear is not None}
    return learned
