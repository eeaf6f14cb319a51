"""Bytes to RGB image, RGB image to model input: the only code that touches pixels.

Training, evaluation and every serving surface call these functions, so that a model is never
asked about pixels that were prepared in another way than those it learned from.
"""

from __future__ import annotations

import functools
import io
import re

import numpy as np
from PIL import ExifTags, Image, ImageOps

from catdog.errors import CatDogError, ImageTooLarge, InvalidImage, OutOfMemory
from catdog.models.spec import SCALINGS, ModelSpec
from catdog.photo.jpeg_scans import is_endless
from catdog.settings import MAX_PIXELS

# A photo is reduced when its sides are at least so many times what is enough. Less saves little, and what is said of a
# reduced photo may have to be asked again.
LARGE = 2.5
# Formats that photos come in. Pillow would also open PDF, PostScript and other containers through
# readers that start programs or follow references: those stay shut. JPEG includes MPO.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF")
# How the names of such files end.
EXTENSIONS = (
    ".jpg", ".jpeg", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".heic", ".heif", ".avif",
)  # fmt: skip
_ACCEPTED = "JPEG, PNG, WebP, GIF, BMP, TIFF, HEIC or AVIF"
_TOO_MANY_PIXELS_FOR_PILLOW = (Image.DecompressionBombError, Image.DecompressionBombWarning)

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# How files begin, for messages only: which photos are accepted is Pillow's decision.
_PHOTOS = {
    "JPEG": rb"\xff\xd8\xff",
    "PNG": rb"\x89PNG",
    "WebP": rb"RIFF....WEBP",
    "GIF": rb"GIF8",
    "BMP": rb"BM",
    "TIFF": rb"II[*+]\0|MM\0[*+]",
    "AVIF": rb"....ftypavi[fs]",
    "HEIC": rb"....ftyp(he[iv]|mif1|msf1)",
}
_NOT_PHOTOS = {
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


def decode(data: bytes, *, max_pixels: int = MAX_PIXELS, enough: int | None = None) -> Image.Image:
    """Decode an encoded photo to an upright RGB image.

    With `enough`, a photo comes out at a half, a quarter, an eighth, ... of its size, as long as both
    sides keep at least so many pixels: the decoder of JPEG skips what nobody will look at, and a smaller
    image is resized faster. A photo with a side of less than LARGE times as many pixels is not touched.

    1. Refuse what is empty, not one of FORMATS, of more than `max_pixels` pixels (read from the header,
       before any pixel is decoded), or a JPEG that would keep its decoder busy for minutes.
    2. Decode the first frame, completely or not at all.
    3. Turn it upright and convert it to RGB, as `to_rgb` says.

    Raises InvalidImage, ImageTooLarge, or OutOfMemory.
    """
    if not data:
        raise InvalidImage(f"The file is empty: 0 bytes were received. Send {_ACCEPTED}.")
    if is_endless(data):
        raise InvalidImage("The JPEG file has more scans than any photo needs. Save it anew, and send that file.")
    _register_heif()
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            _require_size(image, max_pixels)
            enough = _unless_small(image, enough)
            if enough:
                image.draft(None, (enough, enough))
            return _prepared(image, enough, ours=True)
    except CatDogError:
        raise
    except MemoryError as error:
        raise _out_of_memory() from error
    except _TOO_MANY_PIXELS_FOR_PILLOW as error:
        limit = 2 * (Image.MAX_IMAGE_PIXELS or 0)
        raise _too_large(f"more than {limit / 1e6:.0f} megapixels", max_pixels) from error
    except Image.UnidentifiedImageError as error:
        raise _unidentified(data) from error
    except Exception as error:  # Pillow's plugins raise many kinds on broken files
        raise _damaged(_first_match(_PHOTOS, data), _reason(error)) from error


def from_pillow(image: Image.Image, *, max_pixels: int = MAX_PIXELS, enough: int | None = None) -> Image.Image:
    """Turn an image that Pillow opened or made, loaded or not, into an upright RGB image.

    `enough` and errors as in `decode`.
    """
    _require_size(image, max_pixels)
    return _prepared(image, _unless_small(image, enough))


def _prepared(image: Image.Image, enough: int | None, *, ours: bool = False) -> Image.Image:
    """As `from_pillow`, of an image of any size; `ours` as in `to_rgb`."""
    try:
        image = to_rgb(image, ours=ours)
        return _reduced(image, enough) if enough else image
    except MemoryError as error:
        raise _out_of_memory() from error
    except Exception as error:
        raise _damaged(image.format, _reason(error)) from error


def pixels_of(data: bytes) -> int:
    """Width times height of an encoded photo that `decode` accepts, from its header."""
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        return image.width * image.height


def to_rgb(image: Image.Image, *, ours: bool = False) -> Image.Image:
    """Turn an opened Pillow image upright and convert it to mode RGB; of one that is `ours`, perhaps without a copy.

    1. Apply the EXIF orientation, where it can be read.
    2. Bring grey of more than 8 bits to 8: integers 0..65535 keep their upper 8 bits; floats are
       taken as 0..1 when none is above 1, and as 0..255 otherwise.
    3. Lay transparency on white.

    Colours stay in the photo's own colour space: an ICC profile is not applied. Metadata are left
    out: what is upright must not be turned once more by who reads its orientation.
    """
    image.load()
    image = _upright(image)
    if image.mode == "F" or image.mode.startswith("I"):
        image = _to_8_bit_grey(image)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return _bare(image, ours)


def to_array(image: Image.Image, spec: ModelSpec) -> np.ndarray:
    """Resize an RGB image (antialiased, bilinear) and scale it as the spec says.

    Returns float32 of shape (image_size, image_size, 3): 0..255 with scaling `none`, 0..1 with
    `unit`, -1..1 with `symmetric`.
    """
    return scaled(to_pixels(image, spec), spec.scaling)


def to_pixels(image: Image.Image, spec: ModelSpec) -> np.ndarray:
    """The first half of `to_array`, which takes a quarter of its memory: uint8 of the same shape, for `scaled`."""
    return np.asarray(resized(image, spec.image_size, spec.resize))


def resized(image: Image.Image, size: int, resize: str) -> Image.Image:
    """Resize to (size, size) pixels: `stretch`, or `crop` to the centred square."""
    if resize == "crop":
        return ImageOps.fit(image, (size, size), Image.Resampling.BILINEAR)
    return image.resize((size, size), Image.Resampling.BILINEAR)


def scaled(pixels: np.ndarray, scaling: str) -> np.ndarray:
    """Scale pixels 0..255, uint8 of any shape, to float32 as `to_array` says."""
    array = pixels.astype(np.float32)
    if scaling == "none":
        return array
    factor, offset = SCALINGS[scaling]
    array *= np.float32(factor)
    array += np.float32(offset)
    return array


def _reduced(image: Image.Image, enough: int) -> Image.Image:
    """Every 2 x 2, 4 x 4, 8 x 8, ... pixels become their mean, while both sides keep `enough`."""
    possible = max(1, min(image.size) // enough)
    return image.reduce(1 << possible.bit_length() - 1) if possible > 1 else image


def _unless_small(image: Image.Image, enough: int | None) -> int | None:
    """What is enough of a photo, or None for one that is to stay as it is."""
    return enough if enough and min(image.size) >= LARGE * enough else None


def _require_size(image: Image.Image, max_pixels: int) -> None:
    width, height = image.size
    if width < 1 or height < 1:
        raise InvalidImage(f"The photo has no pixels: its size is {width} x {height}.")
    if width * height > max_pixels:
        raise _too_large(f"{width} x {height}", max_pixels)


def _upright(image: Image.Image) -> Image.Image:
    # Not ImageOps.exif_transpose: it also rewrites the metadata, which fails when they are broken,
    # and then the photo would stay on its side.
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # many kinds; a photo with broken metadata is still a photo
        return image
    turn = _TURNS.get(orientation)
    return image if turn is None else image.transpose(turn)


def _bare(image: Image.Image, ours: bool) -> Image.Image:
    """An image in mode RGB with nothing but pixels, which it shares with one that is `ours`."""
    # `_new` is Pillow's own and not documented; a copy, in memory that is new each time, adds a third to decoding.
    bare = image._new(image.im) if ours and image.mode == "RGB" else image.convert("RGB")
    bare.info.clear()
    return bare


def _to_8_bit_grey(image: Image.Image) -> Image.Image:
    values = np.asarray(image)
    if image.mode == "F":
        values = np.nan_to_num(values)
        values = np.rint(np.clip(values * (255 if values.max() <= 1 else 1), 0, 255))
    else:  # `convert` would clip everything above 255
        transparent = values == image.info.get("transparency")  # one grey, in PNG
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
    photo = _first_match(_PHOTOS, data)
    if photo:
        return _damaged(photo, "its header cannot be read")
    kind = _first_match(_NOT_PHOTOS, data)
    if kind:
        return InvalidImage(f"The file is not a photo but {kind}. Send {_ACCEPTED}.")
    return InvalidImage(f"The file is not a photo of a known kind. Send {_ACCEPTED}.")


def _first_match(kinds: dict[str, bytes], data: bytes) -> str | None:
    head = bytes(data[:1024])
    return next((kind for kind, pattern in kinds.items() if re.match(pattern, head, re.DOTALL)), None)


@functools.cache
def _register_heif() -> None:
    """Let Pillow read HEIC; the cache makes every call but the first free."""
    from pillow_heif import register_heif_opener

    register_heif_opener()
