"""BMP files: the kinds that Pillow would read as wrong pixels, and what it does not look at."""

from __future__ import annotations

import struct

from PIL import Image
from PIL.BmpImagePlugin import BmpImageFile

from catdog.photo.unreadable import unsupported

_START = 14  # where the header begins, after that of the file
# Bytes of the header of each version, and places in it.
_FIRST, _FIFTH = 12, 124
_SPACE, _PROFILE = 56, 112
_EMBEDDED = b"DEBM"  # the space of a file that brings its profile
_GREYS = {"1": 1, "L": 8}  # bits of a pixel that these modes are unpacked from


def prepared(image: BmpImageFile) -> Image.Image:
    """The right pixels, loaded, with the profile in `info`; raises InvalidImage where Pillow has wrong ones.

    Where no pixel has any alpha, the maker left that byte empty: the photo is opaque, as browsers show it.
    """
    if image.tile:
        image.fp.seek(_START)
        header = image.fp.read(_FIFTH)
        depth = struct.unpack_from("<H", header, 10 if header[0] == _FIRST else 14)[0]
        # Pillow loses every odd pixel of RLE4, and takes a palette of black and white for one bit at any depth.
        if image.info["compression"] == BmpImageFile.RLE4 or _GREYS.get(image.mode, depth) != depth:
            raise unsupported("BMP")
        if header[0] == _FIFTH and header.startswith(_EMBEDDED, _SPACE):
            start, size = struct.unpack_from("<II", header, _PROFILE)
            image.fp.seek(_START + start)
            image.info["icc_profile"] = image.fp.read(size)
    image.load()
    empty = image.mode == "RGBA" and image.getextrema()[3] == (0, 0)
    return image.convert("RGB") if empty else image
