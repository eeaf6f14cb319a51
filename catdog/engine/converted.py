"""OpenVINO: runs a converted model."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from types import ModuleType

import numpy as np

from .cache import GRAPH
from .interface import Outputs

PRECISIONS = {"f32": "float32", "bf16": "bfloat16"}


def import_openvino() -> ModuleType:
    """OpenVINO without its telemetry, which would report conversions unasked; it has a stub for this case."""
    sys.modules.setdefault("openvino_telemetry", None)
    import openvino

    return openvino


class OpenVINOEngine:
    """Runs the conversion in a folder.

    threads    0 for all cores
    precision  arithmetic, a key of PRECISIONS: OpenVINO itself would take bfloat16 wherever it is fast
    """

    problem = ""

    def __init__(self, folder: Path, *, threads: int = 0, precision: str = "f32"):
        openvino = import_openvino()
        # Threads that are tied to cores wait for whatever else runs there, such as the decoding of photos.
        options = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": precision, "ENABLE_CPU_PINNING": False}
        if threads:
            options["INFERENCE_NUM_THREADS"] = threads
        core = openvino.Core()
        self.request = core.compile_model(folder / GRAPH, "CPU", options).create_infer_request()
        self.takes = self.request.get_compiled_model().input(0).get_partial_shape()
        self.runtime = f"OpenVINO {openvino.__version__.split('-')[0]}, {PRECISIONS[precision]}"
        self.lock = threading.Lock()

    def __call__(self, batch: np.ndarray) -> Outputs:
        if not self.takes.compatible(type(self.takes)(batch.shape)):  # it might answer nothing, and go on doing so
            raise ValueError(f"it takes inputs of shape {self.takes}")
        # One request at a time uses all cores; its results live in memory that the next one reuses.
        with self.lock:
            results = self.request.infer([batch])
            named = {name: np.array(results[port]) for port in results for name in port.names}
        return Outputs(**{name: named[name] for name in Outputs._fields if name in named})


def has_bfloat16() -> bool:
    """Whether OpenVINO multiplies bfloat16 faster than float32 on this processor."""
    return "BF16" in import_openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
