"""How unlike the animals of the training a photo is, told from the features that a model sees in it."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Any

import numpy as np

MOST_FEATURES, MOST_AXES, MOST_CLASSES = 16_384, 256, 1000
# A distance a million times the threshold says no more than a thousand times.
LARGEST = 1e6


@dataclass(frozen=True)
class Novelty:
    """Mahalanobis distance to the nearest class (Lee et al. 2018), with a covariance of low rank.

    The covariance, shared by all classes, is that of probabilistic principal component analysis
    (Tipping and Bishop 1999): a variance along each of a few axes, and one for all that is left.

    means      (classes, F) mean features of each class
    axes       (K, F) orthonormal principal axes of what is left when the class means are taken away
    variances  (K,) along the axes
    rest       variance along every other direction
    threshold  distance that counts as 1
    """

    means: np.ndarray
    axes: np.ndarray
    variances: np.ndarray
    rest: float
    threshold: float

    def distances(self, features: np.ndarray) -> np.ndarray:
        """Distances (N,), float64, of features (N, F); not divided by the threshold."""
        features = np.asarray(features, np.float64)
        nearest = np.full(len(features), np.inf)
        for mean in self.means:
            offset = features - mean
            along = offset @ self.axes.T
            left = np.maximum((offset**2).sum(axis=1) - (along**2).sum(axis=1), 0)
            nearest = np.minimum(nearest, (along**2 / self.variances).sum(axis=1) + left / self.rest)
        return np.sqrt(nearest)

    def strangeness(self, features: np.ndarray) -> float:
        """The distance of one photo's features (F,) in units of the threshold, 0 to LARGEST."""
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = float(self.distances(features[None])[0]) / self.threshold
        return round(min(scaled, LARGEST), 4) if scaled == scaled else LARGEST

    @classmethod
    def from_dict(cls, content: Any) -> Novelty:
        """Read the `novelty` of a spec; raises ValueError when it makes no sense."""
        if not isinstance(content, dict):
            raise ValueError("it is no object")
        means = _unpacked(content, "means", (MOST_CLASSES, MOST_FEATURES))
        axes = _unpacked(content, "axes", (MOST_AXES, MOST_FEATURES))
        variances = np.array([_positive(value, "variances") for value in _list(content, "variances", MOST_AXES)])
        if not (len(means) and means.shape[1] == axes.shape[1] and len(axes) == len(variances)):
            raise ValueError("its means, axes and variances do not fit together")
        return cls(means, axes, variances, *(_positive(content.get(name), name) for name in ("rest", "threshold")))

    def to_dict(self) -> dict[str, Any]:
        """As a spec keeps it: matrices as base64 of little-endian float16."""
        return {
            "means": _packed(self.means),
            "axes": _packed(self.axes),
            "variances": [float(f"{value:.6g}") for value in self.variances],
            "rest": float(f"{self.rest:.6g}"),
            "threshold": float(f"{self.threshold:.6g}"),
        }


def _packed(matrix: np.ndarray) -> dict[str, Any]:
    content = np.ascontiguousarray(matrix, "<f2").tobytes()
    return {"shape": list(matrix.shape), "float16": base64.b64encode(content).decode()}


def _unpacked(content: dict[str, Any], name: str, most: tuple[int, int]) -> np.ndarray:
    """A matrix, float64; raises ValueError."""
    packed = content.get(name)
    shape, text = (packed.get("shape"), packed.get("float16")) if isinstance(packed, dict) else (None, None)
    fits = isinstance(shape, (list, tuple)) and len(shape) == 2 and all(type(size) is int for size in shape)
    if not fits or not all(0 <= size <= limit for size, limit in zip(shape, most, strict=True)):
        raise ValueError(f"its {name} have no shape of two numbers up to {most[0]} and {most[1]}")
    try:
        values = np.frombuffer(base64.b64decode(text, validate=True), "<f2")
    except (TypeError, ValueError, binascii.Error) as error:
        raise ValueError(f"its {name} are not base64 of float16") from error
    if values.size != shape[0] * shape[1] or not np.isfinite(values).all():
        raise ValueError(f"its {name} are not {shape[0]} x {shape[1]} numbers")
    return values.reshape(shape).astype(np.float64)


def _list(content: dict[str, Any], name: str, most: int) -> list[Any]:
    values = content.get(name)
    if not isinstance(values, (list, tuple)) or len(values) > most:
        raise ValueError(f"its {name} are no list of up to {most} numbers")
    return values


def _positive(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 1e-30 < value < 1e30:
        raise ValueError(f"its {name} must be positive numbers")
    return float(value)
