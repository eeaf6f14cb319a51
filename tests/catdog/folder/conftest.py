"""Models that tell how bright a photo is, and decoding without further processes."""

import csv
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import pytest

from catdog.classifier import Classifier
from catdog.comparator import Comparator
from catdog.engine import Outputs
from tests.specs import minimal


class Brightness:
    """An engine for which a photo is the more of a dog the brighter it is."""

    runtime, problem = "a test", ""

    def __init__(self):
        self.batches = []

    def __call__(self, batch: np.ndarray) -> Outputs:
        self.batches.append(len(batch))
        return Outputs.from_model(batch.mean(axis=(1, 2, 3))[:, None] / np.float32(255))


def brightness(name: str = "grey", *, engine=None, **changes) -> Classifier:
    return Classifier(minimal(name, **{"metrics": {"val": {"accuracy": 0.9}}} | changes), engine or Brightness())


class Here:
    """Stands for Workers: decodes in this process, which is faster than to start others."""

    def __init__(self, decoder, count):
        self.decoder = decoder

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        pass

    def decode(self, chunks):
        return ((chunk, self.decoder.decode(chunk)) for chunk in chunks)

    def whole(self, chunk) -> Future:
        done = Future()
        done.set_result(self.decoder.decode(chunk, whole=True))
        return done


@pytest.fixture
def decoded_here(monkeypatch):
    monkeypatch.setattr("catdog.folder.run.Workers", Here)


def comparator(*classifiers: Classifier) -> Comparator:
    """Of these models, by default of one that tells brightness."""
    return Comparator(classifiers or [brightness()])


def read_csv(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, strict=True))


def grey_row(grey: int, model: str = "grey") -> dict[str, str]:
    """What `brightness` says of a photo of `greys`."""
    share = float(np.float32(grey) / np.float32(255))
    cat, dog = f"{1 - share:.6f}", f"{share:.6f}"
    label, confidence = ("dog", dog) if grey > 127 else ("cat", cat)
    return {
        "path": f"{grey:03}.png", "model": model, "label": label, "verdict": label, "confidence": confidence,
        "p_cat": cat, "p_dog": dog, "neither": "", "error": "",
    }  # fmt: skip
