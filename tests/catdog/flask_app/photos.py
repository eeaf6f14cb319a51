"""Files that a client may send: good ones in one or two formats, and bad ones with the error each must get."""

from __future__ import annotations

from tests.catdog.photos import png
from tests.conftest import EXAMPLES

CAT = (EXAMPLES / "cat.jpg").read_bytes()


def png_of(width: int, height: int) -> bytes:
    """A PNG of a few dozen bytes whose header claims any size."""
    return png(width, height, 8, 2, [b""])


# name -> (content, status, code)
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
    "most pixels a PNG can claim": (png_of(2**31 - 1, 2**31 - 1), 413, "image_too_large"),
}
