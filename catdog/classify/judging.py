"""Decoded photos -> rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from ..compare import Classifier
from ..preprocessing import scaled
from ..spec import ModelSpec
from .decoding import Decoded, shape_of
from .rows import Row
from .walk import Found


def judge(chunk: Sequence[Found], decoded: Decoded, classifiers: Iterable[Classifier]) -> list[list[Row]]:
    """The rows of each photo of a chunk: one per model, or a single one for a photo that was not decoded."""
    photos = [
        [Row(found.path, error=error)] if error else [] for found, error in zip(chunk, decoded.errors, strict=True)
    ]
    if all(decoded.errors):
        return photos
    batches: dict[tuple, np.ndarray] = {}
    for classifier in classifiers:
        spec = classifier.spec
        if spec.input not in batches:
            batches[spec.input] = scaled(decoded.pixels[shape_of(spec)], spec.scaling)
        answers = _answers(classifier, batches[spec.input])
        for found, error, rows, answer in zip(chunk, decoded.errors, photos, answers, strict=True):
            if not error:
                rows.append(_row(found.path, spec, answer))
    return photos


def _answers(classifier: Classifier, batch: np.ndarray) -> list[np.ndarray | Exception]:
    """Probabilities per photo; a photo that the model cannot answer spoils no other's."""
    try:
        return list(classifier.judge(batch))
    except Exception as error:  # a broken model may raise anything
        if len(batch) == 1:
            return [error]
        return [answer for i in range(len(batch)) for answer in _answers(classifier, batch[i : i + 1])]


def _row(path: str, spec: ModelSpec, answer: np.ndarray | Exception) -> Row:
    if isinstance(answer, Exception):
        return Row(path, spec.name, error=str(answer) or type(answer).__name__)
    label = spec.classes[int(answer.argmax())]
    return Row(path, spec.name, label, dict(zip(spec.classes, map(float, answer), strict=True)))
