"""A Comparator that has no room for another photo, and folders of plain grey photos."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from catdog import Settings
from catdog.classifier import Classifier
from catdog.comparator import Comparator
from catdog.engine import Outputs
from tests.conftest import PATIENCE
from tests.specs import minimal


class Held:
    """An engine that answers when it is let."""

    def __init__(self):
        self.open, self.reached = threading.Event(), threading.Event()

    def __call__(self, batch: np.ndarray) -> Outputs:
        self.reached.set()
        assert self.open.wait(PATIENCE)
        return Outputs.from_model(np.full((len(batch), 1), 0.25, np.float32))


@pytest.fixture
def busy(cat):
    """A Comparator whose only place is taken, and a way to free it: (comparator, free)."""
    engine = Held()
    comparator = Comparator([Classifier(minimal(), engine)], settings=Settings(max_waiting=1))
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(comparator.compare, cat)

        def free() -> None:
            engine.open.set()
            assert first.result(PATIENCE).prediction

        try:
            assert engine.reached.wait(PATIENCE)
            yield comparator, free
        finally:
            engine.open.set()


@pytest.fixture
def greys(tmp_path):
    """Write photos 000.png, 001.png, ... of that grey to a folder."""

    def write(count: int, name: str = "photos") -> Path:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        for grey in range(count):
            Image.new("L", (8, 8), grey).save(folder / f"{grey:03}.png")
        return folder

    return write
