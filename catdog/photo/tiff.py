"""TIFF files: the page that is the photo, and the kinds that Pillow would read as wrong pixels."""

from __future__ import annotations

import io

from PIL import Image, ImagePalette, TiffImagePlugin
from PIL.TiffImagePlugin import TiffImageFile

from catdog.photo.unreadable import unsupported

MOST_PAGES = 16  # that are looked at for the one behind a thumbnail

_SUBFILE, _OLD_SUBFILE, _SUB_PAGES, _PREVIEW, _DNG_VERSION = 254, 255, 330, 513, 50706
_REDUCED_OR_MASK = 0b101  # bits of _SUBFILE
_WHITE_IS_ZERO, _YCBCR = 0, 6  # photometric interpretations
_SEPARATE = 2  # planar configuration
_UNSIGNED, _SIGNED = 1, 2  # sample formats
_PREMULTIPLIED = 1  # extra samples
_IN_PLANES = ("L", "RGB", "RGBA", "CMYK")  # modes
# What libtiff unpacks is in the byte order of the machine; Pillow knows that for some kinds only.
_NATIVE = {"F;32BF": "F;32NF", "I;32BS": "I;32NS"}


def turn_to_photo(image: TiffImageFile) -> None:
    """Go to the first page that is neither a thumbnail nor a mask; raises InvalidImage for a file without one.

    A page of the same shape as a later one, and at most half as wide, is a thumbnail, too. The photo of a DNG is what
    the sensor saw, which takes more than a decoder to look right.
    """
    if _DNG_VERSION in image.tag_v2:
        raise unsupported("TIFF (DNG, a camera's raw)")
    photo, width, height = None, 0, 0
    for page in range(MOST_PAGES):
        try:
            image.seek(page)
        except EOFError:
            break
        except SyntaxError:  # a kind of page that Pillow does not know
            continue
        except Exception:  # Pillow raises many kinds on broken files
            if photo is None:
                raise
            break
        if image.tag_v2.get(_SUBFILE, 0) & _REDUCED_OR_MASK or image.tag_v2.get(_OLD_SUBFILE) == 2:
            continue
        scale = image.width / width if width else 0
        if photo is None or (scale >= 2 and abs(image.height - scale * height) <= scale):
            photo, (width, height) = page, image.size
    if photo is None:
        raise unsupported("TIFF (with a thumbnail as its first page)")
    image.seek(photo)


def prepare(image: TiffImageFile) -> None:
    """Let Pillow load the right pixels of the current page, or raise InvalidImage where it cannot."""
    tags = image.tag_v2
    bits, compression = tags.get(TiffImagePlugin.BITSPERSAMPLE, (1,)), image.info.get("compression")
    several = max(len(bits), tags.get(TiffImagePlugin.SAMPLESPERPIXEL, 1)) > 1
    separate = tags.get(TiffImagePlugin.PLANAR_CONFIGURATION) == _SEPARATE
    premultiplied = _PREMULTIPLIED in tags.get(TiffImagePlugin.EXTRASAMPLES, ())
    if (
        (separate and several and image.mode not in _IN_PLANES)
        or (separate and compression == "raw" and (set(bits) != {8} or premultiplied or is_inverted(image)))
        or (compression == "raw" and _photometric(image) == _YCBCR and several)
        or (_SIGNED in tags.get(TiffImagePlugin.SAMPLEFORMAT, ()) and bits[0] < 32)
        or compression == "webp"  # which Pillow's libtiff lacks
    ):
        raise unsupported("TIFF")
    if image.tile and compression != "raw":
        tile = image.tile[0]
        mode, *others = tile.args
        image.tile[0] = tile._replace(args=(_NATIVE.get(mode, mode), *others))
    colours = tags.get(TiffImagePlugin.COLORMAP, ())
    if image.tile and image.mode in ("P", "PA") and max(colours) < 256:  # 8 bits in the place of 16, as old programs do
        image.palette = ImagePalette.raw("RGB;L", bytes(colours))


def is_inverted(image: Image.Image) -> bool:
    """Whether 0 means white in an image of more than 8 bits, which Pillow inverts for fewer bits only."""
    return isinstance(image, TiffImageFile) and _photometric(image) == _WHITE_IS_ZERO


def is_unsigned(image: Image.Image) -> bool:
    """Whether numbers of 32 bits in an image have no sign, which Pillow gives them."""
    return isinstance(image, TiffImageFile) and image.tag_v2.get(TiffImagePlugin.SAMPLEFORMAT, (1,))[0] == _UNSIGNED


def bits_of(image: Image.Image) -> int:
    """Bits of a sample in an image of mode I;16."""
    return image.tag_v2.get(TiffImagePlugin.BITSPERSAMPLE, (16,))[0] if isinstance(image, TiffImageFile) else 16


def is_whole(data: bytes) -> bool:
    """Whether the directory of a TIFF's first page can be read, and names a size and where the pixels are.

    In the raw files of some cameras, it only names a preview or further pages.
    """
    if data.startswith(b"MM\0+"):  # a BigTIFF, which Pillow reads in the other byte order only
        return True
    try:
        stream = io.BytesIO(data)
        tags = TiffImagePlugin.ImageFileDirectory_v2(stream.read(16 if data[2:4] in (b"+\0", b"\0+") else 8))
        stream.seek(tags.next)
        tags.load(stream)
        if _PREVIEW in tags or _SUB_PAGES in tags:
            return True
        places = tags.get(TiffImagePlugin.STRIPOFFSETS) or tags.get(TiffImagePlugin.TILEOFFSETS)
        size = tags[TiffImagePlugin.IMAGEWIDTH], tags[TiffImagePlugin.IMAGELENGTH]
        return min(size) > 0 and max(places) < len(data)
    except Exception:  # Pillow raises many kinds on broken files
        return False


def _photometric(image: TiffImageFile) -> int:
    return image.tag_v2.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION, _WHITE_IS_ZERO)
