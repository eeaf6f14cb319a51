"""Fit what the features of cats and dogs look like, so that a model can tell a photo of neither."""

from __future__ import annotations

import numpy as np

from catdog.models.novelty import TINY, Novelty, unit

# Axes enough for this share of the variance: few where a model has learned few directions, but no more than AXES.
EXPLAINED, AXES = 0.9, 48
# Share of the fitted photos above the threshold. It is below 2 % so that at most 2 % of new ones are above it.
REFUSED = 0.015
FOLDS = 5
# Photos of each class: with fewer, all of them could be in one fold.
LEAST = 3


def fit_novelty(features: np.ndarray, labels: np.ndarray) -> Novelty:
    """The statistics of a model, from photos that it was not trained on.

    features  (N, F)
    labels    (N,) index of the true class, each at least LEAST times

    The threshold comes from cross-validation: each photo is measured with statistics of the other folds. These have
    as many axes as the final ones.
    """
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


def _folds(labels: np.ndarray) -> np.ndarray:
    """A fold (N,) for each photo; each class is spread evenly over the folds."""
    folds = np.empty(len(labels), int)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        folds[members] = np.random.default_rng(0).permutation(len(members)) % FOLDS
    return folds
