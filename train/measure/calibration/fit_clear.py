"""From which confidence on an answer in fast arithmetic can be trusted, learned on val."""

from __future__ import annotations

import numpy as np
from scipy.special import softmax

# What counts as harm besides another label: that a probability moves by more.
MOST_MOVED = 0.01
# Of all photos, in how many harm may be expected; those that are asked about twice count as unharmed.
MOST_HARMED = 0.02 / 1000
# With more photos asked about twice, fast arithmetic would save nothing.
MOST_DOUBTFUL = 0.25
MOST_SHIFTS = 1000
# Probabilities below it are rounded so coarsely in float32 that their logarithms would move by that alone.
LEAST = 1e-6
CANDIDATES = tuple(percent / 100 for percent in range(50, 100))


def fit_clear(fast: np.ndarray, exact: np.ndarray, temperature: float = 1.0) -> float | None:
    """The least uncalibrated probability of a label from which on at most MOST_HARMED of all photos should be harmed.

    fast, exact  uncalibrated probabilities (N, classes) of the same photos in fast arithmetic and in float32

    Few photos are near the threshold, and none of them may be one of the few that arithmetic moves far. So how far
    logits moved is taken from all photos, and tried on all, up to MOST_SHIFTS on each. What was harmed by its own is
    never taken as clear.

    None when there is none that leaves at most MOST_DOUBTFUL of the photos in doubt.
    """
    certainty, (seen, expected) = fast.max(axis=1), _harm(fast, exact, temperature)
    for clear in CANDIDATES:
        unasked = certainty >= clear
        if (~unasked).mean() > MOST_DOUBTFUL:
            return None
        if not (seen & unasked).any() and (expected * unasked).mean() <= MOST_HARMED:
            return clear
    return None


def _harm(fast: np.ndarray, exact: np.ndarray, temperature: float) -> tuple[np.ndarray, np.ndarray]:
    """Which photos were harmed, (N,) bool, and how likely each would be if its logits moved as those of any, 0 to 1."""
    before, after = (np.log(np.clip(rows, LEAST, 1)) / temperature for rows in (fast, exact))
    said, label, shifts = softmax(before, axis=1), before.argmax(axis=1), after - before

    def harmed(places: int) -> np.ndarray:
        moved = softmax(before + np.roll(shifts, places, axis=0), axis=1)
        return (np.abs(moved - said).max(axis=1) > MOST_MOVED) | (moved.argmax(axis=1) != label)

    tried = range(0, len(before), -(-len(before) // MOST_SHIFTS))
    return harmed(0), sum(map(harmed, tried), np.zeros(len(before))) / len(tried)
