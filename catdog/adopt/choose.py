"""Find out from labelled photos which scaling and crop a model expects, and the order of its classes."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from catdog.photo.array import OF_COLOUR, SCALINGS, Scaling, Shape

Predict = Callable[[np.ndarray, Scaling], np.ndarray]

RESAMPLES = 1000
CERTAIN = 0.95  # share of the resamples that overrules what is known or usual
# One sure mistake of an overconfident model must not outweigh all its other answers.
LEAST_PROBABILITY = 1e-4
LEAST_TO_OVERRULE = 10  # photos of each class: resamples of fewer agree by chance
MOST_TO_ORDER = 4  # classes whose order is looked for


class Option(NamedTuple):
    """One way to prepare photos for a model and to read its outputs."""

    scaling: Scaling
    shape: Shape  # of its pixels
    order: tuple[int, ...]  # which class each output is


@dataclass(frozen=True)
class Choice:
    """The option with the lowest log loss, and how certain each of its fields is."""

    option: Option
    # Field of Option -> share of resamples of the photos whose best option has the same value, 0 to 1; without the
    # fields of which only one value was tried.
    shares: dict[str, float]
    kept: tuple[str, ...]  # the fields that have their usual value because the photos do not tell
    few: bool  # whether there are too few photos for the shares to mean much


def choose(
    predict: Predict, pixels: Mapping[Shape, np.ndarray], labels: np.ndarray, classes: int, usual: Mapping[str, Any]
) -> Choice:
    """Try every option on the same photos and choose the one with the lowest log loss.

    predict  pixels (N, height, width, channels), uint8, and a scaling -> probabilities (N, classes)
    pixels   shape -> the photos in that shape, uint8
    labels   (N,) index of the true class
    usual    field of Option -> its known or usual value, for fields that have one: it stays unless at least CERTAIN of
             the resamples choose another

    Accuracy would mislead: with a wrong scaling a model can still be right about many photos, but it is sure of its
    mistakes. The certainty of a choice is the share of bootstrap resamples of the photos (Efron 1979) that lead to it.
    """
    losses = _losses(predict, pixels, labels, classes, usual)
    options, rows = [*losses], np.array([*losses.values()])
    counts = np.random.default_rng(0).multinomial(len(labels), np.full(len(labels), 1 / len(labels)), RESAMPLES)
    winners = (counts @ rows.T).argmin(axis=1)
    best = options[int(rows.mean(axis=1).argmin())]
    few = bool(np.unique(labels, return_counts=True)[1].min() < LEAST_TO_OVERRULE)
    tried = [field for field in Option._fields if len({getattr(option, field) for option in options}) > 1]
    kept = tuple(
        field for field in tried if field in usual and (few or _share(options, winners, field, best) < CERTAIN)
    )
    best = best._replace(**{field: usual[field] for field in kept})
    return Choice(best, {field: _share(options, winners, field, best) for field in tried}, kept, few)


def scalings_for(channels: int, usual: Scaling | None) -> list[Scaling]:
    """The scalings to try, the usual one first. A model that scales pixels itself takes them as they are."""
    if usual == "none":
        return [usual]
    names = (name for name in SCALINGS if channels == 3 or name not in OF_COLOUR)
    return sorted(names, key=lambda name: name != usual)


def _losses(
    predict: Predict, pixels: Mapping[Shape, np.ndarray], labels: np.ndarray, classes: int, usual: Mapping[str, Any]
) -> dict[Option, np.ndarray]:
    """Option -> the log loss of each photo. The usual values come first, as the first of equals is chosen."""
    channels = next(iter(pixels.values())).shape[-1]
    orders: Sequence[tuple[int, ...]] = [tuple(range(classes))]
    if classes <= MOST_TO_ORDER:
        orders = sorted(itertools.permutations(range(classes)), key=lambda order: order != usual.get("order"))
    losses, shapes = {}, sorted(pixels, key=lambda shape: shape != usual.get("shape"))
    for scaling, shape in itertools.product(scalings_for(channels, usual.get("scaling")), shapes):
        logs = -np.log(np.clip(predict(pixels[shape], scaling), LEAST_PROBABILITY, 1))
        for order in orders:
            columns = np.argsort(order)  # class -> output
            losses[Option(scaling, shape, order)] = logs[np.arange(len(labels)), columns[labels]]
    return losses


def _share(options: Sequence[Option], winners: np.ndarray, field: str, best: Option) -> float:
    return float(np.mean([getattr(options[winner], field) == getattr(best, field) for winner in winners]))
