"""Photos made worse in ways that happen to photos, each defined to the pixel."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image, ImageEnhance, ImageFilter

from catdog.photo.decode import decode


@dataclass(frozen=True)
class Condition:
    """A way to change an upright RGB photo into another, or None for no change.

    title       a word or two, for tables
    definition  all that is needed to repeat it
    """

    title: str
    definition: str
    change: Callable[[Image.Image], Image.Image] | None


def _blurred(image: Image.Image) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(0.01 * min(image.size)))


def _compressed(image: Image.Image) -> Image.Image:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=20)
    return decode(stream.getvalue())


def _dark(image: Image.Image) -> Image.Image:
    return ImageEnhance.Brightness(image).enhance(0.3)


def _grey(image: Image.Image) -> Image.Image:
    return image.convert("L").convert("RGB")


def _rotated(image: Image.Image) -> Image.Image:
    return image.rotate(30, Image.Resampling.BILINEAR)


def _small(image: Image.Image) -> Image.Image:
    shrunk = image.copy()
    shrunk.thumbnail((48, 48), Image.Resampling.BILINEAR, reducing_gap=None)
    return shrunk


AS_THEY_ARE = Condition("as they are", "", None)
CONDITIONS = {
    "blur": Condition(
        "blurred",
        "Gaussian blur with a standard deviation of 1 % of the shorter side (Pillow's GaussianBlur)",
        _blurred,
    ),
    "jpeg": Condition("JPEG 20", "encoded as JPEG of quality 20 with 4:2:0 chroma, and decoded again", _compressed),
    "dark": Condition("dark", "every pixel value times 0.3", _dark),
    "grey": Condition("grey", "luma of ITU-R 601 in all three channels", _grey),
    "rotated": Condition(
        "rotated", "30 degrees anticlockwise about the centre, bilinear, same size, black corners", _rotated
    ),
    "small": Condition("small", "longer side reduced to 48 pixels, bilinear and antialiased, if it is longer", _small),
}
