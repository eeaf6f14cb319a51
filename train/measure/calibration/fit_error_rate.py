"""Fit how often answers of a given confidence are wrong."""

from __future__ import annotations

import itertools

import numpy as np
from sklearn.isotonic import IsotonicRegression

from catdog.models.error_rate import ErrorRates

# Answers in a group: fewer say little about a rate.
GROUP = 50


def fit_error_rate(confidence: np.ndarray, right: np.ndarray) -> ErrorRates:
    """Error rates in levels of confidence, from the confidence (N,) of answers and whether each is right (N,), bool.

    1. Cut the answers, sorted by confidence, into groups of GROUP.
    2. Join neighbours until a more confident group never errs more often (isotonic regression).
    3. Estimate each rate by Laplace's rule, (wrong + 1) / (answers + 2): n answers that are all right promise no
       rate below about 1 in n.
    """
    # Answers of equal confidence share their errors, because their order means nothing.
    _, same = np.unique(confidence, return_inverse=True)
    wrong = (np.bincount(same, ~right) / np.bincount(same))[same]
    order = np.argsort(confidence, kind="stable")
    groups = np.array_split(order, max(1, len(order) // GROUP))
    raw, sizes = [wrong[group].mean() for group in groups], [len(group) for group in groups]
    joined = IsotonicRegression(increasing=False).fit_transform(np.arange(len(groups)), raw, sample_weight=sizes)
    starts = np.flatnonzero(np.r_[True, np.diff(joined) < -1e-12])
    levels = [np.concatenate(groups[a:b]) for a, b in zip(starts, [*starts[1:], len(groups)], strict=True)]
    rates = np.minimum.accumulate([(wrong[level].sum() + 1) / (len(level) + 2) for level in levels])
    ends = [0.0, *((confidence[a].max() + confidence[b].min()) / 2 for a, b in itertools.pairwise(levels))]
    keep = np.flatnonzero(np.r_[True, np.diff(ends) > 0])
    return ErrorRates(confidence=[float(ends[i]) for i in keep], error_rate=[round(float(rates[i]), 5) for i in keep])
