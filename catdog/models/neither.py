"""A model's own output for photos of none of its classes."""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from catdog.models.error_rate import Share

LEAST = 1e-7  # smaller probabilities are rounding errors of float32


class Neither(BaseModel):
    """The threshold and figures of a model's last output, if that is for photos of none of its classes.

    All but the threshold are None until they are measured.
    """

    model_config = ConfigDict(frozen=True)

    threshold: Annotated[float, Field(strict=True, gt=0, lt=1)]  # probability above which a photo is refused
    auroc: Share | None = None  # how often a photo of neither gets a higher probability than a photo of the classes
    caught: Share | None = None  # of the photos of neither, above the threshold
    photos: Annotated[int, Field(strict=True, ge=0)] | None = None  # of neither, behind these figures
    refused: Share | None = None  # of the photos of the classes, above the threshold

    def score(self, log_odds: float) -> float:
        """The probability, 0 to 1, of log odds as from `log_odds`, shifted so that the threshold becomes 0.5."""
        shifted = log_odds - math.log(self.threshold / (1 - self.threshold))
        return 1 / (1 + math.exp(-shifted)) if shifted > -700 else 0.0


def log_odds(probabilities: np.ndarray) -> np.ndarray:
    """Log odds of the last column of softmax outputs (N, classes + 1): float64 (N,)."""
    probabilities = np.clip(np.asarray(probabilities, dtype=np.float64), 0, 1)
    last, others = probabilities[:, -1], probabilities[:, :-1].sum(axis=1)
    return np.log(np.maximum(last, LEAST)) - np.log(np.maximum(others, LEAST))
