"""Heat maps drawn over photos."""

from collections.abc import Iterable, Sequence

import numpy as np
from PIL import Image

from catdog.comparator import LARGEST_SIDE
from catdog.models.heatmap import enlarged

# For and against the label: bright and dark, unlike fur and lawns, and unlike the colours of classes and of right and
# wrong, also to colour-blind people. tests/catdog/pages/test_overlay.py simulates those.
FOR, AGAINST = (170, 255, 0), (40, 0, 200)
STRONGEST = 0.72  # opacity of the colour at the end of the scale
GAMMA = 0.75  # below 1, so that the weaker of two maps on one scale stays visible
LEAST_SCALE = 1.0  # logits: maps that are weaker than this everywhere look weak
COARSE = 4  # pixels a side that share an opacity, smoothed afterwards, to save time


def scale_of(heatmaps: Iterable[Sequence[Sequence[float]] | None]) -> float:
    """One scale for the maps of several models: their largest absolute value, at least LEAST_SCALE."""
    peaks = [np.abs(heatmap).max() for heatmap in heatmaps if heatmap]
    return float(max([LEAST_SCALE, *peaks]))


def overlay(
    image: Image.Image,
    heatmap: Sequence[Sequence[float]],
    scale: float,
    *,
    resize: str = "stretch",
    aspect: float = 1.0,
) -> Image.Image:
    """Draw a map over its RGB photo in the colour FOR where it speaks for the label, AGAINST where against it.

    scale   value of the map that gets the strongest colour, from `scale_of`; the colour of 0 is transparent
    resize  the model's resize mode, which says what part of the photo the map covers
    aspect  width by height of the model's input

    Returns an RGB image of the same proportions, of at most LARGEST_SIDE pixels a side.
    """
    drawn = image.copy()
    drawn.thumbnail((LARGEST_SIDE, LARGEST_SIDE))
    box = _covered(drawn.size, resize, aspect)
    size = box[2] - box[0], box[3] - box[1]
    values = enlarged(heatmap, *(-(-side // COARSE) for side in size)) / max(scale, 1e-9)
    opacity = Image.fromarray((255 * STRONGEST * np.minimum(np.abs(values), 1) ** GAMMA).astype(np.uint8))
    # Colours change where the opacity is 0, so only the opacity needs smoothing.
    colours = Image.fromarray(np.where(values[..., None] > 0, FOR, AGAINST).astype(np.uint8))
    drawn.paste(colours.resize(size, Image.Resampling.NEAREST), box, opacity.resize(size, Image.Resampling.BILINEAR))
    return drawn


def _covered(size: tuple[int, int], resize: str, aspect: float) -> tuple[int, int, int, int]:
    """The box of an image that a model sees: all of it, or with `crop` the largest centred part of this aspect."""
    width, height = size
    if resize != "crop":
        return 0, 0, width, height
    seen = round(min(width, height * aspect)), round(min(height, width / aspect))
    left, top = (width - seen[0]) // 2, (height - seen[1]) // 2
    return left, top, left + seen[0], top + seen[1]
