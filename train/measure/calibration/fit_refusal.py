"""Fit which photos a model refuses: those that its output for neither claims."""

import numpy as np
from scipy.special import expit, logit
from sklearn.metrics import roc_auc_score, roc_curve

from catdog.models.neither import LEAST, Neither

# Share of the photos of the classes that may be refused. It is below 2 % so that at most 2 % of new ones are.
REFUSED = 0.015


def fit_neither(of_classes: np.ndarray, of_neither: np.ndarray) -> Neither:
    """Threshold and figures of an output for neither, from its log odds for photos of the classes (N,) and others (M,).

    The threshold is where the share of others that it refuses is most above the share of the classes that it refuses
    (Youden 1950). Without others, it is where REFUSED of the photos of the classes are refused, and nothing else is
    known.
    """
    if not len(of_neither):
        return Neither(threshold=_threshold(np.quantile(of_classes, 1 - REFUSED)))
    truth = np.repeat([0, 1], [len(of_classes), len(of_neither)])
    odds = np.concatenate([of_classes, of_neither])
    # Each of the values is the least that is refused, but what a spec refuses is above its threshold.
    refused, caught, values = roc_curve(truth, odds)
    best = int((caught - refused).argmax())
    below = odds[odds < values[best]]
    threshold = _threshold((values[best] + below.max()) / 2 if len(below) else values[best] - 1)
    return Neither(
        threshold=threshold,
        auroc=round(float(roc_auc_score(truth, odds)), 6),
        caught=round(float((of_neither > logit(threshold)).mean()), 6),
        photos=len(of_neither),
        refused=round(float((of_classes > logit(threshold)).mean()), 6),
    )


def _threshold(log_odds: float) -> float:
    """Log odds as the probability that a spec keeps."""
    return float(np.clip(expit(log_odds), LEAST, 1 - LEAST))
