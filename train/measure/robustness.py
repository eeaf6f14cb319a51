"""Ways in which real photos are degraded, each defined to the pixel."""

import io
from collections.abc import Callable
from typing import NamedTuple

from PIL import Image, ImageEnhance, ImageFilter

from catdog.photo.decode import decode

Change = Callable[[Image.Image], Image.Image]


class Condition(NamedTuple):
    """A way to change an upright RGB photo into another, or None for no change.

    title       a word or two, for tables
    definition  all that is needed to repeat it
    """

    title: str
    definition: str
    change: Change | None


def _compressed(image: Image.Image) -> Image.Image:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=20)
    return decode(stream.getvalue())


def _small(image: Image.Image) -> Image.Image:
    shrunk = image.copy()
    shrunk.thumbnail((48, 48), Image.Resampling.BILINEAR, reducing_gap=None)
    return shrunk


AS_THEY_ARE = Condition("as they are", "", None)
CONDITIONS = {
    "blur": Condition(
        "blurred",
        "Gaussian blur with a standard deviation of 1 % of the shorter side (Pillow's GaussianBlur)",
        lambda image: image.filter(ImageFilter.GaussianBlur(0.01 * min(image.size))),
    ),
    "jpeg": Condition("JPEG 20", "encoded as JPEG of quality 20 with 4:2:0 chroma, and decoded again", _compressed),
    "dark": Condition("dark", "every pixel value times 0.3", lambda image: ImageEnhance.Brightness(image).enhance(0.3)),
    "grey": Condition(
        "grey", "luma of ITU-R 601 in all three channels", lambda image: image.convert("L").convert("RGB")
    ),
    "rotated": Condition(
        "rotated",
        "30 degrees anticlockwise about the centre, bilinear, same size, black corners",
        lambda image: image.rotate(30, Image.Resampling.BILINEAR),
    ),
    "small": Condition("small", "longer side reduced to 48 pixels, bilinear and antialiased, if it is longer", _small),
}
