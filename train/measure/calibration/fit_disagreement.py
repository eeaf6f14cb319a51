"""Count which model is right where models disagree."""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence

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
    every = [other for other in predicted if other != name]
    for others in _subsets(every, range(1, len(every) + 1)):
        for same in _subsets(others, range(len(others))):
            chosen = np.all([(predicted[other] == own) == (other in same) for other in others], axis=0)
            right = int((own == labels)[chosen].sum())
            known = {other: sha256[other] for other in others}
            cases.append(Case(others=known, same=same, photos=int(chosen.sum()), right=right))
    return [case for case in cases if case.photos]


def _subsets(names: Sequence[str], sizes: Iterable[int]) -> Iterator[tuple[str, ...]]:
    return itertools.chain.from_iterable(itertools.combinations(names, size) for size in sizes)
