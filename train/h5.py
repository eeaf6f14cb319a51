"""Write a Keras model as one compact `.h5` file, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import h5py
import keras
import numpy as np

from .files import whole


def save(model: keras.Model, path: Path, *, round_kernels: bool = False) -> None:
    """Save `model` to `path` with shuffled, gzipped datasets; `keras.models.load_model` opens it.

    With `round_kernels`, weights of two or more dimensions are rounded to 16-bit floating point
    (11 significant bits) and still stored as float32: the zeroed bytes all but vanish in gzip.
    Biases and batch statistics, a thousandth of the bytes, keep full precision.
    """
    plain = path.with_name(path.name + ".plain.h5")
    try:
        model.save(plain, include_optimizer=False)
        with (
            whole(path) as partial,
            h5py.File(plain, "r") as source,
            h5py.File(partial, "w", track_order=True) as target,
        ):
            _copy(source, target, round_kernels)
    finally:
        plain.unlink(missing_ok=True)


def _copy(source: h5py.Group, target: h5py.Group, round_kernels: bool) -> None:
    for key, value in source.attrs.items():
        target.attrs[key] = value
    for name, item in source.items():
        if isinstance(item, h5py.Group):
            _copy(item, target.create_group(name, track_order=True), round_kernels)
            continue
        values = item[()]
        if round_kernels and values.ndim >= 2:
            values = rounded(values)
        filters = {"compression": "gzip", "compression_opts": 9, "shuffle": True} if values.ndim else {}
        dataset = target.create_dataset(name, data=values, **filters)
        for key, value in item.attrs.items():
            dataset.attrs[key] = value


def rounded(values: np.ndarray) -> np.ndarray:
    """Float32 values rounded to the nearest float16; those out of its range stay as they are."""
    limits = np.finfo(np.float16)
    fits = (np.abs(values) <= limits.max) & (np.abs(values) >= limits.tiny)
    return np.where(fits, np.where(fits, values, 0).astype(np.float16), values)
