"""Fast arithmetic where the answer is clear, exact arithmetic where it is not."""

from __future__ import annotations

import numpy as np

from .interface import Engine, Outputs

IN_DOUBT = "; float32 when in doubt"


class CarefulEngine:
    """Asks `fast` about every photo, and `exact` again about those that it is in doubt of.

    clear  the probability, not calibrated, that a label must have: what moves a logit moves a probability
           the less the nearer it is to 1

    Which of the two answers for a photo is decided for each photo alone. Both keep the weights in memory.
    """

    problem = ""

    def __init__(self, fast: Engine, exact: Engine, clear: float):
        self.fast, self.exact, self.clear = fast, exact, clear
        self.runtime = f"{fast.runtime}{IN_DOUBT}"

    def __call__(self, batch: np.ndarray) -> Outputs:
        outputs = self.fast(batch)
        doubtful = np.flatnonzero(~(_certainty(outputs.probabilities) >= self.clear))  # NaN is no clear answer
        if not len(doubtful):
            return outputs
        answers = zip(outputs, self.exact(batch[doubtful]), strict=True)
        return Outputs(*(None if first is None else _with(first, doubtful, again) for first, again in answers))


def _certainty(probabilities: np.ndarray) -> np.ndarray:
    """Probability of the label: (N,), of one sigmoid or several softmax outputs (N, outputs)."""
    if probabilities.shape[1] == 1:
        probabilities = np.concatenate([1 - probabilities, probabilities], axis=1)
    return probabilities.max(axis=1)


def _with(values: np.ndarray, rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    values = values.copy()
    values[rows] = others
    return values
