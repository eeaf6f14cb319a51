"""Intervals and resamples of figures: no model, no file."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.stats import binomtest

RESAMPLES = 1000


def wilson(right: int, total: int) -> tuple[float, float]:
    """Wilson's 95 % score interval of a proportion (Wilson 1927)."""
    low, high = binomtest(right, total).proportion_ci(0.95, "wilson")
    return float(low), float(high)


def share(flags: Sequence[bool]) -> dict[str, Any]:
    """How many flags are set, as plain JSON: count, of, share and its 95 % interval; without flags count and of."""
    count, total = int(sum(flags)), len(flags)
    if not total:
        return {"count": 0, "of": 0}
    return {"count": count, "of": total, "share": count / total, "interval": wilson(count, total)}


def bootstrap(
    figures: Callable[[np.ndarray], dict[str, float]], count: int, resamples: int = RESAMPLES
) -> dict[str, np.ndarray]:
    """Named figures of resamples of `count` photos, drawn with replacement (Efron 1979): name -> (resamples,).

    `figures` turns row numbers into figures. A figure that a resample lacks is left out of the array.
    """
    random = np.random.default_rng(0)
    drawn = [figures(random.integers(count, size=count)) for _ in range(resamples)]
    names = dict.fromkeys(name for found in drawn for name in found)
    return {name: np.array([found[name] for found in drawn if name in found]) for name in names}


def middle(values: np.ndarray) -> tuple[float, float]:
    """The 95 % interval of resampled figures by the percentile method: it holds the middle 95 % of them."""
    low, high = np.percentile(values, (2.5, 97.5))
    return float(low), float(high)


def middle_less_bias(values: np.ndarray, figure: float) -> tuple[float, float]:
    """As `middle`, with the interval shifted so that the mean of the resamples is `figure`, and never below 0.

    For the calibration error, to which resampling adds noise that is always positive.
    """
    low, high = middle(values - (values.mean() - figure))
    return max(0.0, low), max(0.0, high)


def rounded(value: Any, places: int = 5) -> Any:
    """Nested dicts, lists and tuples as plain JSON, in which every float has at most `places` decimals."""
    if isinstance(value, dict):
        return {key: rounded(entry, places) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(entry, places) for entry in value]
    return round(float(value), places) if isinstance(value, float | np.floating) else value
