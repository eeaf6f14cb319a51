"""Several models on the same photos: which is right when they differ, which photos and which labels are wrong.

`probabilities` are model -> calibrated (N, classes), and `labels` (N,) true classes.
"""

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix

from train.measure.statistics import share

# Confidence with which every model must contradict a label before it is suspected.
SUSPICION = 0.95


def pairs(probabilities: Mapping[str, np.ndarray], labels: np.ndarray) -> list[dict[str, Any]]:
    """Compare each pair of models: plain JSON with the names, `models`, these numbers of photos, and `p`.

    disagree       the models give different labels
    both, neither  both models are right, both are wrong; with three classes, they may disagree and both be wrong
    first, second  only this model is right
    p              McNemar's test (1947), exact and two-sided: how often equally good models would differ as much
    """
    predicted = {name: rows.argmax(axis=1) for name, rows in probabilities.items()}
    found = []
    for a, b in itertools.combinations(predicted, 2):
        right = confusion_matrix(predicted[a] == labels, predicted[b] == labels, labels=[True, False])
        (both, first), (second, neither) = right.tolist()
        p = float(binomtest(first, first + second).pvalue) if first + second else 1.0
        disagree = int((predicted[a] != predicted[b]).sum())
        found.append(
            {"models": [a, b], "disagree": disagree, "both": both, "first": first, "second": second}
            | {"neither": neither, "p": p}
        )
    return found


def by_agreement(probabilities: Mapping[str, np.ndarray], labels: np.ndarray) -> dict[str, dict[str, Any]]:
    """Photos on which all models name the same class, and the others: how many, and how often each model is right."""
    predicted = {name: rows.argmax(axis=1) for name, rows in probabilities.items()}
    every = np.stack(list(predicted.values()))
    agree = (every == every[0]).all(axis=0)
    return {
        key: {
            "photos": int(chosen.sum()),
            "right": {name: share((classes == labels)[chosen]) for name, classes in predicted.items()},
        }
        for key, chosen in (("agree", agree), ("disagree", ~agree))
    }


def suspected(probabilities: Mapping[str, np.ndarray], labels: np.ndarray) -> np.ndarray:
    """Which labels every model contradicts with the same class and at least the confidence SUSPICION: bool (N,).

    Only a suspicion: all models may share a mistake. After confident learning (Northcutt et al. 2021), on photos that
    no model was trained on.
    """
    rows = np.stack(list(probabilities.values()))  # (models, N, classes)
    predicted = rows.argmax(axis=2)
    unanimous = (predicted == predicted[0]).all(axis=0)
    return unanimous & (predicted[0] != labels) & (rows.max(axis=2) >= SUSPICION).all(axis=0)


def worst(probabilities: Mapping[str, np.ndarray], labels: np.ndarray) -> np.ndarray:
    """Rows (M,) of the photos that at least one model gets wrong, by the probability of the label, lowest first.

    The probability is the geometric mean over the models.
    """
    rows = np.stack(list(probabilities.values()))
    given = np.log(np.clip(rows[:, np.arange(len(labels)), labels], 1e-12, 1.0)).mean(axis=0)
    wrong = (rows.argmax(axis=2) != labels).any(axis=0)
    order = np.argsort(given, kind="stable")
    return order[wrong[order]]
