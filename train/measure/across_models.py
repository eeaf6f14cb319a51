"""Models on the same photos: which is right where they differ."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np

from train.measure.statistics import mcnemar, share


def pairs(probabilities: Mapping[str, np.ndarray], labels: np.ndarray) -> list[dict[str, Any]]:
    """Each two models: how often they name different classes, which is right, and McNemar's test.

    probabilities  model -> (N, classes)
    disagree       photos with different labels; more than `first` + `second` where, among three
                   classes and more, both are wrong in different ways
    """
    predicted = {name: rows.argmax(axis=1) for name, rows in probabilities.items()}
    return [
        {"models": [a, b], "disagree": int((predicted[a] != predicted[b]).sum())}
        | dataclasses.asdict(mcnemar(predicted[a] == labels, predicted[b] == labels))
        for a, b in itertools.combinations(predicted, 2)
    ]


def by_agreement(probabilities: Mapping[str, np.ndarray], labels: np.ndarray) -> dict[str, dict[str, Any]]:
    """Photos on which all models name the same class and the others: how many, and who is right how often."""
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
