"""Count which model is right where models disagree."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from catdog.models.disagreement import Case


def fit_disagreement(
    name: str, predicted: Mapping[str, np.ndarray], labels: np.ndarray, sha256: Mapping[str, str]
) -> list[Case]:
    """Every way in which the model `name` disagreed with some of the others, and how often it was right then.

    predicted  model -> (N,) index of the class that it named
    labels     (N,) index of the true class
    sha256     model -> sha256 of its file
    """
    own = predicted[name]
    cases = []
    for others in _subsets([other for other in predicted if other != name]):
        for same in _subsets(others, proper=True):
            chosen = np.all([(predicted[other] == own) == (other in same) for other in others], axis=0)
            right = int((own == labels)[chosen].sum())
            known = {other: sha256[other] for other in others}
            cases.append(Case(others=known, same=same, photos=int(chosen.sum()), right=right))
    return [case for case in cases if case.photos]


def _subsets(names: Sequence[str], *, proper: bool = False) -> Iterator[tuple[str, ...]]:
    """Subsets, small ones first: all but the empty one or, with `proper`, all but the complete one."""
    sizes = range(len(names)) if proper else range(1, len(names) + 1)
    return itertools.chain.from_iterable(itertools.combinations(names, size) for size in sizes)
