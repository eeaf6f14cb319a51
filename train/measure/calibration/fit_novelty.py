"""What the features of real cats and dogs look like, so that a model can tell when it sees neither."""

from __future__ import annotations

import numpy as np

from catdog.models.novelty import TINY, Novelty, unit

# Axes enough for this share of the variance: few where a model has learned few directions, but no more than this.
EXPLAINED, AXES = 0.9, 48
# Of the photos it is set on, a threshold refuses somewhat less than the 2 % that it may refuse of others.
REFUSED = 0.015
FOLDS = 5
# Photos of each class: with fewer, a fold could leave none of them to learn from.
LEAST = 3


def fit(features: np.ndarray, labels: np.ndarray) -> Novelty:
    """The statistics of a model.

    features  (N, F) of val, or of any other photos that the model was not trained on
    labels    (N,) index of the true class, each at least LEAST times

    The threshold comes from distances across folds: each photo is measured by statistics that do not know it, with no
    fewer axes for the lack of its fold.
    """
    folds = _folds(labels)
    most = min(int((folds != fold).sum()) for fold in range(FOLDS)) // 4
    distances = np.empty(len(labels))
    for fold in range(FOLDS):
        known = folds != fold
        distances[~known] = _statistics(features[known], labels[known], most).distances(features[~known])
    return Novelty(**dict(_statistics(features, labels, most)) | {"threshold": _threshold(distances)}).rounded()


def _statistics(features: np.ndarray, labels: np.ndarray, most: int) -> Novelty:
    """As `fit`, with at most so many axes and threshold 1, after rounding to what a spec keeps."""
    features = unit(features)
    means = np.stack([features[labels == label].mean(axis=0) for label in np.unique(labels)])
    left = features - means[np.searchsorted(np.unique(labels), labels)]
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


def _threshold(distances: np.ndarray) -> float:
    """The distance above which at most the share REFUSED is."""
    return max(float(np.quantile(distances, 1 - REFUSED, method="higher")), 1e-6)


def _folds(labels: np.ndarray) -> np.ndarray:
    """A fold (N,) for each photo, classes dealt evenly."""
    folds = np.empty(len(labels), int)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        folds[members] = np.random.default_rng(0).permutation(len(members)) % FOLDS
    return folds
