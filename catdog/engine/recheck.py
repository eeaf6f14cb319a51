"""Fast arithmetic where the answer is clear, exact arithmetic where it is not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from catdog.engine.interface import TOGETHER, Engine, Outputs

IN_DOUBT = "; float32 when in doubt"


class CarefulEngine:
    """Asks `fast` about every photo, and `exact` again about those that it is in doubt of.

    clear  the probability, not calibrated, that a label must have: what moves a logit moves a probability
           the less the nearer it is to 1

    Which of the two answers for a photo is decided for each photo alone. Both keep the weights in memory, once
    for each number of photos that they ever computed at a time: `exact` is asked about one at a time.
    """

    problem = ""

    def __init__(self, fast: Engine, exact: Engine, clear: float):
        self.fast, self.exact, self.clear = fast, exact, clear
        self.runtime = f"{fast.runtime}{IN_DOUBT}"

    def __call__(self, batch: np.ndarray) -> Outputs:
        outputs = self.fast(batch)
        doubtful = np.flatnonzero(~(outputs.probabilities.max(axis=1) >= self.clear))  # NaN is no clear answer
        if not len(doubtful):
            return outputs
        again = zip(*(self.exact(batch[i : i + 1]) for i in doubtful), strict=True)
        return Outputs(*(_with(first, doubtful, rows) for first, rows in zip(outputs, again, strict=True)))


def warm_up(engine: Engine, side: int) -> None:
    """Make an engine ready for several photos of side x side pixels at once, and for the first doubt."""
    black = np.zeros((TOGETHER, side, side, 3), np.float32)
    if isinstance(engine, CarefulEngine):
        engine.exact(black[:1])
    engine(black)


def _with(values: np.ndarray | None, rows: np.ndarray, others: Sequence[np.ndarray | None]) -> np.ndarray | None:
    """A copy of values (N, ...) whose `rows` (M,) are `others`, M of (1, ...); None where there are no values."""
    if values is None:
        return None
    values = values.copy()
    values[rows] = np.concatenate(others)
    return values
