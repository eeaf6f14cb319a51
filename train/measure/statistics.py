"""Intervals, calibration and comparison of classifiers from their answers: no model, no file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import binomtest

CALIBRATION_BINS = 15
RESAMPLES = 1000


def wilson(right: int, total: int, z: float = 1.959964) -> tuple[float, float]:
    """Wilson's 95 % score interval of a proportion (Wilson 1927)."""
    share = right / total
    centre = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z / (1 + z * z / total) * np.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    return float(max(0.0, centre - half)), float(min(1.0, centre + half))


def share(flags: Sequence[bool]) -> dict[str, Any]:
    """How many of some flags are set, as plain JSON: count, of, share and its 95 % interval."""
    count, total = int(sum(flags)), len(flags)
    if not total:
        return {"count": 0, "of": 0}
    return {"count": count, "of": total, "share": count / total, "interval": wilson(count, total)}


@dataclass(frozen=True)
class Bin:
    """The photos whose confidence falls between two values: how sure a model was, and how often right."""

    confidence: float
    right: int
    total: int

    @property
    def accuracy(self) -> float:
        return self.right / self.total


def calibration_bins(probabilities: np.ndarray, labels: np.ndarray, bins: int = CALIBRATION_BINS) -> list[Bin]:
    """Equal bins of the confidence of probabilities (N, classes), without the empty ones."""
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    index = np.minimum((confidence * bins).astype(int), bins - 1)
    chosen = (index == number for number in np.unique(index))
    return [Bin(float(confidence[c].mean()), int(right[c].sum()), int(c.sum())) for c in chosen]


def calibration_error(probabilities: np.ndarray, labels: np.ndarray, bins: int = CALIBRATION_BINS) -> float:
    """Expected calibration error: mean gap between confidence and accuracy over bins of confidence.

    Guo et al. 2017, "On calibration of modern neural networks".
    """
    found = calibration_bins(probabilities, labels, bins)
    return sum(abs(b.confidence - b.accuracy) * b.total for b in found) / len(labels)


@dataclass(frozen=True)
class Paired:
    """On how many photos two classifiers were right: both, the first or the second alone, neither.

    p  how often a difference at least as large comes by chance: McNemar's test (1947) in its exact
       form, two-sided binomial on the photos that only one of them got right
    """

    both: int
    first: int
    second: int
    neither: int
    p: float


def mcnemar(first_right: np.ndarray, second_right: np.ndarray) -> Paired:
    """Compare two classifiers by what each got right, boolean (N,) on the same photos."""
    first, second = int((first_right & ~second_right).sum()), int((second_right & ~first_right).sum())
    p = float(binomtest(first, first + second).pvalue) if first + second else 1.0
    both, neither = int((first_right & second_right).sum()), int((~first_right & ~second_right).sum())
    return Paired(both, first, second, neither, p)


def bootstrap(
    figures: Callable[[np.ndarray], dict[str, float]], count: int, resamples: int = RESAMPLES, seed: int = 0
) -> dict[str, np.ndarray]:
    """Named figures of resamples of `count` photos, drawn with replacement (Efron 1979): name -> (resamples,).

    `figures` turns row numbers into figures; one that cannot be computed of a resample is left out
    of its result.
    """
    random = np.random.default_rng(seed)
    found: dict[str, list[float]] = {}
    for _ in range(resamples):
        for name, value in figures(random.integers(count, size=count)).items():
            found.setdefault(name, []).append(value)
    return {name: np.array(values) for name, values in found.items()}


def middle(values: np.ndarray) -> tuple[float, float]:
    """The interval that holds the middle 95 % of resampled figures: the percentile method."""
    low, high = np.percentile(values, (2.5, 97.5))
    return float(low), float(high)


def middle_less_bias(values: np.ndarray, figure: float) -> tuple[float, float]:
    """The same, moved so that the mean of the resamples meets the figure, and never below 0.

    For a figure to which resampling adds noise that is always positive, as the calibration error.
    """
    low, high = middle(values - (values.mean() - figure))
    return max(0.0, low), max(0.0, high)


def rounded(value: Any, places: int = 5) -> Any:
    """Nested dicts, lists and tuples as plain JSON, in which every float has at most so many decimals."""
    if isinstance(value, dict):
        return {key: rounded(entry, places) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(entry, places) for entry in value]
    return round(float(value), places) if isinstance(value, float | np.floating) else value
