"""Processes of their own for the measured tasks, one for each way. Asked in turns, they do not disturb each other."""

import contextlib
import faulthandler
import functools
import io
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from catdog import Settings, load
from catdog.engine import FOLDER_BATCH, Engine
from catdog.photo.array import to_array
from catdog.photo.decode import decode
from catdog.photo.reader import CONFIDENT

from . import plain
from .large import agreement
from .plan import times
from .processes import PATIENCE, Failed, cores

BATCH = 32


class Catdog:
    """The product."""

    def __init__(self):
        self.comparator = load(Settings.from_env())
        self.arrays: dict[str, np.ndarray] = {}

    def describe(self) -> list[dict[str, Any]]:
        """What runs, for the report."""
        models = self.comparator.models.items()
        return [
            {"name": name, "image_size": c.spec.image_size, "sha256": c.spec.sha256[:12], "runtime": c.engine.runtime}
            for name, c in models
        ]

    def answers(self, photo: str) -> dict[str, Any]:
        verdicts = self.comparator.compare(photo).models
        return {v.model: {"label": v.label, "confidence": v.confidence} for v in verdicts}

    def compare(self, photos: list[str], count: int) -> list[float]:
        return times(self.comparator.compare, [Path(path).read_bytes() for path in photos], count)

    def bare(self, photos: list[str]) -> float:
        """Seconds for photos that are decoded already: what OpenVINO takes for the converted models by itself."""
        return self._decoded_before(photos, _as_openvino_chooses)

    def engines(self, photos: list[str]) -> float:
        """As `bare`, with what catdog runs first, in its arithmetic."""
        return self._decoded_before(photos, lambda engine, _: getattr(engine, "fast", engine))

    def _decoded_before(self, photos: list[str], runner: Callable[[Engine, tuple], Callable]) -> float:
        """Seconds for photos, a multiple of FOLDER_BATCH, which are decoded before and kept, so many at a time."""
        if not self.arrays:
            images = [decode(Path(path).read_bytes()) for path in photos]
            for name, classifier in self.comparator.models.items():
                arrays = np.stack([to_array(image, classifier.spec.input) for image in images])
                self.arrays[name] = arrays.reshape(-1, FOLDER_BATCH, *arrays.shape[1:])
        seconds = 0.0
        for name, classifier in self.comparator.models.items():
            batches = self.arrays[name]
            run = runner(classifier.engine, batches[0].shape)
            run(batches[0])
            start = time.perf_counter()
            for batch in batches:
                run(batch)
            seconds += time.perf_counter() - start
        return seconds

    def hardly_clear(self, photos: list[str], count: int) -> dict[str, Any]:
        """So many of the photos, those first whose answers are only just clear, as these can move most.

        in_doubt  share of the photos whose answers are not clear; when they are large, they are read as a whole
        """
        verdicts = [self.comparator.compare(path).models for path in photos]
        sure = np.array([min(verdict.confidence for verdict in models) for models in verdicts])
        # Of another size, it moves.
        order = np.argsort(np.where(sure >= CONFIDENT - 0.01, sure, 2 - sure), kind="stable")
        return {"photos": [photos[i] for i in order[:count]], "in_doubt": float(np.mean(sure < CONFIDENT))}

    def agreement(self, photos: list[str], **size: float) -> dict[str, Any]:
        return agreement(self.comparator, photos, **size)


class Plain:
    """The plain way, and TensorFlow in batches."""

    def __init__(self):
        self.models = plain.load(Settings.from_env().sources[0])

    def answers(self, photo: str) -> dict[str, Any]:
        with open(photo, "rb") as stream:
            return plain.judge(self.models, stream)

    def compare(self, photos: list[str], count: int) -> list[float]:
        contents = [Path(path).read_bytes() for path in photos]
        return times(lambda content: plain.judge(self.models, io.BytesIO(content)), contents, count)

    def batches(self, photos: list[str]) -> float:
        """Seconds for files in batches, decoded by threads while TensorFlow computes."""
        sizes = {model.size for model in self.models}

        def arrays(path: str) -> dict[int, np.ndarray]:
            with Image.open(path) as image:
                image = image.convert("RGB")
            return {
                size: np.asarray(image.resize((size, size), Image.Resampling.BILINEAR), dtype=np.float32)
                for size in sizes
            }

        start = time.perf_counter()
        with ThreadPoolExecutor(cores()) as pool:
            decoded = list(pool.map(arrays, photos[:BATCH]))
            for i in range(0, len(photos), BATCH):
                following = pool.map(arrays, photos[i + BATCH : i + 2 * BATCH])
                for model in self.models:
                    model.model.predict_on_batch(np.stack([array[model.size] for array in decoded]))
                decoded = list(following)
        return time.perf_counter() - start


def _as_openvino_chooses(engine: Engine, shape: tuple) -> Callable[[np.ndarray], Any]:
    """The conversion that an engine runs on OpenVINO, in float32 as it was saved, compiled with no options."""
    exact = getattr(engine, "exact", engine)
    model = exact.model.clone()
    model.reshape(shape)
    request = exact.core.compile_model(model, "CPU").create_infer_request()
    return lambda batch: request.infer([batch])


class Worker:
    """A process, ready for requests."""

    def __init__(self, kind: str, process: Executor):
        self.kind, self.process = kind, process

    def ask(self, task: str, **arguments: Any) -> Any:
        """Let it do one task; returns the result. Raises Failed, also where the task takes more than PATIENCE."""
        try:
            return self.process.submit(_do, self.kind, task, arguments, PATIENCE).result()
        except Exception as error:  # whatever the task raises, or what ended the process
            raise Failed(f"The process for {self.kind} gave no answer to {task}: {error!r}") from error


@contextlib.contextmanager
def worker(kind: str, environment: Mapping[str, str]) -> Iterator[Worker]:
    """A process for one of KINDS."""
    spawned = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, spawned, initializer=_begin, initargs=(environment,)) as process:
        yield Worker(kind, process)


def _begin(environment: Mapping[str, str]) -> None:
    os.environ.update(environment)


def _do(kind: str, task: str, arguments: Mapping[str, Any], patience: float) -> Any:
    # A task that hangs ends its process, and says where: nothing else could, and the executor waits for it.
    faulthandler.dump_traceback_later(patience, exit=True)
    try:
        return getattr(_the(kind), task)(**arguments)
    finally:
        faulthandler.cancel_dump_traceback_later()


@functools.cache
def _the(kind: str) -> Catdog | Plain:
    return KINDS[kind]()


KINDS = {"catdog": Catdog, "plain": Plain}
