"""Bytes to RGB image, RGB image to model input: the only code that touches pixels.

Training, evaluation and every serving surface call these two functions, so that a model is never
asked about pixels that were prepared in another way than those it learned from.
"""

from __future__ import annotations

import io
import warnings

import numpy as np
from PIL import Image, ImageOps

from .errors import ImageTooLarge, InvalidImage
from .spec import SCALINGS, ModelSpec

MAX_PIXELS = 50_000_000
# Formats that photos come in. Pillow would also open PDF, PostScript and other containers through
# readers that start programs or follow references: those stay shut.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "MPO", "HEIF", "AVIF", "PPM")
_NOT_A_PHOTO = {
    b"%PDF": "a PDF document",
    b"<svg": "an SVG drawing",
    b"<?xm": "an XML or SVG document",
    b"\x1aE\xdf\xa3": "a video",
    b"RIFF": "an AVI video or a sound",
    b"PK\x03\x04": "a ZIP archive",
}


def decode(data: bytes, *, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Decode an encoded photo to an upright RGB image.

    1. Refuse what is empty, not one of FORMATS, or of more than `max_pixels` pixels (read from
       the header, before any pixel is decoded).
    2. Decode the first frame.
    3. Apply the EXIF orientation.
    4. Convert to RGB: 16-bit grey keeps its upper 8 bits, alpha is laid on white.

    Raises InvalidImage or ImageTooLarge.
    """
    if not data:
        raise InvalidImage("The file is empty. Send a photo as JPEG, PNG, WebP, GIF, BMP, TIFF or HEIC.")
    _register_heif()
    try:
        with warnings.catch_warnings():
            # The limit below is the caller's; Pillow's own would only warn or use another number.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                _check_size(image.size, max_pixels)
                image.load()
                return to_rgb(image)
    except Image.DecompressionBombError as error:
        raise _too_many_pixels(str(error), max_pixels) from error
    except InvalidImage:
        raise
    except ImageTooLarge:
        raise
    except Image.UnidentifiedImageError as error:
        raise InvalidImage(
            f"The file is {_kind(data)}, not a photo. Send JPEG, PNG, WebP, GIF, BMP, TIFF or HEIC."
        ) from error
    except Exception as error:  # Pillow's plugins raise many kinds on broken files
        raise InvalidImage(f"The photo is damaged or incomplete and cannot be decoded ({error}).") from error


def to_rgb(image: Image.Image) -> Image.Image:
    """Turn an opened Pillow image upright and convert it to mode RGB, alpha on white."""
    image = ImageOps.exif_transpose(image)
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        image = _to_8_bit_grey(image)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return image.convert("RGB")


def to_array(image: Image.Image, spec: ModelSpec) -> np.ndarray:
    """Resize an RGB image (antialiased, bilinear) and scale it as the spec says.

    Returns float32 of shape (image_size, image_size, 3): 0..255 with scaling `none`, 0..1 with
    `unit`, -1..1 with `symmetric`.
    """
    factor, offset = SCALINGS[spec.scaling]
    array = np.asarray(resized(image, spec.image_size, spec.resize), dtype=np.float32)
    if spec.scaling == "none":
        return array
    return array * np.float32(factor) + np.float32(offset)


def resized(image: Image.Image, size: int, resize: str) -> Image.Image:
    """Resize to (size, size) pixels: `stretch`, or `crop` to the centred square."""
    if resize == "crop":
        return ImageOps.fit(image, (size, size), Image.Resampling.BILINEAR)
    return image.resize((size, size), Image.Resampling.BILINEAR)


def _check_size(size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width < 1 or height < 1:
        raise InvalidImage(f"The photo has no pixels: its size is {width} x {height}.")
    if width * height > max_pixels:
        raise _too_many_pixels(f"{width} x {height}", max_pixels)


def _too_many_pixels(received: str, max_pixels: int) -> ImageTooLarge:
    return ImageTooLarge(
        f"The photo has too many pixels ({received}); at most {max_pixels / 1e6:g} megapixels are accepted. "
        "Send a smaller copy."
    )


def _to_8_bit_grey(image: Image.Image) -> Image.Image:
    """Map 16-bit (or wider) grey to 8 bits; plain `convert` would clip everything above 255."""
    values = np.asarray(image, dtype=np.float64)
    if image.mode == "F":
        top = 1.0 if values.size and values.max() <= 1.0 else 255.0
    else:
        top = 255.0 if values.size and values.max() <= 255 and image.mode == "I" else 65535.0
    return Image.fromarray(np.clip(values * (255.0 / top), 0, 255).astype(np.uint8), mode=None)


def _kind(data: bytes) -> str:
    head = data.lstrip()[:4].lower() if data[:1] in b" \t\r\n<" else data[:4]
    if data[4:8] == b"ftyp":
        return "a video"
    return _NOT_A_PHOTO.get(head, "of a kind that is not known here")


def _register_heif() -> None:
    """Let Pillow read HEIC; idempotent and cheap after the first call."""
    from pillow_heif import register_heif_opener

    register_heif_opener()
