"""How often answers of a given confidence are wrong: learned on val, checked on other photos."""

from __future__ import annotations

import itertools

import numpy as np
from sklearn.isotonic import IsotonicRegression

from catdog.models.error_rate import ErrorRates

# Photos that a level has at least: fewer say little about a rate.
LEVEL = 50


def fit(confidence: np.ndarray, right: np.ndarray) -> ErrorRates:
    """Error rates in levels of confidence, from the confidence (N,) and correctness (N,) of answers.

    1. Cut the answers, sorted by confidence, into groups of LEVEL.
    2. Join neighbours until a surer group never errs more often (isotonic regression).
    3. Estimate each rate by Laplace's rule, (wrong + 1) / (answers + 2): where no answer of n was
       wrong, no less than about 1 in n is promised.
    """
    # Answers of equal confidence share their errors: nothing tells them apart.
    _, same = np.unique(confidence, return_inverse=True)
    wrong = (np.bincount(same, ~right) / np.bincount(same))[same]
    order = np.argsort(confidence, kind="stable")
    groups = np.array_split(order, max(1, len(order) // LEVEL))
    raw = [wrong[group].mean() for group in groups]
    sizes = [len(group) for group in groups]
    joined = IsotonicRegression(increasing=False).fit_transform(np.arange(len(groups)), raw, sample_weight=sizes)
    starts = np.flatnonzero(np.r_[True, np.diff(joined) < -1e-12])
    levels = [np.concatenate(groups[a:b]) for a, b in zip(starts, [*starts[1:], len(groups)], strict=True)]
    rates = [(wrong[level].sum() + 1) / (len(level) + 2) for level in levels]
    ends = [0.0, *((confidence[a].max() + confidence[b].min()) / 2 for a, b in itertools.pairwise(levels))]
    keep = np.flatnonzero(np.r_[True, np.diff(ends) > 0])
    rates = np.minimum.accumulate(rates)
    return ErrorRates(confidence=[float(ends[i]) for i in keep], error_rate=[round(float(rates[i]), 5) for i in keep])
