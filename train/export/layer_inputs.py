"""How the inputs of a network's layers vary together on photos: what the errors of rounded weights meet there."""

from collections import defaultdict
from collections.abc import Iterable

import numpy as np
import onnx
import scipy.linalg

from train.export.onnx_engine import runner

# Added to the diagonal, in parts of its mean: inputs that the photos leave near zero may differ in others.
DAMPING = 0.01


def factors(model: onnx.ModelProto, batches: Iterable[np.ndarray]) -> dict[str, np.ndarray]:
    """For the 1 x 1 convolutions of a float32 model, by the name of their weights: float32 (n, n), upper triangular.

    With x the n inputs of a convolution at one place of a photo, it is the U of UᵀU = (sum of x xᵀ, damped)⁻¹.

    batches  inputs of the model, float32
    """
    inputs = _inputs(model)
    run, sums = runner(_with_outputs(model, {name for _, name in inputs})), defaultdict(float)
    for batch in batches:
        found = run(batch) | {model.graph.input[0].name: batch}
        for weights, name in inputs:
            if name in found:  # not of a constant
                places = np.moveaxis(found[name], 1, 0).reshape(found[name].shape[1], -1)
                sums[weights] += places @ places.T
    return {weights: _factor(total) for weights, total in sums.items() if np.isfinite(total).all()}


def _inputs(model: onnx.ModelProto) -> list[tuple[str, str]]:
    """Weights and input, by name, of each 1 x 1 convolution that sees all channels."""
    arrays = {tensor.name: tensor for tensor in model.graph.initializer}
    return [
        (node.input[1], node.input[0])
        for node in model.graph.node
        if node.op_type == "Conv"
        and (weights := arrays.get(node.input[1])) is not None
        and list(weights.dims[2:]) == [1, 1]
        and not any(attribute.name == "group" and attribute.i > 1 for attribute in node.attribute)
    ]


def _with_outputs(model: onnx.ModelProto, names: set[str]) -> onnx.ModelProto:
    """A copy of the model that also gives these values inside it."""
    copy = onnx.shape_inference.infer_shapes(model)
    known = {value.name for value in copy.graph.output}
    copy.graph.output.extend(
        value for value in copy.graph.value_info if value.name in names and value.name not in known
    )
    return copy


def _factor(total: np.ndarray) -> np.ndarray:
    damped = total.astype(np.float64)
    np.fill_diagonal(damped, damped.diagonal() + max(DAMPING * damped.diagonal().mean(), np.finfo(np.float32).tiny))
    inverse = scipy.linalg.inv(damped, overwrite_a=True)
    return scipy.linalg.cholesky(inverse, overwrite_a=True).astype(np.float32)
