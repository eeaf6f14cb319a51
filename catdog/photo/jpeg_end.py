"""JPEG files that break off, as browsers show them."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageChops

from catdog.photo.jpeg_scans import END, essential_segments, has_all_scans, is_one_run

# The share of rows, at the bottom, of which something may be missing. Browsers and libjpeg show missing pixels grey.
MOST_MISSING = 0.1
# Instead of the data that are missing. A byte of 0xFF would begin a marker, so the first byte ends one.
_ANYTHING = b"\0" + np.random.default_rng(0).integers(0, 255, 4096, np.uint8).tobytes()
# Of photos of so many rows an eighth is compared, a pixel of each block, which is fast. The block that breaks off may
# have that pixel, so that as many of these rows as its neighbours may have are in doubt. The last scan of a progressive
# photo, and the few blocks up to a restart marker, may change less than such pixels show.
_TALL, _IN_DOUBT = 1000, 2
_BAND = 256  # rows that are compared at a time: a comparison takes the memory of a photo


def completed(data: bytes) -> bytes | None:
    """A JPEG that breaks off, with an end marker; None for other files, and where more than MOST_MISSING is missing.

    Rows are missing from the first one that looks different when other data follow: nothing, or anything. A progressive
    JPEG must have begun its last scan.
    """
    if not has_all_scans(data):
        return None
    seen = essential_segments(data)
    try:
        nothing, anything = (Image.open(io.BytesIO(seen + rest + END), formats=["JPEG"]) for rest in (b"", _ANYTHING))
        reduced = nothing.height >= _TALL and is_one_run(data)
        if reduced:
            nothing.draft(None, (1, 1))
            anything.draft(None, (1, 1))
        certain = _rows_alike(nothing, anything) - (_IN_DOUBT if reduced else 0)
    except Exception:  # it is damaged in another way
        return None
    return data + END if nothing.height - certain <= MOST_MISSING * nothing.height else None


def _rows_alike(one: Image.Image, other: Image.Image) -> int:
    """How many rows, from the top, have the same pixels in both."""
    for top in range(0, one.height, _BAND):
        band = (0, top, one.width, min(top + _BAND, one.height))
        if box := ImageChops.difference(one.crop(band), other.crop(band)).getbbox():
            return top + box[1]
    return one.height
