"""How unlike the animals of the training a photo is, told from the features that a model sees in it."""

from __future__ import annotations

import base64
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

MOST_FEATURES, MOST_AXES, MOST_CLASSES = 16_384, 256, 1000
TINY = 1e-12  # what variances, thresholds and steps may be at least
LARGEST = 1e6  # strangeness beyond which more says nothing more


@dataclass(frozen=True)
class Novelty:
    """Mahalanobis distance to the nearest class (Lee et al. 2018), of features brought to length 1.

    The covariance is the same for all classes and of low rank. What lies along its axes and what lies
    beside them count alike, however many directions each has: as the distance in and the distance
    from the feature space (Moghaddam and Pentland 1997).

    means      (classes, F) mean features of each class
    axes       (K, F) principal axes of what is left when the class means are taken away, nearly orthonormal
    variances  (K,) along the axes
    rest       sum of the variances along all other directions
    threshold  distance that counts as 1
    """

    means: np.ndarray
    axes: np.ndarray
    variances: np.ndarray
    rest: float
    threshold: float

    def distances(self, features: np.ndarray) -> np.ndarray:
        """Distances (N,), float64, of features (N, F); not divided by the threshold."""
        features = unit(features)
        squares = np.full(len(features), np.inf)
        for mean in self.means:
            offset = features - mean
            along = offset @ self.axes.T
            beside = np.maximum((offset**2).sum(axis=1) - (along**2).sum(axis=1), 0)
            squares = np.minimum(squares, (along**2 / self.variances).mean(axis=1) + beside / self.rest)
        return np.sqrt(squares)

    def strangeness(self, features: np.ndarray) -> float | None:
        """The distance of one photo's features (F,) in units of the threshold; None when they are no numbers."""
        with np.errstate(invalid="ignore"):
            scaled = float(self.distances(features[None])[0]) / self.threshold
        return round(min(scaled, LARGEST), 4) if math.isfinite(scaled) else None

    @classmethod
    def from_dict(cls, content: Any) -> Novelty:
        """Read the `novelty` of a spec; raises ValueError when it makes no sense."""
        if not isinstance(content, dict):
            raise ValueError("it is no object")
        means = _unpacked(content, "means", MOST_CLASSES)
        axes = _unpacked(content, "axes", MOST_AXES)
        variances = np.array([_positive(value, "variances") for value in _list(content, "variances", MOST_AXES)])
        if means.shape[1] != axes.shape[1] or len(axes) != len(variances):
            raise ValueError("its means, axes and variances do not fit together")
        rest, threshold = (_positive(content.get(name), name) for name in ("rest", "threshold"))
        return cls(means, axes, variances, rest, threshold)

    def to_dict(self) -> dict[str, Any]:
        """As a spec keeps it: each row of a matrix as base64 of whole numbers from -127 to 127, and their unit."""
        return {
            "means": _packed(self.means),
            "axes": _packed(self.axes),
            "variances": [_short(value) for value in self.variances],
            "rest": _short(self.rest),
            "threshold": _short(self.threshold),
        }


def unit(features: np.ndarray) -> np.ndarray:
    """Features (N, F) of length 1 each, float64."""
    features = np.asarray(features, np.float64)
    return features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), TINY)


def _packed(matrix: np.ndarray) -> dict[str, Any]:
    steps = np.array([_short(peak / 127) for peak in np.abs(matrix).max(axis=1)])
    whole = np.clip(np.round(matrix / steps[:, None]), -127, 127).astype(np.int8)
    return {"steps": steps.tolist(), "int8": base64.b64encode(whole.tobytes()).decode()}


def _unpacked(content: dict[str, Any], name: str, most: int) -> np.ndarray:
    """A matrix of at least one row and one column, float64; raises ValueError."""
    packed = content.get(name)
    if not isinstance(packed, dict):
        raise ValueError(f"its {name} are no object")
    steps = np.array([_positive(value, f"{name} steps") for value in _list(packed, "steps", most)])
    try:
        whole = np.frombuffer(base64.b64decode(packed.get("int8"), validate=True), np.int8)
    except (TypeError, ValueError) as error:
        raise ValueError(f"its {name} are not in base64") from error
    if not len(steps) or not len(whole) or len(whole) % len(steps) or len(whole) > len(steps) * MOST_FEATURES:
        raise ValueError(f"its {name} are {len(whole)} numbers in {len(steps)} rows")
    return steps[:, None] * whole.reshape(len(steps), -1)


def _short(value: float) -> float:
    """A positive number to six digits: what is written is what is used."""
    return max(float(f"{value:.6g}"), TINY)


def _list(content: dict[str, Any], name: str, most: int) -> list[Any]:
    values = content.get(name)
    if not isinstance(values, (list, tuple)) or len(values) > most:
        raise ValueError(f"its {name} are no list of up to {most} numbers")
    return values


def _positive(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not TINY <= value <= 1 / TINY:
        raise ValueError(f"its {name} must be positive numbers")
    return float(value)
