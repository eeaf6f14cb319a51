"""Class activation maps (Zhou et al. 2016): where in the photo a model found what it says."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from PIL import Image

# Told apart by people who see red and green alike (ColorBrewer's PuOr).
WARM, COOL = (241, 119, 6), (84, 39, 136)
STRONGEST = 0.72  # opacity of the colour where a map reaches the end of its scale
GAMMA = 0.75  # below 1: lets the weaker of two models on one scale be seen
LEAST_SCALE = 1.0  # logits: what is weaker everywhere looks weak
LARGEST_SIDE = 800  # pixels of a drawn photo
COARSE = 4  # pixels a side that get one opacity, smoothed afterwards: a map has few places, and powers take time


def heatmap(maps: np.ndarray, label: int, temperature: float) -> list[list[float]] | None:
    """One photo's map for one class, in calibrated logits: rows of numbers, positive where a place speaks for it.

    maps   (h, w, classes), as in `engine.Outputs`
    label  index of the class

    The mean of the map, plus a constant of the model, is the logarithm of the odds for the class; with
    more than two classes, the odds against the geometric mean of the others. None when an entry is no number.
    """
    maps = np.asarray(maps, np.float64)
    others = np.delete(maps, label, axis=-1)
    own = (maps[..., label] - others.mean(axis=-1)) / temperature
    return np.round(own, 4).tolist() if np.isfinite(own).all() else None


def scale_of(heatmaps: Iterable[Sequence[Sequence[float]] | None]) -> float:
    """One scale for the maps of several models: the largest absolute value among them, at least LEAST_SCALE."""
    peaks = [np.abs(heatmap).max() for heatmap in heatmaps if heatmap]
    return float(max([LEAST_SCALE, *peaks]))


def overlay(
    image: Image.Image, heatmap: Sequence[Sequence[float]], scale: float, *, resize: str = "stretch"
) -> Image.Image:
    """Lay a map over the RGB photo that it is about: warm for the label, cool against it, clear where neither.

    scale   value of the map that gets the strongest colour, as of `scale_of`
    resize  what the model sees of a photo, as in its spec

    Returns an RGB image of the same proportions, of at most LARGEST_SIDE pixels a side.
    """
    drawn = image.copy()
    drawn.thumbnail((LARGEST_SIDE, LARGEST_SIDE))
    seen = _seen(drawn.size, resize)
    size = seen[2] - seen[0], seen[3] - seen[1]
    values = enlarged(heatmap, *(-(-side // COARSE) for side in size)) / max(scale, 1e-9)
    opacity = Image.fromarray((255 * STRONGEST * np.minimum(np.abs(values), 1) ** GAMMA).astype(np.uint8))
    # Where one colour follows the other, both are clear: only the opacity needs to be smooth.
    colours = Image.fromarray(np.where(values[..., None] > 0, WARM, COOL).astype(np.uint8))
    drawn.paste(colours.resize(size, Image.Resampling.NEAREST), seen, opacity.resize(size, Image.Resampling.BILINEAR))
    return drawn


def enlarged(heatmap: Sequence[Sequence[float]], width: int, height: int) -> np.ndarray:
    """A map over so many pixels, bicubic: float32 (height, width)."""
    values = Image.fromarray(np.asarray(heatmap, np.float32))
    return np.asarray(values.resize((width, height), Image.Resampling.BICUBIC))


def _seen(size: tuple[int, int], resize: str) -> tuple[int, int, int, int]:
    """The box of an image that a model sees: all of it, or with `crop` the centred square."""
    width, height = size
    side = min(size)
    if resize != "crop":
        return 0, 0, width, height
    left, top = (width - side) // 2, (height - side) // 2
    return left, top, left + side, top + side
