"""Photo bytes -> upright RGB image. Training, evaluation and serving all call these functions."""

from __future__ import annotations

import contextlib
import functools
import io
import re
import struct
from collections.abc import Callable, Iterator

import numpy as np
from PIL import ExifTags, Image
from PIL.BmpImagePlugin import BmpImageFile
from PIL.TiffImagePlugin import TiffImageFile

from catdog.errors import CatDogError, ImageTooLarge, InvalidImage, OutOfMemory
from catdog.photo import bmp, coded_colour, tiff, unreadable
from catdog.photo.colour import in_srgb
from catdog.photo.jpeg_end import completed
from catdog.photo.jpeg_scans import essential_segments, has_too_many_scans, is_of_unknown_kind
from catdog.photo.png_chunks import essential_chunks, has_all_rows
from catdog.settings import MAX_PIXELS

# A photo is reduced when both sides are at least this many times `min_side`. Reducing smaller ones saves little time,
# and a reduced photo may have to be read twice.
LARGE = 2.5
# Pixels of the longest accepted side, as of a JPEG. Pillow takes memory for each row and, to resize, for each column: a
# photo of a single row or column would take far more than a square one of as many pixels.
LONGEST_SIDE = 65_535
# The only formats that are opened. Pillow would also open PDF, PostScript and other containers, with readers that start
# programs or follow references. JPEG includes MPO.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF")
# File names of these formats.
EXTENSIONS = (
    ".jpg", ".jpeg", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".heic", ".heif", ".avif",
)  # fmt: skip

_DEEP = ("I", "F")  # modes of more than 8 bits: I, I;16, I;16B, F
_GREY = ("1", "L", "LA")
# What white may be in 32 bits, by the kind of a numpy array, each with how bright the brightest pixel must be at least:
# a photo without any pixel above a quarter may mean another white.
_WHITES = {"f": ((0, 1), (64, 255))} | dict.fromkeys("iu", ((0, 255), (0x4000, 0xFFFF)))

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# Pillow also turns photos by an orientation in these, and browsers do not.
_NOT_EXIF = ("xmp", "XML:com.adobe.xmp", "Raw profile type exif")
# What decoders of several formats say when they know a file is valid.
_UNSUPPORTED = re.compile("(?i)unsupported|not (yet )?supported|no codec")
# An item of a HEIF file in VVC, EVC, AVC, JPEG, JPEG 2000 or no compression (ISO/IEC 23008-12).
_OTHER_CODEC = re.compile(rb"infe.{8,10}(vvc1|evc1|avc1|jpeg|j2k1|unci)", re.DOTALL)
_COLOUR_NUMBERS = re.compile(rb"colrnclx(....)", re.DOTALL)  # what a HEIF file has beside a profile, or alone
_HEAD = 2**16  # bytes in which these are looked for


def decode(data: bytes, *, max_pixels: int = MAX_PIXELS, min_side: int | None = None) -> Image.Image:
    """Decode an encoded photo to an upright RGB image.

    1. Refuse an empty file, a format not in FORMATS, more than `max_pixels` pixels or LONGEST_SIDE in a side (read from
       the header, before any pixel is decoded), and a JPEG of a kind that is not decoded here, or that would take
       minutes.
    2. Decode the first frame, or in a TIFF the first page that is no thumbnail: completely or not at all. Only a JPEG
       may lack its end, as `completed` says. Chunks of a PNG and segments of a JPEG that may be skipped never matter.
    3. Turn it upright and convert it to RGB, as `to_rgb` says.

    With `min_side`, a large photo is reduced to a half, a quarter, an eighth, ... of its size, as long as both sides
    keep at least that many pixels: decoding a JPEG and resizing are then much faster. A photo with a side of less than
    LARGE times `min_side` keeps its size.

    Raises InvalidImage, ImageTooLarge, or OutOfMemory.
    """
    if not data:
        raise InvalidImage(f"The file is empty: 0 bytes were received. Send {unreadable.ACCEPTED}.")
    if has_too_many_scans(data):
        raise InvalidImage("The JPEG file has more scans than any photo needs. Save it again, and send that file.")
    if is_of_unknown_kind(data):  # libjpeg, asked for a lossless one in a smaller size, writes beyond its memory
        raise unreadable.unsupported("JPEG")
    try:
        return _decoded(data, max_pixels, min_side)
    except InvalidImage:
        whole = completed(data)
        if whole is None:
            raise
        return _decoded(whole, max_pixels, min_side)


def from_pillow(image: Image.Image, *, max_pixels: int = MAX_PIXELS, min_side: int | None = None) -> Image.Image:
    """Turn an image that Pillow opened or made, loaded or not, into an upright RGB image.

    `min_side` and errors as in `decode`.
    """
    _check_size(image, max_pixels)
    with _errors_of_pillow(lambda error: _failed(image.format, error)):
        return to_rgb(image, min_side=_only_if_large(image, min_side))


def pixels_of(data: bytes) -> int:
    """Width times height of an encoded photo that `decode` accepts, from its header."""
    with _opened(data) as image:
        return image.width * image.height


def to_rgb(image: Image.Image, *, min_side: int | None = None, may_share: bool = False) -> Image.Image:
    """Turn an opened Pillow image upright and convert it to mode RGB in the colour space sRGB, without metadata.

    1. Apply the EXIF orientation, where it can be read. One that only XMP has is ignored, as browsers do.
    2. Convert grey of more than 8 bits. Of up to 16 bits, the upper 8 are kept. Integers of 32 bits are read as 0..255
       when none is above 255, and else as 0..65535; floats as 0..1 when none is above 1, and else as 0..255, without
       those that are no numbers. What does not fit is refused, as nobody can tell what is white.
    3. With `min_side`, replace every 2 x 2, 4 x 4, 8 x 8, ... pixels by their mean, while both sides keep that many.
    4. Apply the ICC profile, as `in_srgb` says.
    5. Put transparent pixels on white.

    With `may_share`, the result may use the memory of `image`. Raises InvalidImage, and what Pillow raises.
    """
    if isinstance(image, TiffImageFile):
        tiff.prepare(image)
    elif isinstance(image, BmpImageFile):
        image = bmp.prepared(image)
    elif image.format == "GIF":
        image = _on_whole_screen(image)
    profile = image.info.get("icc_profile")
    image = _upright(image)
    deep = image.mode.startswith(_DEEP)
    grey = deep or image.mode in _GREY
    if deep:
        image = _to_8_bit_grey(image)
    if image.has_transparency_data:
        image = image.convert("RGBA")
    elif image.mode not in ("RGB", "L", "CMYK"):
        image = image.convert("L" if grey else "RGB")
    if min_side and (factor := min(image.size) // min_side) > 1:
        image = image.reduce(1 << factor.bit_length() - 1)
    image = in_srgb(image, profile, grey=grey)
    if image.mode == "RGBA":
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    # `_new`, which is private to Pillow, avoids a copy that would add a third to the time of decoding.
    rgb = image._new(image.im) if may_share and image.mode == "RGB" else image.convert("RGB")
    rgb.info.clear()  # or an upright photo would be turned again by its EXIF orientation
    return rgb


def _decoded(data: bytes, max_pixels: int, min_side: int | None) -> Image.Image:
    """As `decode`, for a file that is as it should be or is refused."""
    with _errors_of_pillow(lambda error: _refusal(data, error, max_pixels)), _opened(data) as image:
        _check_size(image, max_pixels)
        min_side = _only_if_large(image, min_side)
        if image.format == "PNG" and _ends_black(image) and not has_all_rows(data):
            raise unreadable.damaged("PNG")
        if min_side:
            image.draft(None, (min_side, min_side))
        return to_rgb(image, min_side=min_side, may_share=True)


@contextlib.contextmanager
def _errors_of_pillow(refusal: Callable[[Exception], CatDogError]) -> Iterator[None]:
    """Raise OutOfMemory, or what `refusal` makes of any other error that is none of ours."""
    try:
        yield
    except CatDogError:
        raise
    except MemoryError as error:
        message = "There is too little memory for this photo now. Try again shortly, or send a smaller copy."
        raise OutOfMemory(message) from error
    except Exception as error:  # its plugins raise many kinds on broken files
        raise refusal(error) from error


def _opened(data: bytes) -> Image.Image:
    _register_heif()
    image = Image.open(io.BytesIO(essential_chunks(essential_segments(data))), formats=FORMATS)
    if isinstance(image, TiffImageFile):
        tiff.turn_to_photo(image)
    elif image.format in ("AVIF", "HEIF") and not image.info.get("icc_profile"):
        numbers = _COLOUR_NUMBERS.search(data, 0, _HEAD)
        image.info["icc_profile"] = coded_colour.of_numbers(*struct.unpack(">HH", numbers[1])) if numbers else None
    return image


def _ends_black(image: Image.Image) -> bool:
    """Whether one of the last two rows is 0, as missing rows are; of an interlaced PNG, it may be either."""
    image.load()
    rows = range(max(image.height - 2, 0), image.height)
    return not all(image.crop((0, row, image.width, row + 1)).getbbox(alpha_only=False) for row in rows)


def _only_if_large(image: Image.Image, min_side: int | None) -> int | None:
    return min_side if min_side and min(image.size) >= LARGE * min_side else None


def _check_size(image: Image.Image, max_pixels: int) -> None:
    width, height = image.size
    if width < 1 or height < 1:
        raise InvalidImage(f"The photo has no pixels: its size is {width} x {height}.")
    if width * height > max_pixels:
        raise _too_large(f"{width} x {height}", max_pixels)
    if max(width, height) > LONGEST_SIDE:
        raise ImageTooLarge(
            f"The photo is too long: {width} x {height} pixels; sides of at most {LONGEST_SIDE} are accepted. "
            "Send a smaller copy."
        )


def _upright(image: Image.Image) -> Image.Image:
    """Load and turn an image by its EXIF orientation, not that of XMP."""
    hidden = {key: image.info.pop(key) for key in _NOT_EXIF if key in image.info}
    try:
        image.load()  # here a TIFF turns itself
        # Not ImageOps.exif_transpose, which also rewrites the metadata and fails when these are broken.
        turn = _TURNS.get(_orientation(image))
    finally:
        image.info.update(hidden)
    return image if turn is None else image.transpose(turn)


def _on_whole_screen(image: Image.Image) -> Image.Image:
    """A GIF; where its first frame is smaller than its screen, the rest is transparent, as in browsers."""
    box = image.tile[0].extents if image.tile and not image.tell() else None
    if box in (None, (0, 0, *image.size)):
        return image
    screen = Image.new("RGBA", image.size)
    screen.paste(image.convert("RGBA").crop(box), box)
    return screen


def _orientation(image: Image.Image) -> object:
    try:
        exif = image.getexif()
        if "exif" in image.info:  # read anew: opening a JPEG may have taken the orientation from XMP
            exif = Image.Exif()
            exif.load(image.info["exif"])
        return exif.get(ExifTags.Base.Orientation)
    except Exception:  # a photo with broken metadata is still a photo
        return None


def _to_8_bit_grey(image: Image.Image) -> Image.Image:
    values = np.asarray(image)
    if image.mode == "I" and tiff.is_unsigned(image):
        values = values.view(np.uint32)
    if image.mode.startswith("I;16"):
        grey = values >> tiff.bits_of(image) - 8
    else:
        white = _white(values)
        grey = np.rint(np.clip(np.nan_to_num(values), 0, white) * (255 / white))
    if tiff.is_inverted(image):
        grey = 255 - grey
    if "transparency" in image.info:  # a PNG may name one shade of grey
        grey = np.where(values == image.info["transparency"], 255, grey)
    return Image.fromarray(grey.astype(np.uint8))


def _white(values: np.ndarray) -> int:
    """What is white in shades of grey of 32 bits; raises InvalidImage where nobody can tell."""
    finite = values[np.isfinite(values)]
    low, high = (finite.min(), finite.max()) if finite.size else (0, 0)
    for least, white in _WHITES[values.dtype.kind]:
        if low >= 0 and least <= high <= white:
            return white
    raise InvalidImage(
        f"The shades of grey in the photo are numbers from {low:g} to {high:g}, and nothing says which is white. "
        "Save it with 8 bits per pixel, and send that."
    )


def _too_large(received: str, max_pixels: int) -> ImageTooLarge:
    return ImageTooLarge(
        f"The photo has too many pixels: {received}; at most {max_pixels / 1e6:g} megapixels are accepted. "
        "Send a smaller copy."
    )


def _refusal(data: bytes, error: Exception, max_pixels: int) -> CatDogError:
    """The error for a file that Pillow could not open."""
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return _too_large(f"more than {2 * (Image.MAX_IMAGE_PIXELS or 0) / 1e6:.0f} megapixels", max_pixels)
    kind = unreadable.photo_kind(data)
    if not kind:
        return unreadable.unknown(data)
    if (kind == "TIFF" and isinstance(error, Image.UnidentifiedImageError) and tiff.is_whole(data)) or (
        kind in ("HEIC", "AVIF") and _OTHER_CODEC.search(data, 0, _HEAD)
    ):
        return unreadable.unsupported(kind)
    return _failed(kind, error)


def _failed(kind: str | None, error: Exception) -> InvalidImage:
    return unreadable.unsupported(kind) if kind and _UNSUPPORTED.search(str(error)) else unreadable.damaged(kind)


@functools.cache
def _register_heif() -> None:
    """Let Pillow read HEIC. The cache lets only the first call do it."""
    from pillow_heif import register_heif_opener

    register_heif_opener()
