"""How far a photo's features are from those of the training photos: an out-of-distribution score."""

from __future__ import annotations

import base64
import math
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, model_validator

TINY = 1e-12  # least value of variances, thresholds and steps
LARGEST = 1e6  # strangeness is cut off here
MOST_FEATURES, MOST_AXES, MOST_CLASSES = 16_384, 256, 1000


def _packed(matrix: np.ndarray) -> dict[str, Any]:
    """A matrix as specs store it: base64 of whole numbers from -127 to 127, and the step between them for each row."""
    steps = np.array([_short(peak / 127) for peak in np.abs(matrix).max(axis=1)])
    whole = np.clip(np.round(matrix / steps[:, None]), -127, 127).astype(np.int8)
    return {"steps": steps.tolist(), "int8": base64.b64encode(whole.tobytes()).decode()}


def _unpacked(packed: Any) -> np.ndarray:
    """A matrix of at least one row and one column, float64; raises ValueError."""
    if isinstance(packed, np.ndarray):
        return packed
    if not isinstance(packed, dict) or not isinstance(packed.get("steps"), list):
        raise ValueError("a matrix must be an object with `steps` and `int8`")
    steps = packed["steps"]
    if not all(type(step) in (int, float) and TINY <= step <= 1 / TINY for step in steps):
        raise ValueError("`steps` must be positive numbers")
    try:
        whole = np.frombuffer(base64.b64decode(packed.get("int8"), validate=True), np.int8)
    except (TypeError, ValueError) as error:
        raise ValueError("`int8` must be in base64") from error
    if not steps or not len(whole) or len(whole) % len(steps) or len(whole) > len(steps) * MOST_FEATURES:
        raise ValueError(f"`int8` has {len(whole)} numbers for {len(steps)} rows")
    return np.array(steps, np.float64)[:, None] * whole.reshape(len(steps), -1)


def _short(value: float) -> float:
    """A positive number to six digits."""
    return max(float(f"{value:.6g}"), TINY)


Matrix = Annotated[np.ndarray, BeforeValidator(_unpacked), PlainSerializer(_packed)]
Positive = Annotated[float, Field(strict=True, ge=TINY, le=1 / TINY), PlainSerializer(_short)]


class Novelty(BaseModel):
    """Mahalanobis distance to the nearest class (Lee et al. 2018), of features scaled to length 1.

    All classes share a covariance of low rank. The part of a difference along its axes and the part outside them count
    the same, as the distance in and the distance from the feature space (Moghaddam and Pentland 1997).

    means      (classes, F) mean features of each class
    axes       (K, F) principal axes of the features less their class means, nearly orthonormal
    variances  K variances along the axes
    rest       sum of the variances along all other directions
    threshold  distance that counts as a strangeness of 1
    """

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    means: Matrix
    axes: Matrix
    variances: Annotated[tuple[Positive, ...], Field(max_length=MOST_AXES)]
    rest: Positive
    threshold: Positive

    @model_validator(mode="after")
    def _check(self) -> Novelty:
        if len(self.means) > MOST_CLASSES:
            raise ValueError(f"`means` must have at most {MOST_CLASSES} rows")
        if self.means.shape[1] != self.axes.shape[1] or len(self.axes) != len(self.variances):
            raise ValueError("`means`, `axes` and `variances` must fit together")
        return self

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Novelty) and self.model_dump() == other.model_dump()

    def rounded(self) -> Novelty:
        """A copy as it is after it was written to a spec and read again."""
        return Novelty(**self.model_dump())

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
        """Distance of one photo's features (F,) in units of the threshold; None for features that are not finite."""
        with np.errstate(invalid="ignore"):
            scaled = float(self.distances(features[None])[0]) / self.threshold
        return round(min(scaled, LARGEST), 4) if math.isfinite(scaled) else None


def unit(features: np.ndarray) -> np.ndarray:
    """Features (N, F) of length 1 each, float64."""
    features = np.asarray(features, np.float64)
    return features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), TINY)
