"""Fit from where on a model's output for photos of neither refuses, and count how well it tells them."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import roc_auc_score

from catdog.models.neither import LEAST, Neither

# Share of the photos of the classes that may be refused.
REFUSED = 0.015


def fit_neither(of_classes: np.ndarray, of_neither: np.ndarray) -> Neither:
    """Threshold and figures of an output for neither, from its log odds for photos of the classes (N,) and others (M,).

    The threshold is where it refuses REFUSED of the photos of the classes. Without others, nothing else is known.
    """
    odds = float(np.quantile(of_classes, 1 - REFUSED))
    threshold = float(np.clip(1 / (1 + np.exp(-odds)), LEAST, 1 - LEAST))
    if not len(of_neither):
        return Neither(threshold=threshold)
    truth = np.repeat([0, 1], [len(of_classes), len(of_neither)])
    auroc = float(roc_auc_score(truth, np.concatenate([of_classes, of_neither])))
    caught = float((of_neither > np.log(threshold / (1 - threshold))).mean())
    return Neither(threshold=threshold, auroc=round(auroc, 6), caught=round(caught, 6), photos=len(of_neither))
