"""JPEG files that break off, as browsers show them."""

from __future__ import annotations

import io
import zlib

import numpy as np
from PIL import Image

from catdog.photo.jpeg_scans import END, has_all_scans

# The share of rows, at the bottom, of which something may be missing. Browsers and libjpeg show missing pixels grey.
MOST_MISSING = 0.1
# Instead of the data that are missing. A byte of 0xFF would begin a marker, so the first byte ends one.
_ANYTHING = b"\0" + np.random.default_rng(0).integers(0, 255, 4096, np.uint8).tobytes()


def completed(data: bytes) -> bytes | None:
    """A JPEG that breaks off, with an end marker; None for other files, and where more than MOST_MISSING is missing.

    A row is missing from where it matters what follows the data: nothing, or anything. A progressive JPEG must have
    begun its last scan.
    """
    if not has_all_scans(data):
        return None
    try:
        nothing, anything = (_rows(data + rest + END) for rest in (b"", _ANYTHING))
    except Exception:  # it is damaged in another way
        return None
    pairs = enumerate(zip(nothing, anything, strict=True))
    certain = next((row for row, (one, other) in pairs if one != other), len(nothing))
    return data + END if len(nothing) - certain <= MOST_MISSING * len(nothing) else None


def _rows(data: bytes) -> list[int]:
    """A checksum of each row of a JPEG, which takes less memory than two photos."""
    with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
        return [zlib.crc32(row) for row in np.asarray(image)]
