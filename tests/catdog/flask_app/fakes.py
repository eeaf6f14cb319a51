"""Real Comparators around ten-line engines, for verdicts that a test wants to choose."""

from __future__ import annotations

import numpy as np

from catdog import Settings
from catdog.classifier import Classifier
from catdog.comparator import Comparator
from catdog.engine import Outputs
from tests.specs import minimal


def classifier(name: str, outputs: dict[str, float], *, accuracy: float = 0.9) -> Classifier:
    """A model that gives every photo the same probabilities."""
    metrics = {"val": {"accuracy": accuracy, "images": 2000}}
    spec = minimal(name, title=name.title(), bytes=1_300_000, image_size=32, classes=tuple(outputs), metrics=metrics)
    row = np.array([list(outputs.values())], dtype=np.float32)
    return Classifier(spec, lambda batch: Outputs.from_model(np.repeat(row, len(batch), axis=0)))


class Broken:
    """Stands where a Comparator would whose code has a mistake."""

    source, problems, settings, default, specs = "bundled", (), Settings(), None, ()

    def compare(self, photo, *, model: str | None = None, explain: bool = False):
        raise RuntimeError("a mistake")

    look = compare


def comparator(
    *classifiers: Classifier, settings: Settings | None = None, problems: tuple[str, ...] = ()
) -> Comparator:
    """A Comparator of such models."""
    return Comparator(classifiers, settings=settings, problems=problems)
