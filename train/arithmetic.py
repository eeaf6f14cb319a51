"""From which confidence on an answer in bfloat16 can be trusted, learned on val."""

from __future__ import annotations

import numpy as np

from catdog.compare import calibrated

# Half of what may move on test, where it is checked.
MOST_MOVED = 0.005
# With more photos asked about twice, bfloat16 would save nothing.
MOST_DOUBTFUL = 0.25
CANDIDATES = tuple(percent / 100 for percent in range(50, 100))


def fit_clear(fast: np.ndarray, exact: np.ndarray, temperature: float = 1.0) -> float | None:
    """The least uncalibrated probability of a label from which no label changed and no calibrated one moved
    by more than MOST_MOVED.

    fast, exact  uncalibrated probabilities (N, classes) of the same photos in bfloat16 and in float32

    None when there is none that leaves at most MOST_DOUBTFUL of the photos in doubt.
    """
    certainty = fast.max(axis=1)
    moved = np.abs(calibrated(fast, temperature) - calibrated(exact, temperature)).max(axis=1)
    harmless = (moved <= MOST_MOVED) & (fast.argmax(axis=1) == exact.argmax(axis=1))
    for clear in CANDIDATES:
        if (certainty < clear).mean() > MOST_DOUBTFUL:
            return None
        if harmless[certainty >= clear].all():
            return clear
    return None
