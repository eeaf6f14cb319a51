"""Judged photos -> how often each model was right, and a CSV file."""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from catdog.collection.judge_all import Judged
from catdog.folder.rows import cells_of
from catdog.models.spec import ModelSpec, classes_of

# Spreadsheets run a cell that begins like this as a formula, so a visitor's file name must not.
_FORMULA = ("=", "+", "-", "@")


@dataclass(frozen=True)
class Score:
    """How often one model was right on labelled photos.

    confusion  counts; rows are true classes, columns the model's labels, in the order of `classes`
    """

    model: str
    classes: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]

    @property
    def photos(self) -> int:
        return sum(map(sum, self.confusion))

    @property
    def right(self) -> int:
        return sum(row[i] for i, row in enumerate(self.confusion))

    @property
    def accuracy(self) -> float:
        return self.right / self.photos


def scores(judged: Iterable[Judged], specs: Sequence[ModelSpec]) -> list[Score]:
    """How often each model was right on the photos whose label it knows; no Score for a model without such photos."""
    known = [(entry.label, verdict) for entry in judged if entry.comparison for verdict in entry.comparison.models]
    said = Counter((verdict.model, label, verdict.label) for label, verdict in known)
    found = [
        Score(spec.name, spec.classes, tuple(tuple(said[spec.name, a, b] for b in spec.classes) for a in spec.classes))
        for spec in specs
    ]
    return [score for score in found if score.photos]


def to_csv(judged: Iterable[Judged], specs: Sequence[ModelSpec]) -> str:
    """A header, then a row per photo and model, or a single row for a photo with an error."""
    probabilities = [f"p_{name}" for name in classes_of(specs)]
    columns = ["path", "model", "label", "confidence", *probabilities, "error", "truth", "verdict", "neither"]
    stream = io.StringIO(newline="")
    # Everything in quotes, because some spreadsheets also split cells at semicolons.
    writer = csv.DictWriter(stream, columns, restval="", quoting=csv.QUOTE_ALL)
    writer.writeheader()
    for entry in judged:
        path = f"'{entry.name}" if entry.name.startswith(_FORMULA) else entry.name
        row = {"path": path, "truth": entry.label or ""}
        if not entry.comparison:
            writer.writerow(row | {"error": entry.error})
            continue
        writer.writerows(row | cells_of(verdict, entry.comparison) for verdict in entry.comparison.models)
    return stream.getvalue()
