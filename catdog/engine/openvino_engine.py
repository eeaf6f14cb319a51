"""Run a converted model with OpenVINO."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from catdog.engine.cache import CONVERTED, QUANTIZED
from catdog.engine.interface import FOLDER_BATCH, Outputs
from catdog.memory import drop_pages

# Inference precision for OpenVINO, which would choose bfloat16 by itself. With int8 this is for layers that are not
# quantized.
HINTS = {"float32": "f32", "bfloat16": "bf16", "int8": "f32"}
# Photos per request, the largest first.
SIZES = (FOLDER_BATCH, 1)
# If two threads hand OpenVINO 2026.4 their first array at the same time, they wait for each other forever.
_FIRST_ARRAY = threading.Lock()


def import_openvino() -> ModuleType:
    """Import OpenVINO without its telemetry, which would report conversions; OpenVINO has a stub for this case."""
    sys.modules.setdefault("openvino_telemetry", None)
    import openvino

    with _FIRST_ARRAY:
        openvino.Tensor(np.zeros(1, np.float32))
    return openvino


class OpenVINOEngine:
    """Runs the conversion in a folder.

    threads    0 for all cores
    precision  a key of HINTS
    at_once    whether to compile the network for a single photo now, if the size of photos is fixed

    Batches are cut into parts of SIZES. The network for each size is compiled when it is first needed; one for batches
    of any size would be slower.
    """

    problem = ""

    def __init__(self, folder: Path, *, threads: int = 0, precision: str = "float32", at_once: bool = True):
        openvino = import_openvino()
        # Threads pinned to cores would wait for other work there, such as the decoding of photos.
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
        self.requests: dict[tuple[int, ...], Any] = {}
        photo = list(self.takes)[1:]
        if at_once and all(side.is_static for side in photo):  # what this machine cannot run fails now
            shape = (1, *(side.get_length() for side in photo))
            self.requests[shape] = self._compiled(shape)
        self.runtime = f"OpenVINO {openvino.__version__.split('-')[0]}, {precision}"

    def __call__(self, batch: np.ndarray) -> Outputs:
        if not len(batch) or not self.takes.compatible(type(self.takes)(batch.shape)):
            raise ValueError(f"it takes inputs of shape {self.takes}")
        parts = [self._infer(part) for part in _parts(batch)]
        names = [name for name in Outputs._fields if name in parts[0]]
        return Outputs.from_model(**{name: np.concatenate([part[name] for part in parts]) for name in names})

    def _infer(self, batch: np.ndarray) -> dict[str, np.ndarray]:
        """The outputs by name, copied, as the next request reuses their memory."""
        if batch.shape not in self.requests:
            self.requests[batch.shape] = self._compiled(batch.shape)
        results = self.requests[batch.shape].infer([batch])
        return {name: np.array(results[port]) for port in results for name in port.names}

    def _compiled(self, shape: tuple[int, ...]):
        """A request for inputs of exactly this shape."""
        self.model.reshape(shape)
        try:
            return self.core.compile_model(self.model, "CPU", self.options).create_infer_request()
        finally:  # the compiled network has its own copy of the weights
            drop_pages(self.weights)


def _parts(batch: np.ndarray) -> Iterator[np.ndarray]:
    """Cut a batch into parts of SIZES, always the largest that fits."""
    start = 0
    for size in SIZES:
        while len(batch) - start >= size:
            yield batch[start : start + size]
            start += size
