"""Class activation maps (Zhou et al. 2016): which places of a photo speak for a label."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image


def heatmap(maps: np.ndarray, label: int, temperature: float) -> list[list[float]] | None:
    """One photo's map for one class, in calibrated logits: rows of numbers, positive where a place speaks for it.

    maps   (h, w, classes), as in `Outputs`
    label  index of the class

    The mean of the map is the log odds of the class; with more than two classes, its log odds against the geometric
    mean of the others. So a map beside a sure answer is mostly for it. None when a value is not finite.
    """
    maps = np.asarray(maps, np.float64)
    others = np.delete(maps, label, axis=-1)
    own = (maps[..., label] - others.mean(axis=-1)) / temperature
    return np.round(own, 4).tolist() if np.isfinite(own).all() else None


def enlarged(heatmap: Sequence[Sequence[float]], width: int, height: int) -> np.ndarray:
    """A map resized to this many pixels, bicubic: float32 (height, width)."""
    values = Image.fromarray(np.asarray(heatmap, np.float32))
    return np.asarray(values.resize((width, height), Image.Resampling.BICUBIC))
