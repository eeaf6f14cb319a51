"""Photo bytes -> upright RGB image. Training, evaluation and serving all call these functions."""

from __future__ import annotations

import functools
import io
import re

import numpy as np
from PIL import ExifTags, Image

from catdog.errors import CatDogError, ImageTooLarge, InvalidImage, OutOfMemory
from catdog.photo.jpeg_scans import has_too_many_scans
from catdog.settings import MAX_PIXELS

# A photo is reduced when both sides are at least this many times `min_side`. Reducing smaller ones saves little time,
# and a reduced photo may have to be read twice.
LARGE = 2.5
# The only formats that are opened. Pillow would also open PDF, PostScript and other containers, with readers that start
# programs or follow references. JPEG includes MPO.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF")
# File names of these formats.
EXTENSIONS = (
    ".jpg", ".jpeg", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".heic", ".heif", ".avif",
)  # fmt: skip
_ACCEPTED = "JPEG, PNG, WebP, GIF, BMP, TIFF, HEIC or AVIF"
_TOO_LARGE_FOR_PILLOW = (Image.DecompressionBombError, Image.DecompressionBombWarning)

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# First bytes of files, for error messages only: Pillow decides which photos are accepted.
PHOTOS = {
    "JPEG": rb"\xff\xd8\xff",
    "PNG": rb"\x89PNG",
    "WebP": rb"RIFF....WEBP",
    "GIF": rb"GIF8",
    "BMP": rb"BM",
    "TIFF": rb"II[*+]\0|MM\0[*+]",
    "AVIF": rb"....ftypavi[fs]",
    "HEIC": rb"....ftyp(he[iv]|mif1|msf1)",
}
NOT_PHOTOS = {
    "a PDF document": rb"%PDF",
    "a web page": rb"(?i)\s*<(!doctype html|html)",
    "an SVG drawing": rb"(\xef\xbb\xbf)?\s*<(svg\b|[?!].*<svg\b)",
    "an XML document": rb"(\xef\xbb\xbf)?\s*<\?xml",
    "a camera's raw file": rb"....ftypcrx",
    "an MP4 or QuickTime video": rb"....(ftyp|moov|mdat|wide)",
    "a WebM or Matroska video": rb"\x1aE\xdf\xa3",
    "an AVI video": rb"RIFF....AVI ",
    "a WAV sound": rb"RIFF....WAVE",
    "a ZIP archive or an office document": rb"PK\x03\x04",
    "a gzip archive": rb"\x1f\x8b",
    "an HDF5 file": rb"\x89HDF",
    "a Photoshop document": rb"8BPS",
    "a JPEG XL image": rb"\xff\x0a|\0\0\0\x0cJXL ",
    "a JPEG 2000 image": rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51",
    "a text": rb"[\t\n\r -~]+\Z",
}


def decode(data: bytes, *, max_pixels: int = MAX_PIXELS, min_side: int | None = None) -> Image.Image:
    """Decode an encoded photo to an upright RGB image.

    1. Refuse an empty file, a format not in FORMATS, more than `max_pixels` pixels (read from the header, before any
       pixel is decoded), and a JPEG that would keep its decoder busy for minutes.
    2. Decode the first frame, completely or not at all.
    3. Turn it upright and convert it to RGB, as `to_rgb` says.

    With `min_side`, a large photo is reduced to a half, a quarter, an eighth, ... of its size, as long as both sides
    keep at least that many pixels: decoding a JPEG and resizing are then much faster. A photo with a side of less than
    LARGE times `min_side` keeps its size.

    Raises InvalidImage, ImageTooLarge, or OutOfMemory.
    """
    if not data:
        raise InvalidImage(f"The file is empty: 0 bytes were received. Send {_ACCEPTED}.")
    if has_too_many_scans(data):
        raise InvalidImage("The JPEG file has more scans than any photo needs. Save it again, and send that file.")
    _register_heif()
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            _check_size(image, max_pixels)
            min_side = _only_if_large(image, min_side)
            if min_side:
                image.draft(None, (min_side, min_side))
            return _converted(image, min_side, may_share=True)
    except CatDogError:
        raise
    except MemoryError as error:
        raise _out_of_memory() from error
    except _TOO_LARGE_FOR_PILLOW as error:
        limit = 2 * (Image.MAX_IMAGE_PIXELS or 0)
        raise _too_large(f"more than {limit / 1e6:.0f} megapixels", max_pixels) from error
    except Image.UnidentifiedImageError as error:
        raise _unidentified(data) from error
    except Exception as error:  # Pillow's plugins raise many kinds on broken files
        raise _damaged(_first_match(PHOTOS, data), _reason(error)) from error


def from_pillow(image: Image.Image, *, max_pixels: int = MAX_PIXELS, min_side: int | None = None) -> Image.Image:
    """Turn an image that Pillow opened or made, loaded or not, into an upright RGB image.

    `min_side` and errors as in `decode`.
    """
    _check_size(image, max_pixels)
    return _converted(image, _only_if_large(image, min_side))


def pixels_of(data: bytes) -> int:
    """Width times height of an encoded photo that `decode` accepts, from its header."""
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        return image.width * image.height


def to_rgb(image: Image.Image, *, may_share: bool = False) -> Image.Image:
    """Turn an opened Pillow image upright and convert it to mode RGB, without metadata.

    1. Apply the EXIF orientation, where it can be read.
    2. Convert grey of more than 8 bits: integers 0..65535 keep their upper 8 bits; floats are read as 0..1 when none
       is above 1, and as 0..255 otherwise.
    3. Put transparent pixels on white.

    Colours stay in the photo's own colour space: an ICC profile is not applied. With `may_share`, the result may use
    the memory of `image`.
    """
    image.load()
    image = _upright(image)
    if image.mode == "F" or image.mode.startswith("I"):
        image = _to_8_bit_grey(image)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    # `_new`, which is private to Pillow, avoids a copy that would add a third to the time of decoding.
    rgb = image._new(image.im) if may_share and image.mode == "RGB" else image.convert("RGB")
    rgb.info.clear()  # or an upright photo would be turned again by its EXIF orientation
    return rgb


def _converted(image: Image.Image, min_side: int | None, *, may_share: bool = False) -> Image.Image:
    """As `to_rgb`, then reduced to `min_side` pixels or more a side."""
    try:
        image = to_rgb(image, may_share=may_share)
        return _reduced(image, min_side) if min_side else image
    except MemoryError as error:
        raise _out_of_memory() from error
    except Exception as error:
        raise _damaged(image.format, _reason(error)) from error


def _reduced(image: Image.Image, min_side: int) -> Image.Image:
    """Replace every 2 x 2, 4 x 4, 8 x 8, ... pixels by their mean, while both sides keep `min_side`."""
    factor = max(1, min(image.size) // min_side)
    return image.reduce(1 << factor.bit_length() - 1) if factor > 1 else image


def _only_if_large(image: Image.Image, min_side: int | None) -> int | None:
    return min_side if min_side and min(image.size) >= LARGE * min_side else None


def _check_size(image: Image.Image, max_pixels: int) -> None:
    width, height = image.size
    if width < 1 or height < 1:
        raise InvalidImage(f"The photo has no pixels: its size is {width} x {height}.")
    if width * height > max_pixels:
        raise _too_large(f"{width} x {height}", max_pixels)


def _upright(image: Image.Image) -> Image.Image:
    # Not ImageOps.exif_transpose, which also rewrites the metadata and fails when these are broken.
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # a photo with broken metadata is still a photo
        return image
    turn = _TURNS.get(orientation)
    return image if turn is None else image.transpose(turn)


def _to_8_bit_grey(image: Image.Image) -> Image.Image:
    values = np.asarray(image)
    if image.mode == "F":
        values = np.nan_to_num(values)
        values = np.rint(np.clip(values * (255 if values.max() <= 1 else 1), 0, 255))
    else:  # Pillow's `convert` would clip everything above 255
        transparent = values == image.info.get("transparency")  # a PNG may name one shade of grey
        values = np.where(transparent, 255, np.clip(values, 0, 65535) >> 8)
    return Image.fromarray(values.astype(np.uint8))


def _too_large(received: str, max_pixels: int) -> ImageTooLarge:
    return ImageTooLarge(
        f"The photo has too many pixels: {received}; at most {max_pixels / 1e6:g} megapixels are accepted. "
        "Send a smaller copy."
    )


def _out_of_memory() -> OutOfMemory:
    return OutOfMemory("There is too little memory for this photo now. Try again shortly, or send a smaller copy.")


def _reason(error: Exception) -> str:
    return str(error).strip() if error.args else type(error).__name__


def _damaged(kind: str | None, reason: str) -> InvalidImage:
    return InvalidImage(f"The {kind or 'image'} file is damaged or incomplete and cannot be decoded: {reason}.")


def _unidentified(data: bytes) -> InvalidImage:
    photo = _first_match(PHOTOS, data)
    if photo:
        return _damaged(photo, "its header cannot be read")
    kind = _first_match(NOT_PHOTOS, data)
    if kind:
        return InvalidImage(f"The file is not a photo but {kind}. Send {_ACCEPTED}.")
    return InvalidImage(f"The file is not a photo of a known kind. Send {_ACCEPTED}.")


def _first_match(kinds: dict[str, bytes], data: bytes) -> str | None:
    head = bytes(data[:1024])
    return next((kind for kind, pattern in kinds.items() if re.match(pattern, head, re.DOTALL)), None)


@functools.cache
def _register_heif() -> None:
    """Let Pillow read HEIC. The cache lets only the first call do it."""
    from pillow_heif import register_heif_opener

    register_heif_opener()
