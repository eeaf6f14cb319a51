"""RGB image -> model input. Training, evaluation and serving all call these functions."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Literal, NamedTuple

import numpy as np
from PIL import Image, ImageOps

Resize = Literal["stretch", "crop"]
Scaling = Literal["none", "unit", "symmetric", "caffe", "torch"]
# Factor and offset of each way to scale pixel values 0 to 255, for all channels or for each. The last two are those of
# `keras.applications.imagenet_utils.preprocess_input`; caffe has the channels in the order blue, green, red.
SCALINGS = {
    "none": (1.0, 0.0),
    "unit": (1 / 255, 0.0),
    "symmetric": (2 / 255, -1.0),
    "caffe": (1.0, (-103.939, -116.779, -123.68)),
    "torch": (
        tuple(1 / (255 * deviation) for deviation in (0.229, 0.224, 0.225)),
        tuple(-mean / deviation for mean, deviation in ((0.485, 0.229), (0.456, 0.224), (0.406, 0.225))),
    ),
}
OF_COLOUR = ("caffe", "torch")  # which grey photos do not have

Size = int | tuple[int, int, int]
Shape = tuple[Size, str]  # size and resize of an Input


class Input(NamedTuple):
    """What a model takes. Models with equal inputs can share an array."""

    # Height and width in pixels of a square RGB input, or else its height, width and channels: 3, or 1 for grey.
    size: Size
    # `stretch` (aspect ratio not kept) or `crop` (the largest centred part of the photo that has the ratio).
    resize: Resize = "stretch"
    scaling: Scaling = "none"  # of the values, as in SCALINGS: `none` is 0 to 255, `unit` 0 to 1, `symmetric` -1 to 1

    @property
    def shape(self) -> Shape:
        """Size and resize mode. Models with equal shapes can share pixels that are not yet scaled."""
        return self.size, self.resize

    @property
    def array(self) -> tuple[int, int, int]:
        """Height, width and channels."""
        return (self.size, self.size, 3) if isinstance(self.size, int) else self.size

    @property
    def aspect(self) -> float:
        """Width by height."""
        return self.array[1] / self.array[0]


class Pixels(NamedTuple):
    """A photo in the shapes that models take, not yet scaled."""

    arrays: dict[Shape, np.ndarray]  # uint8 (height, width, channels)
    seconds: dict[Shape, float]  # that resizing took
    reduced: bool = False  # whether the photo has more pixels than were read

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
    """Resize and scale an RGB image: float32 (height, width, channels), in the range of `wanted.scaling`."""
    return scaled(resized(image, wanted.size, wanted.resize), wanted.scaling)


def size_of(height: int, width: int, channels: int) -> Size:
    """The size of an Input that takes arrays of this shape."""
    return height if height == width and channels == 3 else (height, width, channels)


def resized(image: Image.Image, size: Size, resize: Resize) -> np.ndarray:
    """Resize an RGB image, bilinear and antialiased: uint8 (height, width, channels)."""
    height, width, channels = Input(size).array
    if resize == "crop":
        image = ImageOps.fit(image, (width, height), Image.Resampling.BILINEAR)
    else:
        image = image.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(image) if channels == 3 else np.asarray(image.convert("L"))[..., None]


def scaled(pixels: np.ndarray, scaling: Scaling) -> np.ndarray:
    """Scale uint8 pixels of any shape to float32: the second half of `to_array`."""
    array = pixels.astype(np.float32)
    if scaling == "none":
        return array
    if scaling == "caffe":
        array = np.ascontiguousarray(array[..., ::-1])
    factor, offset = SCALINGS[scaling]
    array *= np.float32(factor)
    array += np.float32(offset)
    return array
