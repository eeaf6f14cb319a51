"""Write a Keras model as one compact `.h5` file, whole or not at all."""

from pathlib import Path

import h5py
import keras
import numpy as np

from catdog.files import whole

FLOAT32_BITS = 24


def save(model: keras.Model, path: Path, *, bits: int = FLOAT32_BITS) -> None:
    """Save `model` to `path` with shuffled, gzipped datasets; `keras.models.load_model` opens it.

    With `bits` below 24, weights of two or more dimensions are rounded to that many significant bits (float16 has 11).
    They are still stored as float32, but the zeroed bits compress to almost nothing. Biases and batch norm statistics,
    a thousandth of the bytes, keep full precision.
    """
    plain = path.with_name(path.name + ".plain.h5")
    try:
        model.save(plain, include_optimizer=False)
        with (
            whole(path) as partial,
            h5py.File(plain, "r") as source,
            h5py.File(partial, "w", track_order=True) as target,
        ):
            _copy(source, target, bits)
    finally:
        plain.unlink(missing_ok=True)


def _copy(source: h5py.Group, target: h5py.Group, bits: int) -> None:
    target.attrs.update(source.attrs)
    for name, item in source.items():
        if isinstance(item, h5py.Group):
            _copy(item, target.create_group(name, track_order=True), bits)
            continue
        values = item[()]
        if values.ndim >= 2:
            values = rounded(values, bits)
        filters = {"compression": "gzip", "compression_opts": 9, "shuffle": True} if values.ndim else {}
        target.create_dataset(name, data=values, **filters).attrs.update(item.attrs)


def rounded(values: np.ndarray, bits: int) -> np.ndarray:
    """Float32 values rounded to the nearest with `bits` significant bits, 2 to 24."""
    dropped = FLOAT32_BITS - bits
    if not dropped:
        return values
    # Add half of the last kept bit to the magnitude, then clear the bits below it.
    pattern = values.astype(np.float32).view(np.uint32) + np.uint32(1 << (dropped - 1))
    return (pattern & ~np.uint32((1 << dropped) - 1)).view(np.float32)
