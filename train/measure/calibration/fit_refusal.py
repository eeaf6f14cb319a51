"""Fit which photos a model refuses: those with strange features, or those that its output for neither claims."""

import numpy as np
from scipy.special import expit, logit
from sklearn.metrics import roc_auc_score, roc_curve

from catdog.models.neither import LEAST, Neither
from catdog.models.novelty import TINY, Novelty, unit

# Share of the photos of the classes that may be refused. It is below 2 % so that at most 2 % of new ones are.
REFUSED = 0.015
# Axes enough for this share of the variance: few where a model has learned few directions, but no more than AXES.
EXPLAINED, AXES = 0.9, 48
FOLDS = 5
# Photos of each class: with fewer, all of them could be in one fold.
LEAST_PHOTOS = 3


def fit_neither(of_classes: np.ndarray | None, of_neither: np.ndarray) -> Neither | None:
    """Threshold and figures of an output for neither, from its log odds for photos of the classes (N,) and others (M,).

    The threshold is where the share of others that it refuses is most above the share of the classes that it refuses
    (Youden 1950). Without others, it is where REFUSED of the photos of the classes are refused, and nothing else is
    known. None for a model without that output.
    """
    if of_classes is None:
        return None
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


def fit_novelty(features: np.ndarray | None, labels: np.ndarray) -> Novelty | None:
    """The statistics of a model's features, from photos that it was not trained on.

    features  (N, F)
    labels    (N,) index of the true class

    The threshold comes from cross-validation: each photo is measured with statistics of the other folds. These have
    as many axes as the final ones. None for a model without features, or with fewer than LEAST_PHOTOS of a class.
    """
    if features is None or np.bincount(labels).min() < LEAST_PHOTOS:
        return None
    folds = _folds(labels)
    most = min(int((folds != fold).sum()) for fold in range(FOLDS)) // 4
    distances = np.empty(len(labels))
    for fold in range(FOLDS):
        known = folds != fold
        distances[~known] = _statistics(features[known], labels[known], most).distances(features[~known])
    # At most the share REFUSED is above it.
    threshold = max(float(np.quantile(distances, 1 - REFUSED, method="higher")), 1e-6)
    return Novelty(**dict(_statistics(features, labels, most)) | {"threshold": threshold}).rounded()


def _statistics(features: np.ndarray, labels: np.ndarray, most: int) -> Novelty:
    """As `fit_novelty`, with at most so many axes and threshold 1, after rounding to what a spec keeps."""
    features = unit(features)
    known, which = np.unique(labels, return_inverse=True)
    means = np.stack([features[labels == label].mean(axis=0) for label in known])
    left = features - means[which]
    _, lengths, directions = np.linalg.svd(left, full_matrices=False)
    variances = lengths**2 / len(left)
    enough = 1 + int(np.searchsorted(np.cumsum(variances), EXPLAINED * variances.sum()))
    count = min(enough, AXES, left.shape[1] - 1, most)
    return Novelty(
        means=means,
        axes=directions[:count],
        variances=tuple(np.maximum(variances[:count], TINY)),
        rest=max(float(variances[count:].sum()), TINY),
        threshold=1.0,
    ).rounded()


def _folds(labels: np.ndarray) -> np.ndarray:
    """A fold (N,) for each photo; each class is spread evenly over the folds."""
    folds = np.empty(len(labels), int)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        folds[members] = np.random.default_rng(0).permutation(len(members)) % FOLDS
    return folds
