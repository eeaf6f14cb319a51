"""Which photos models get most wrong, and where the label may be what is wrong."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

# Confidence with which every model must contradict a label before it is suspected.
SUSPICION = 0.95


def suspected(probabilities: Mapping[str, np.ndarray], labels: np.ndarray, least: float = SUSPICION) -> np.ndarray:
    """Which labels every model contradicts, all with the same class and at least so sure: bool (N,).

    probabilities  model -> calibrated (N, classes)

    A suspicion, not a finding: where all models make the same mistake, the label is right. The idea
    is that of confident learning (Northcutt et al. 2021), on photos that no model has learnt from.
    """
    rows = np.stack(list(probabilities.values()))  # (models, N, classes)
    predicted = rows.argmax(axis=2)
    unanimous = (predicted == predicted[0]).all(axis=0)
    return unanimous & (predicted[0] != labels) & (rows.max(axis=2) >= least).all(axis=0)


def worst(probabilities: Mapping[str, np.ndarray], labels: np.ndarray) -> np.ndarray:
    """The photos that at least one model gets wrong, the worst first: rows (M,).

    Ordered by the probability that the models give the label, as its geometric mean over them.
    """
    rows = np.stack(list(probabilities.values()))
    given = np.log(np.clip(rows[:, np.arange(len(labels)), labels], 1e-12, 1.0)).mean(axis=0)
    wrong = (rows.argmax(axis=2) != labels).any(axis=0)
    order = np.argsort(given, kind="stable")
    return order[wrong[order]]
