"""BMP files become what browsers show, or are refused by name."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from catdog.errors import InvalidImage
from catdog.photo.decode import decode
from tests.catdog.photos import noise

from .profiles import ADOBE_RGB, rgb_profile, srgb_of

PIXELS = np.asarray(noise(5, 4))
MASKS = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
BLACK_WHITE = bytes(4) + b"\xff\xff\xff\0"
RLE8, RLE4, BITFIELDS = 1, 2, 3


def bmp(
    rows: np.ndarray, bits: int, *, compression: int = 0, version: bytes = b"", colours: bytes = b"", tail=b""
) -> bytes:
    """A file of rows that are already packed; `version` is what the header has beyond its first 40 bytes."""
    height, width = PIXELS.shape[:2]
    content = b"".join(bytes(row) + bytes(-len(bytes(row)) % 4) for row in rows[::-1])
    header = struct.pack(
        "<IiiHHIIiiII", 40 + len(version), width, height, 1, bits, compression, len(content), 0, 0, len(colours) // 4, 0
    )
    start = 14 + len(header) + len(version) + len(colours)
    return b"BM" + struct.pack("<IHHI", 0, 0, 0, start) + header + version + colours + content + tail


def with_alpha(alpha: int) -> np.ndarray:
    return np.concatenate([PIXELS[..., ::-1], np.full_like(PIXELS[..., :1], alpha)], axis=2)


@pytest.mark.parametrize(("alpha", "expected"), [(0, PIXELS), (255, PIXELS), (51, np.rint(PIXELS / 5 + 204))])
def test_alpha_counts_unless_no_pixel_has_any(alpha, expected):
    image = decode(bmp(with_alpha(alpha), 32, compression=BITFIELDS, version=MASKS.ljust(84, b"\0")))
    assert np.abs(np.asarray(image, int) - expected).max() <= 1


def test_the_fifth_version_brings_a_profile():
    profile, rows = rgb_profile(ADOBE_RGB, 563 / 256), PIXELS[..., ::-1]
    place = 124 + sum(len(row.tobytes()) + 1 for row in rows)
    version = (bytes(16) + b"DEBM").ljust(72, b"\0") + struct.pack("<3I", place, len(profile), 0)
    image = decode(bmp(rows, 24, version=version, tail=profile))
    assert np.abs(np.asarray(image) - srgb_of(PIXELS, ADOBE_RGB, 563 / 256)).max() < 1.5


@pytest.mark.parametrize(
    "data",
    [
        bmp(np.eye(4, 5, dtype=np.uint8), 8, colours=BLACK_WHITE),
        bmp(np.eye(4, 3, dtype=np.uint8), 4, colours=BLACK_WHITE),
        bmp(np.eye(4, 3, dtype=np.uint8), 4, colours=b"".join(bytes([i, i, i, 0]) for i in range(16))),
        bmp([b"\0\5\x12\x34\x50\0\0\0"] * 4, 4, compression=RLE4, colours=bytes(64)),
    ],
    ids=["black and white in 8 bits", "black and white in 4 bits", "dark greys in 4 bits", "RLE4"],
)
def test_what_pillow_reads_wrongly_is_refused_by_name(data):
    with pytest.raises(InvalidImage, match="kind of BMP file is not supported"):
        decode(data)


def test_runs_of_8_bits_and_black_and_white_of_one_bit_are_read():
    shades = b"".join(bytes([i, i, i, 0]) for i in range(256))
    image = decode(bmp([b"\5" + bytes([50 * y]) + b"\0\0" for y in range(4)], 8, compression=RLE8, colours=shades))
    assert np.asarray(image)[:, 0, 0].tolist() == [0, 50, 100, 150]
    image = decode(bmp([b"\xa8"] * 4, 1, colours=BLACK_WHITE))
    assert np.asarray(image)[0, :, 0].tolist() == [255, 0, 255, 0, 255]
