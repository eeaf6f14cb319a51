"""Photos -> rows."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from typing import NamedTuple

import numpy as np

from catdog.classifier import Classifier
from catdog.folder.decoding import Decoded, shape_of
from catdog.folder.rows import Row
from catdog.folder.walk import Found
from catdog.folder.workers import Workers
from catdog.models.spec import ModelSpec
from catdog.photo.array import scaled
from catdog.photo.reader import needs_whole

# Chunks that may wait for photos of theirs that are decoded once more.
WAITING = 4


class _Chunk(NamedTuple):
    """A judged chunk, of which the `doubtful` photos come once more, decoded as a `whole`; None when there are none."""

    photos: Sequence[Found]
    rows: list[list[Row]]
    doubtful: list[int]
    whole: Future[Decoded] | None


def judged(
    workers: Workers, chunks: Iterable[Sequence[Found]], classifiers: Sequence[Classifier]
) -> Iterator[list[list[Row]]]:
    """Decode and judge chunks; yields the rows of each, in order.

    A large photo that `needs_whole` tells of is judged a second time, as `Comparator.compare` does it. While it
    is decoded, the next chunks are judged.
    """
    waiting: deque[_Chunk] = deque()
    for photos, decoded in workers.decode(chunks):
        rows = judge(photos, decoded, classifiers)
        doubtful = [i for i, reduced in enumerate(decoded.reduced) if reduced and _in_doubt(rows[i])]
        whole = workers.whole([photos[i] for i in doubtful]) if doubtful else None
        waiting.append(_Chunk(photos, rows, doubtful, whole))
        while waiting and (len(waiting) > WAITING or not waiting[0].whole or waiting[0].whole.done()):
            yield _complete(waiting.popleft(), classifiers)
    yield from (_complete(chunk, classifiers) for chunk in waiting)


def _complete(chunk: _Chunk, classifiers: Sequence[Classifier]) -> list[list[Row]]:
    if chunk.whole:
        again = judge([chunk.photos[i] for i in chunk.doubtful], chunk.whole.result(), classifiers)
        for i, rows in zip(chunk.doubtful, again, strict=True):
            chunk.rows[i] = rows
    return chunk.rows


def _in_doubt(rows: Iterable[Row]) -> bool:
    return needs_whole(row.probabilities[row.label] for row in rows if not row.error)


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
