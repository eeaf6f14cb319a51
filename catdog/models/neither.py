"""A model's own output for photos of none of its classes, told so that 0.5 is where it refuses."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

LEAST = 1e-7  # probabilities nearer to 0 are the rounding of float32


@dataclass(frozen=True)
class Neither:
    """What is known of the last output of a model that has one for photos of none of its classes.

    threshold  the output, above 0 and below 1, from which on a photo counts as one of neither
    auroc      how often a photo of neither has a higher output than one of the classes, 0 to 1; None when not measured
    caught     share of the photos of neither that are above the threshold, or None
    photos     the number of photos of neither behind these figures, or None
    """

    threshold: float
    auroc: float | None = None
    caught: float | None = None
    photos: int | None = None

    def likelihood(self, odds: float) -> float:
        """From the log odds of the output to 0 to 1, where 0.5 is the threshold."""
        shifted = odds - math.log(self.threshold / (1 - self.threshold))
        return 1 / (1 + math.exp(-shifted)) if shifted > -700 else 0.0

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, content: Any) -> Neither:
        """Read the `neither` of a spec; raises ValueError when it makes no sense."""
        if not isinstance(content, dict):
            raise ValueError("it is no object")
        known = {name: content.get(name) for name in ("threshold", "auroc", "caught", "photos")}
        for name, value in known.items():
            if value is None and name != "threshold":
                continue
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise ValueError(f"its {name} is no number")
            if not 0 <= value <= (1 if name != "photos" else math.inf):
                raise ValueError(f"its {name} is out of range")
        if not 0 < known["threshold"] < 1:
            raise ValueError("its threshold is not between 0 and 1")
        return cls(**known)


def log_odds(outputs: np.ndarray) -> np.ndarray:
    """Of the last of some softmax outputs (N, classes + 1) against all others together: float64 (N,)."""
    outputs = np.clip(np.asarray(outputs, dtype=np.float64), 0, 1)
    last, others = outputs[:, -1], outputs[:, :-1].sum(axis=1)
    return np.log(np.maximum(last, LEAST)) - np.log(np.maximum(others, LEAST))
