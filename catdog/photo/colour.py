"""A photo's own colour space -> sRGB, which models are trained on and browsers show."""

from __future__ import annotations

import functools
import io

import numpy as np
from PIL import Image, ImageCms

LARGEST = 4 * 2**20  # bytes of a profile; Firefox has the same limit
# Levels of 255 that sRGB profiles of different makers differ by. Applying one would cost time and change nothing.
SAME = 2
KEPT = 8  # transforms; one takes up to a few megabytes

_SPACES = {"L": "GRAY", "RGB": "RGB", "RGBA": "RGB", "CMYK": "CMYK"}


def in_srgb(image: Image.Image, profile: bytes | None, *, grey: bool = False) -> Image.Image:
    """An image in mode L, RGB, RGBA or CMYK -> RGB, or RGBA with the same alpha, by its ICC profile.

    grey  whether a profile for shades of grey fits the image, even if its mode is RGBA by now

    A profile that is broken, or for another kind of colours than the image has, is ignored, as browsers do. The
    rendering intent is relative colorimetric, without compensation of black, which comes nearest to Chromium.
    """
    if not profile or len(profile) > LARGEST:
        return _plain(image)
    if grey and (transform := _transform(profile, "L")):
        converted = transform.apply(image.getchannel(0))
        if image.mode == "RGBA":
            converted.putalpha(image.getchannel("A"))
        return converted
    if image.mode == "L":
        image = image.convert("RGB")
    transform = _transform(profile, image.mode)
    return transform.apply(image) if transform else _plain(image)


def _plain(image: Image.Image) -> Image.Image:
    return image if image.mode in ("RGB", "RGBA") else image.convert("RGB")


@functools.lru_cache(KEPT)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """From a profile to sRGB, for images of a mode; None for a profile that does not fit, or that is sRGB."""
    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if opened.profile.xcolor_space.strip() != _SPACES[mode]:
            return None
        output = "RGBA" if mode == "RGBA" else "RGB"
        srgb = ImageCms.createProfile("sRGB")
        transform = ImageCms.buildTransform(opened, srgb, mode, output, ImageCms.Intent.RELATIVE_COLORIMETRIC)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
    return transform if _is_useful(transform, mode) else None


def _is_useful(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """Whether a transform moves colours of a 9 x 9 x 9 lattice by more than SAME levels, and not all to one."""
    if mode == "CMYK":
        return True
    levels = np.linspace(0, 255, 9).astype(np.uint8)
    colours = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(-1, 27, 3)
    lattice = Image.fromarray(colours).convert(mode)
    seen = np.asarray(transform.apply(lattice).convert("RGB"), int)
    moved = np.abs(seen - np.asarray(lattice.convert("RGB"), int))
    return bool(moved.max() > SAME and np.ptp(seen) > 0)
