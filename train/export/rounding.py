"""Weights -> integers, and the steps between them."""

import numpy as np

BLOCK = 128  # columns whose errors are made up for in the columns behind them at once
TINY = np.float32(1e-12)


def rounded(values: np.ndarray, axis: int, bits: float) -> tuple[np.ndarray, np.ndarray]:
    """Integers of that many bits, and the step between them for each place on an axis.

    The errors of one place add up to next to nothing, so that the layer's output is not shifted where its inputs are
    alike: as many numbers as that takes, those nearest to one half, are rounded the other way.
    """
    exact, steps, most = _scaled(np.moveaxis(values, axis, 0).reshape(values.shape[axis], -1), bits)
    whole = np.rint(exact)
    errors = exact - whole
    shift = errors.sum(axis=1, keepdims=True)
    rank = np.argsort(np.argsort(-errors * np.sign(shift), axis=1), axis=1)
    whole += np.sign(shift) * (rank < np.rint(np.abs(shift)))
    shape = np.moveaxis(values, axis, 0).shape
    whole = np.moveaxis(np.clip(whole, -most, most).reshape(shape), 0, axis)
    steps = np.moveaxis(steps.reshape(-1, *[1] * (values.ndim - 1)), 0, axis)
    return _stored(whole, most), steps


def compensated(values: np.ndarray, factor: np.ndarray, bits: float) -> tuple[np.ndarray, np.ndarray]:
    """Integers as of `rounded` along the first axis; each error is made up for by weights rounded after it.

    The outputs of the layer then change least on inputs like those behind `factor` (n, n), n weights in each place on
    the first axis: see `layer_inputs.factors`. The method is GPTQ (Frantar et al. 2023).
    """
    left, steps, most = _scaled(values.reshape(len(values), -1), bits)
    whole = np.empty_like(left)
    for start in range(0, len(factor), BLOCK):
        stop = min(start + BLOCK, len(factor))
        errors = np.empty((len(left), stop - start), left.dtype)
        for i in range(start, stop):
            whole[:, i] = np.clip(np.rint(left[:, i]), -most, most)
            errors[:, i - start] = (left[:, i] - whole[:, i]) / factor[i, i]
            left[:, i:stop] -= np.outer(errors[:, i - start], factor[i, i:stop])
        left[:, stop:] -= errors @ factor[start:stop, stop:]
    return _stored(whole.reshape(values.shape), most), steps.reshape(-1, *[1] * (values.ndim - 1))


def _scaled(rows: np.ndarray, bits: float) -> tuple[np.ndarray, np.ndarray, int]:
    """Rows in units of their steps, the steps (rows, 1), and the largest integer."""
    most = round(2 ** (bits - 1)) - 1
    steps = np.maximum(np.abs(rows).max(axis=1, keepdims=True) / most, TINY).astype(np.float32)
    return rows / steps, steps, most


def _stored(whole: np.ndarray, most: int) -> np.ndarray:
    return whole.astype(np.int8 if most < 128 else np.int16)
