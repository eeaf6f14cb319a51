"""Runs an ONNX model with OpenVINO, which reads it without conversion."""

from collections.abc import Callable

import numpy as np
import onnx

from catdog.engine import Outputs
from catdog.engine.openvino_engine import import_openvino


def runner(model: onnx.ModelProto) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
    """What computes, in float32, the outputs of the model by their names from its one input."""
    core = import_openvino().Core()
    network = core.compile_model(
        core.read_model(model.SerializeToString(), b""), "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
    )
    return lambda batch: {name: np.array(values) for port, values in network([batch]).items() for name in port.names}


class OnnxEngine:
    """An ONNX model as an engine of catdog."""

    problem = ""

    def __init__(self, model: onnx.ModelProto):
        self.run, self.runtime = runner(model), f"OpenVINO {import_openvino().__version__} on ONNX"

    def __call__(self, batch: np.ndarray) -> Outputs:
        found = self.run(batch)
        return Outputs.from_model(**{name: found[name] for name in Outputs._fields if name in found})
