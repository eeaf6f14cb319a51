"""RGB image -> model input. Training, evaluation and serving all call these functions."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Literal, NamedTuple

import numpy as np
from PIL import Image, ImageOps

Resize = Literal["stretch", "crop"]
Scaling = Literal["none", "unit", "symmetric"]
# Factor and offset of each way to scale pixel values 0 to 255.
SCALINGS = {
    "none": (1.0, 0.0),
    "unit": (1 / 255, 0.0),
    "symmetric": (2 / 255, -1.0),
}

Shape = tuple[int, str]  # size and resize of an Input


class Input(NamedTuple):
    """What a model takes. Models with equal inputs can share an array.

    size     height and width, pixels
    resize   `stretch` (aspect ratio not kept) or `crop` (centred square of the photo)
    scaling  range of the values: `none` (0 to 255), `unit` (0 to 1) or `symmetric` (-1 to 1)
    """

    size: int
    resize: Resize = "stretch"
    scaling: Scaling = "none"

    @property
    def shape(self) -> Shape:
        """Size and resize mode. Models with equal shapes can share pixels that are not yet scaled."""
        return self.size, self.resize


class Pixels(NamedTuple):
    """A photo in the shapes that models take, not yet scaled.

    arrays   shape -> uint8 (size, size, 3)
    seconds  shape -> how long resizing took
    reduced  whether the photo has more pixels than were read
    """

    arrays: dict[Shape, np.ndarray]
    seconds: dict[Shape, float]
    reduced: bool = False

    @classmethod
    def of(cls, image: Image.Image, shapes: Iterable[Shape], *, reduced: bool = False) -> Pixels:
        """Resize an RGB image to each of the shapes."""
        pixels = cls({}, {}, reduced)
        for shape in shapes:
            start = time.perf_counter()
            pixels.arrays[shape] = resized(image, *shape)
            pixels.seconds[shape] = time.perf_counter() - start
        return pixels


def to_array(image: Image.Image, wanted: Input) -> np.ndarray:
    """Resize and scale an RGB image: float32 (size, size, 3), in the range of `wanted.scaling`."""
    return scaled(resized(image, wanted.size, wanted.resize), wanted.scaling)


def resized(image: Image.Image, size: int, resize: Resize) -> np.ndarray:
    """Resize an RGB image, bilinear and antialiased: uint8 (size, size, 3)."""
    if resize == "crop":
        return np.asarray(ImageOps.fit(image, (size, size), Image.Resampling.BILINEAR))
    return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR))


def scaled(pixels: np.ndarray, scaling: Scaling) -> np.ndarray:
    """Scale uint8 pixels of any shape to float32: the second half of `to_array`."""
    array = pixels.astype(np.float32)
    if scaling == "none":
        return array
    factor, offset = SCALINGS[scaling]
    array *= np.float32(factor)
    array += np.float32(offset)
    return array
