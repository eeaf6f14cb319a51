"""Image files of every kind, good and odd, made in memory."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pillow_heif
from PIL import Image

CAT = (Path(__file__).parents[2] / "examples" / "cat.jpg").read_bytes()
RED, GREEN, BLUE, WHITE, BLACK = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0)


def encoded(image: Image.Image, format: str, **options) -> bytes:
    """An image as the bytes of a file that Pillow writes."""
    stream = io.BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


def heic(image: Image.Image, **options) -> bytes:
    """A HEIC file, written without registering anything in Pillow."""
    stream = io.BytesIO()
    pillow_heif.from_pillow(image).save(stream, quality=-1, chroma=444, **options)
    return stream.getvalue()


def image_of(*rows: list[tuple[int, int, int]]) -> Image.Image:
    """An RGB image from rows of pixels."""
    return Image.fromarray(np.array(rows, np.uint8))


def noise(width: int = 32, height: int = 24, seed: int = 0) -> Image.Image:
    """An RGB image of random pixels."""
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8))


def flag(width: int = 64, height: int = 32) -> Image.Image:
    """Red with a blue upper left quarter: looks different in each of the eight orientations."""
    image = Image.new("RGB", (width, height), RED)
    image.paste(BLUE, (0, 0, width // 2, height // 2))
    return image


def png_chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(width: int, height: int, depth: int, colour: int, rows: list[bytes], *chunks: bytes) -> bytes:
    """A PNG of any bit depth and colour type, with further chunks before its pixels."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows), 9)
    parts = [png_chunk(b"IHDR", header), *chunks, png_chunk(b"IDAT", pixels), png_chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def huge_png() -> bytes:
    """200 megapixels in 24 kB."""
    return png(20_000, 10_000, 1, 0, [bytes(2500)] * 10_000)


def png_of(width: int, height: int) -> bytes:
    """A PNG of a few dozen bytes whose header claims any size."""
    return png(width, height, 8, 2, [b""])


def with_exif(jpeg: bytes, exif: bytes) -> bytes:
    """A JPEG with the given bytes as its EXIF segment."""
    content = b"Exif\0\0" + exif
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(content) + 2) + content + jpeg[2:]


def orientation(value: int) -> bytes:
    """EXIF that says nothing but how to turn the photo."""
    exif = Image.Exif()
    exif[274] = value
    return exif.tobytes()


def small_files() -> dict[str, bytes]:
    """A small valid file of each format that is accepted, and of its variants."""
    image, second = noise(), noise(seed=1)
    both = {"save_all": True, "append_images": [second]}
    return {
        "jpeg": encoded(image, "JPEG", exif=orientation(6)),
        "jpeg progressive": encoded(image, "JPEG", progressive=True),
        "jpeg cmyk": encoded(image.convert("CMYK"), "JPEG"),
        "mpo": encoded(image, "MPO", **both),
        "png": encoded(image, "PNG", exif=orientation(3)),
        "png palette": encoded(image.quantize(16), "PNG", transparency=3),
        "png animated": encoded(image, "PNG", **both),
        "webp": encoded(image, "WEBP", exif=orientation(8)),
        "webp lossless": encoded(image, "WEBP", lossless=True),
        "webp animated": encoded(image, "WEBP", **both),
        "gif": encoded(image, "GIF"),
        "gif animated": encoded(image, "GIF", **both),
        "bmp": encoded(image, "BMP"),
        "tiff": encoded(image, "TIFF"),
        "tiff deflate": encoded(image, "TIFF", compression="tiff_adobe_deflate"),
        "tiff lzw 16 bit": encoded(image.convert("I;16"), "TIFF", compression="tiff_lzw"),
        "avif": encoded(image, "AVIF"),
        "heic": heic(image, exif=orientation(6)),
    }


def photo_form(content: bytes = CAT, name: str = "cat.jpg", **fields: str) -> dict:
    """The fields of a form with one photo."""
    return {"file": (io.BytesIO(content), name), **fields}


# Files that no client may send, by name: content, status and code of the error that each gets.
BAD = {
    "text": (b"I am not a photo.", 422, "invalid_image"),
    "random bytes": (bytes(range(256)) * 40, 422, "invalid_image"),
    "empty file": (b"", 422, "invalid_image"),
    "one byte": (b"\xff", 422, "invalid_image"),
    "truncated JPEG": (CAT[: len(CAT) // 2], 422, "invalid_image"),
    "JPEG header alone": (CAT[:20], 422, "invalid_image"),
    "PNG without pixels": (png_of(0, 0), 422, "invalid_image"),
    "PNG without its data": (png_of(640, 480), 422, "invalid_image"),
    "SVG": (b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>', 422, "invalid_image"),
    "SVG with prolog": (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', 422, "invalid_image"),
    "PDF": (b"%PDF-1.7\n1 0 obj <<>> endobj\n%%EOF", 422, "invalid_image"),
    "EPS": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", 422, "invalid_image"),
    "MP4": (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(200), 422, "invalid_image"),
    "WebM": (b"\x1aE\xdf\xa3" + bytes(200), 422, "invalid_image"),
    "ZIP": (b"PK\x03\x04" + bytes(200), 422, "invalid_image"),
    "HTML": (b"<script>alert(1)</script>", 422, "invalid_image"),
    "too many pixels": (png_of(60_000, 60_000), 413, "image_too_large"),
    "a row of pixels that is too long": (png_of(65_536, 1), 413, "image_too_large"),
    "most pixels a PNG can claim": (png_of(2**31 - 1, 2**31 - 1), 413, "image_too_large"),
}
