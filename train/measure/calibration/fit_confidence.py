"""Fit what makes confidence mean what it says: temperature, balance of the classes, and rates of errors."""

from __future__ import annotations

import itertools

import numpy as np
from scipy.optimize import minimize, minimize_scalar
from sklearn.isotonic import IsotonicRegression

from catdog.classifier import calibrated
from catdog.models.error_rate import ErrorRates

# Answers in a group: fewer say little about a rate.
GROUP = 50


def fit_temperature(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """The temperature, 0.05 to 20, that minimises the log loss of uncalibrated probabilities (N, classes).

    Guo et al. 2017, "On calibration of modern neural networks". Each label gets the weight 1 - 1 / (N + 2), and the
    other classes share the rest (Platt 1999, "Probabilistic outputs for support vector machines"): without that, a
    few photos that are all right would make every answer certain.
    """
    rows, doubt = np.arange(len(labels)), 1 / (len(labels) + 2)

    def log_loss(log_temperature: float) -> float:
        logs = np.log(np.clip(calibrated(probabilities, float(np.exp(log_temperature))), 1e-12, 1.0))
        right = logs[rows, labels]
        others = (logs.sum(axis=1) - right) / (logs.shape[1] - 1)
        return -float(((1 - doubt) * right + doubt * others).mean())

    best = minimize_scalar(log_loss, bounds=(np.log(0.05), np.log(20)), method="bounded")
    return round(float(np.exp(best.x)), 4)


def fit_shift(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """What to add to the logits to minimise the log loss at the best temperature: (classes,), the first is 0.

    For a network that favours a class on photos it was not trained on: bias-corrected temperature scaling (Alexandari
    et al. 2020, "Maximum likelihood with bias-corrected calibration"). A normal prior of variance 1 on the shifts and
    on the logarithm of 1 / temperature keeps few photos from moving them far.
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


def fit_error_rate(confidence: np.ndarray, right: np.ndarray) -> ErrorRates:
    """Error rates in levels of confidence, from the confidence (N,) of answers and whether each is right (N,), bool.

    1. Cut the answers, sorted by confidence, into groups of GROUP.
    2. Join neighbours until a more confident group never errs more often (isotonic regression).
    3. Estimate each rate by Laplace's rule, (wrong + 1) / (answers + 2): n answers that are all right promise no
       rate below about 1 in n.
    """
    # Answers of equal confidence share their errors, because their order means nothing.
    _, same = np.unique(confidence, return_inverse=True)
    wrong = (np.bincount(same, ~right) / np.bincount(same))[same]
    order = np.argsort(confidence, kind="stable")
    groups = np.array_split(order, max(1, len(order) // GROUP))
    raw, sizes = [wrong[group].mean() for group in groups], [len(group) for group in groups]
    joined = IsotonicRegression(increasing=False).fit_transform(np.arange(len(groups)), raw, sample_weight=sizes)
    starts = np.flatnonzero(np.r_[True, np.diff(joined) < -1e-12])
    levels = [np.concatenate(groups[a:b]) for a, b in zip(starts, [*starts[1:], len(groups)], strict=True)]
    rates = np.minimum.accumulate([(wrong[level].sum() + 1) / (len(level) + 2) for level in levels])
    ends = [0.0, *((confidence[a].max() + confidence[b].min()) / 2 for a, b in itertools.pairwise(levels))]
    keep = np.flatnonzero(np.r_[True, np.diff(ends) > 0])
    return ErrorRates(confidence=[float(ends[i]) for i in keep], error_rate=[round(float(rates[i]), 5) for i in keep])
