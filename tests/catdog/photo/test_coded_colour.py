"""Colours that a file tells by numbers are those of the profile that they stand for."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from PIL import Image

from catdog.photo.decode import decode
from tests.catdog.photos import encoded, heic, noise, png, png_chunk

from .profiles import ADOBE_RGB, DISPLAY_P3, SRGB, rgb_profile, srgb_of

IMAGE = noise(24, 16)
PIXELS = np.asarray(IMAGE)
# The white and the primaries in x and y, and gamma, as a PNG holds them.
WHITE, P3 = (31270, 32900), (68000, 32000, 26500, 69000, 15000, 6000)
PRIMARIES = png_chunk(b"cHRM", struct.pack(">8I", *WHITE, *P3))
LINEAR_P3 = png_chunk(b"cICP", bytes([12, 8, 0, 1]))


def gamma(value: float) -> bytes:
    return png_chunk(b"gAMA", struct.pack(">I", round(100_000 / value)))


def with_chunks(*chunks: bytes) -> np.ndarray:
    return np.asarray(decode(png(24, 16, 8, 2, [row.tobytes() for row in PIXELS], *chunks)), float)


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ([gamma(1)], (SRGB, 1)), ([gamma(1.8)], (SRGB, 1.8)), ([gamma(1.8), PRIMARIES], (DISPLAY_P3, 1.8)),
        ([LINEAR_P3], (DISPLAY_P3, 1)), ([LINEAR_P3, png_chunk(b"sRGB", b"\0"), gamma(2)], (DISPLAY_P3, 1)),
        ([png_chunk(b"cICP", bytes([1, 4, 0, 1]))], (SRGB, 2.2)),
    ],
)  # fmt: skip
def test_numbers_in_a_png(chunks, expected):
    found = with_chunks(*chunks)
    assert np.abs(found - srgb_of(PIXELS, *expected)).max() < 1.5
    assert np.abs(found - PIXELS).max() > 5


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "chunks",
    [
        [gamma(2.2)], [PRIMARIES], [png_chunk(b"sRGB", b"\0"), gamma(1), PRIMARIES], [png_chunk(b"gAMA", bytes(4))],
        [gamma(1)[:-1] + b"?"], [png_chunk(b"gAMA", b"\1")], [gamma(1), png_chunk(b"cHRM", bytes(32))],
        [png_chunk(b"cICP", bytes([9, 16, 0, 1]))], [png_chunk(b"cICP", bytes([1, 13, 0, 1])), gamma(1)],
        [gamma(1), png_chunk(b"cHRM", b"\xff" * 32)], [gamma(1), png_chunk(b"cHRM", struct.pack(">8I", 0, 0, *P3))],
    ],
)  # fmt: skip
def test_numbers_that_mean_srgb_or_nothing_change_no_pixel(chunks):
    assert np.array_equal(with_chunks(*chunks), PIXELS)


def test_a_profile_counts_more_than_gamma():
    data = encoded(IMAGE, "PNG", icc_profile=rgb_profile(ADOBE_RGB, 563 / 256))
    data = data[:33] + gamma(1) + data[33:]
    assert np.abs(np.asarray(decode(data)) - srgb_of(PIXELS, ADOBE_RGB, 563 / 256)).max() < 1.5


@pytest.mark.parametrize("format", ["AVIF", "HEIC"])
def test_numbers_in_a_heif(format):
    image = Image.new("RGB", (64, 48), (200, 90, 60))
    data = heic(image) if format == "HEIC" else encoded(image, format, quality=100)
    place = data.index(b"colrnclx") + 8
    data = data[:place] + struct.pack(">HH", 12, 8) + data[place + 4 :]
    assert decode(data).getpixel((5, 5)) == pytest.approx(srgb_of((200, 90, 60), DISPLAY_P3, 1), abs=3)
