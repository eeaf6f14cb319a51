"""Fit what calibrates confidence: a temperature, and error rates by level of confidence."""

from __future__ import annotations

import itertools

import numpy as np

from catdog.classifier import calibrated
from catdog.models.error_rate import ErrorRates

LOWEST, HIGHEST = 0.05, 20.0
STEPS, POINTS = 13, 9  # of the search for a minimum; each step leaves a quarter of the interval
# Nats per photo that a new temperature must save: with less, what was measured with the old one may stay.
AS_GOOD = 1e-4
GROUP = 50  # answers in a group: fewer say little about a rate


def fit_temperature(probabilities: np.ndarray, labels: np.ndarray, before: float | None = None) -> float:
    """The temperature, LOWEST to HIGHEST, that minimises the log loss of uncalibrated probabilities (N, classes).

    `before` is returned if it is as good.

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

    best = _minimum(log_loss, np.log(LOWEST), np.log(HIGHEST))
    if before and log_loss(np.log(before)) - log_loss(best) < AS_GOOD:
        return before
    return round(float(np.exp(best)), 4)


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
    joined = _never_rising(raw, sizes)
    starts = np.flatnonzero(np.r_[True, np.diff(joined) < -1e-12])
    levels = [np.concatenate(groups[a:b]) for a, b in zip(starts, [*starts[1:], len(groups)], strict=True)]
    rates = np.minimum.accumulate([(wrong[level].sum() + 1) / (len(level) + 2) for level in levels])
    ends = [0.0, *((confidence[a].max() + confidence[b].min()) / 2 for a, b in itertools.pairwise(levels))]
    keep = np.flatnonzero(np.r_[True, np.diff(ends) > 0])
    return ErrorRates(confidence=[float(ends[i]) for i in keep], error_rate=[round(float(rates[i]), 5) for i in keep])


def _minimum(function, low: float, high: float) -> float:
    """Where a function with one minimum has it, by finer and finer grids around the best point."""
    for _ in range(STEPS):
        points = np.linspace(low, high, POINTS)
        best = int(np.argmin([function(point) for point in points]))
        low, high = points[max(best - 1, 0)], points[min(best + 1, POINTS - 1)]
    return (low + high) / 2


def _never_rising(values: list[float], weights: list[int]) -> np.ndarray:
    """The sequence that never rises and is nearest to these values (isotonic regression by pooling violators)."""
    pools: list[tuple[float, float, int]] = []  # mean, weight, length
    for value, weight in zip(values, weights, strict=True):
        pools.append((value, weight, 1))
        while len(pools) > 1 and pools[-2][0] < pools[-1][0]:
            (mean, heavy, long), (other, light, short) = pools[-2:]
            pools[-2:] = [((mean * heavy + other * light) / (heavy + light), heavy + light, long + short)]
    return np.repeat([mean for mean, *_ in pools], [length for *_, length in pools])
