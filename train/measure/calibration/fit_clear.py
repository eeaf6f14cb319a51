"""Fit from which probability on an answer in fast arithmetic is trusted."""

import numpy as np
from scipy.special import softmax

from catdog.engine.precision import LARGEST_CHANGE

# A photo is harmed when its label changes, or a probability by more than this: less than what `evaluate` allows, since
# test photos may move a little further than those of val.
MOST_MOVED = 0.8 * LARGEST_CHANGE
# Expected share of harmed photos; those that are computed again in float32 are not harmed.
MOST_HARMED = 0.02 / 1000
# Share of the photos that may be computed again: with more, fast arithmetic would save nothing.
MOST_DOUBTFUL = 0.25
MOST_SHIFTS = 1000
# Smaller probabilities are so coarse in float32 that rounding alone would move their logarithms.
LEAST_PROBABILITY = 1e-6
CANDIDATES = tuple(percent / 100 for percent in range(50, 100))


def fit_clear(fast: np.ndarray, exact: np.ndarray, classes: int, temperature: float = 1.0) -> float | None:
    """The least uncalibrated probability of the label from which at most MOST_HARMED of all photos are harmed.

    fast, exact  uncalibrated probabilities (N, outputs) of the same photos in fast arithmetic and in float32
    classes      number of the first outputs that are classes; the last may be one for neither

    Few photos lie near the threshold, too few to tell what fast arithmetic does there. So the shift of the logits is
    taken from up to MOST_SHIFTS photos and tried on every photo. A photo that its own shift harmed is never clear.

    None when every such probability leaves more than MOST_DOUBTFUL of the photos to be computed again.
    """
    certainty, (seen, expected) = fast[:, :classes].max(axis=1), _harm(fast, exact, classes, temperature)
    for clear in CANDIDATES:
        trusted = certainty >= clear
        if (~trusted).mean() > MOST_DOUBTFUL:
            return None
        if not (seen & trusted).any() and (expected * trusted).mean() <= MOST_HARMED:
            return clear
    return None


def _harm(fast: np.ndarray, exact: np.ndarray, classes: int, temperature: float) -> tuple[np.ndarray, np.ndarray]:
    """Which photos were harmed, (N,) bool, and how likely the shift of any photo is to harm each, (N,) 0 to 1."""
    before, after = (np.log(np.clip(rows, LEAST_PROBABILITY, 1)) / temperature for rows in (fast, exact))
    shifts, widths = after - before, {before.shape[1], classes}  # all outputs, and the classes among themselves

    def harmed(places: int) -> np.ndarray:
        moved = before + np.roll(shifts, places, axis=0)
        return np.any([_differ(before[:, :width], moved[:, :width]) for width in widths], axis=0)

    tried = range(0, len(before), -(-len(before) // MOST_SHIFTS))
    return harmed(0), sum(map(harmed, tried), np.zeros(len(before))) / len(tried)


def _differ(logits: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Of which photos the label is another, or a probability moved too far: (N,) bool."""
    moved = np.abs(softmax(logits, axis=1) - softmax(others, axis=1)).max(axis=1)
    return (moved > MOST_MOVED) | (logits.argmax(axis=1) != others.argmax(axis=1))
