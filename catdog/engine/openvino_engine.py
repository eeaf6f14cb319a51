"""OpenVINO: runs a converted model."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from catdog.engine.cache import CONVERTED, QUANTIZED
from catdog.engine.interface import OF_A_FOLDER, TOGETHER, Outputs
from catdog.memory import drop_pages

# What OpenVINO is asked for; with int8, for all that is not quantized. It would take bfloat16 wherever that is fast.
HINTS = {"float32": "f32", "bfloat16": "bf16", "int8": "f32"}
# Photos per request, the most first.
SIZES = (OF_A_FOLDER, TOGETHER, 1)
# A model with so many bytes of weights in float32 gains little by the second of these, for as much memory again.
LARGE = 2**24
# Two threads in which OpenVINO 2026.4 sees an array for the first time at once wait for each other forever: one for
# the interpreter, which the other keeps while it waits for what the first one sets up.
_ONE_AT_A_TIME = threading.Lock()


def import_openvino() -> ModuleType:
    """OpenVINO without its telemetry, which would report conversions unasked; it has a stub for this case."""
    sys.modules.setdefault("openvino_telemetry", None)
    import openvino

    with _ONE_AT_A_TIME:
        openvino.Tensor(np.zeros(1, np.float32))
    return openvino


class OpenVINOEngine:
    """Runs the conversion in a folder.

    threads    0 for all cores
    precision  arithmetic, a key of HINTS
    at_once    whether a network for a single photo is compiled now, if the photo's size is fixed

    Photos are computed so many at a time as SIZES says, a LARGE model's not two at a time, by a network compiled
    for that size: one for batches of any size is slower. Networks are compiled when they are
    first needed, but for what `at_once` says.
    """

    problem = ""

    def __init__(self, folder: Path, *, threads: int = 0, precision: str = "float32", at_once: bool = True):
        openvino = import_openvino()
        # Threads that are tied to cores wait for whatever else runs there, such as the decoding of photos.
        options = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": HINTS[precision],
            "ENABLE_CPU_PINNING": False,
        }
        if threads:
            options["INFERENCE_NUM_THREADS"] = threads
        graph, weights = QUANTIZED if precision == "int8" else CONVERTED
        self.core, self.options, self.weights = openvino.Core(), options, (folder / weights).resolve()
        self.model = self.core.read_model(folder / graph)
        self.takes = self.model.input(0).get_partial_shape()
        self.sizes = SIZES if (folder / CONVERTED[1]).stat().st_size < LARGE else (OF_A_FOLDER, 1)
        self.requests: dict[tuple[int, ...], Any] = {}
        photo = list(self.takes)[1:]
        if at_once and all(side.is_static for side in photo):  # what does not fit this machine shows now
            shape = (1, *(side.get_length() for side in photo))
            self.requests[shape] = self._compiled(shape)
        self.runtime = f"OpenVINO {openvino.__version__.split('-')[0]}, {precision}"
        self.lock = threading.Lock()

    def __call__(self, batch: np.ndarray) -> Outputs:
        if not len(batch) or not self.takes.compatible(type(self.takes)(batch.shape)):
            raise ValueError(f"it takes inputs of shape {self.takes}")
        # One request at a time uses all cores.
        with self.lock:
            parts = [self._infer(part) for part in _parts(batch, self.sizes)]
        names = [name for name in Outputs._fields if name in parts[0]]
        return Outputs.from_model(**{name: np.concatenate([part[name] for part in parts]) for name in names})

    def _infer(self, batch: np.ndarray) -> dict[str, np.ndarray]:
        """The outputs by name, copied: the results live in memory that the next request reuses."""
        if batch.shape not in self.requests:
            self.requests[batch.shape] = self._compiled(batch.shape)
        results = self.requests[batch.shape].infer([batch])
        return {name: np.array(results[port]) for port in results for name in port.names}

    def _compiled(self, shape: tuple[int, ...]):
        """A request for inputs of exactly this shape."""
        self.model.reshape(shape)
        try:
            return self.core.compile_model(self.model, "CPU", self.options).create_infer_request()
        finally:  # it has a copy of the weights in an order of its own by now
            drop_pages(self.weights)


def _parts(batch: np.ndarray, sizes: Sequence[int]) -> Iterator[np.ndarray]:
    """A batch in order, in parts of these sizes, the last of which is 1, as large as they come."""
    start = 0
    for size in sizes:
        while len(batch) - start >= size:
            yield batch[start : start + size]
            start += size
