"""Weights of an ONNX graph in fewer bits, which any runtime turns into float32 when it loads the model."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from onnx import helper, numpy_helper

from train.export.rounding import TINY, compensated, rounded

# Of numbers with more than 8 bits, the lowest 5 are stored by themselves, so that the file compresses well; 8 hold the
# rest of 13.
LOW = 32
FEWEST_BITS, MOST_BITS = 4, 13
# Bits of the weights in arrays of USUAL numbers, from the smallest file on; None loses nothing. They need not be whole
# numbers: rounded more coarsely, weights compress better.
LADDER = (*np.arange(7, 13.25, 0.25).tolist(), None)
USUAL = 2**18
FEWEST = 1024  # smaller arrays, and those with one axis, stay in float32
# Largest error of weights that count as unchanged, in parts of the largest of their channel.
EXACT = 2e-6


def compact(
    model: onnx.ModelProto,
    bits: float | None,
    kernels: Sequence[np.ndarray] = (),
    factors: Mapping[str, np.ndarray] | None = None,
) -> onnx.ModelProto:
    """A copy of a float32 model with rounded weights; with None, in float16 where that loses nothing.

    bits     of the weights in arrays of USUAL numbers, 4 to 13; others get more or fewer, by their size
    kernels  weights of the network before its normalisations were multiplied into them, in the shapes of the graph:
             those that float16 holds stay exact
    factors  by name of an array, what `layer_inputs.factors` gives: its rounding errors then make up for each other
    """
    model = onnx.ModelProto.FromString(model.SerializeToString())
    graph, initializers, nodes = model.graph, [], []
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        is_large = values.dtype == np.float32 and values.ndim > 1 and values.size >= FEWEST
        packed = _packed(values, bits, kernels, (factors or {}).get(tensor.name)) if is_large else None
        if packed is None:
            initializers.append(tensor)
            continue
        arrays, steps = _stored(tensor.name, *packed)
        initializers += arrays
        nodes += steps
    nodes += graph.node
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(initializers)
    graph.node.extend(nodes)
    onnx.checker.check_model(model, full_check=True)
    return model


def _packed(
    values: np.ndarray, bits: float | None, kernels: Sequence[np.ndarray], factor: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray] | None:
    """A smaller array, and what it is to be multiplied by, in place of `values`; None to keep these."""
    if bits is None:
        return next(filter(None, (_multiple(values, kernel) for kernel in (values, *kernels))), None)
    bits = _bits(values.size, bits)
    if factor is not None:
        return compensated(values, factor, bits)
    ways = [rounded(values, axis, bits) for axis in (0, -1)]
    return min(ways, key=lambda way: np.square(values - way[0] * way[1]).sum())


def _bits(size: int, usual: float) -> float:
    """Bits for the weights of an array of that many numbers; `usual` for one of USUAL numbers.

    Rounded to as many bits, large arrays disturb the answer about as much as small ones. The file is then smallest for
    its noise if each number of each array adds as much noise (Shoham and Gersho 1988): half a bit less for twice as
    many numbers.
    """
    return min(max(usual - math.log2(size / USUAL) / 2, FEWEST_BITS), MOST_BITS)


def _multiple(values: np.ndarray, kernel: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """A kernel in float16, and the factor for each place on the first axis that makes it `values`; or None.

    Weights of 11 significant bits fit into float16 once they are not too small for it.
    """
    if kernel.shape != values.shape:
        return None
    others = tuple(range(1, values.ndim))
    sizes = [np.abs(array).sum(axis=others, keepdims=True, dtype=np.float64) for array in (values, kernel)]
    factor = sizes[0] / np.maximum(sizes[1], TINY) * np.sign((values * kernel).sum(axis=others, keepdims=True))
    _, exponent = np.frexp(np.abs(kernel).max(axis=others, keepdims=True))
    half = np.ldexp(kernel, 15 - exponent).astype(np.float16)
    factor = np.ldexp(factor, exponent - 15).astype(np.float32)
    error = np.abs(half * factor - values).max(axis=others)
    return (half, factor) if (error <= EXACT * np.abs(values).max(axis=others)).all() else None


def _stored(name: str, small: np.ndarray, factor: np.ndarray) -> tuple[list[onnx.TensorProto], list[onnx.NodeProto]]:
    """The arrays, and the nodes that make a float32 array called `name` of them."""
    arrays, unscaled = {f"{name}.step": factor}, f"{name}.unscaled"
    if small.dtype == np.int16:
        high, low = np.divmod(small, LOW)
        arrays |= {
            f"{name}.high": high.astype(np.int8),
            f"{name}.low": low.astype(np.uint8),
            f"{name}.32": np.array(LOW, np.float32),
        }
        nodes = [
            _cast(f"{name}.high", f"{name}.high.float"),
            _cast(f"{name}.low", f"{name}.low.float"),
            helper.make_node("Mul", [f"{name}.high.float", f"{name}.32"], [f"{name}.rest"]),
            helper.make_node("Add", [f"{name}.rest", f"{name}.low.float"], [unscaled]),
        ]
    else:
        arrays[f"{name}.small"] = small
        nodes = [_cast(f"{name}.small", unscaled)]
    nodes.append(helper.make_node("Mul", [unscaled, f"{name}.step"], [name]))
    return [numpy_helper.from_array(array, called) for called, array in arrays.items()], nodes


def _cast(source: str, target: str) -> onnx.NodeProto:
    return helper.make_node("Cast", [source], [target], to=onnx.TensorProto.FLOAT)
