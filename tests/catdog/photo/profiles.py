"""ICC profiles made by hand (ICC.1:2001-04), and the colours that they mean, by the formulas and not by LittleCMS."""

from __future__ import annotations

import itertools
import struct

import numpy as np

# Red, green and blue in XYZ as seen under D50 (each a row), and gamma.
SRGB = ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410))
DISPLAY_P3 = ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407))
ADOBE_RGB = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))
PROPHOTO = ((0.79767, 0.28804, 0.0), (0.13519, 0.71187, 0.0), (0.03135, 0.00009, 0.82521))
WHITE = np.array([0.9642, 1.0, 0.8249])  # D50
# Lab of the sixteen mixtures of full inks, the last ink (black) changing fastest; a press whose cyan is rather blue.
INKS = np.array([
    (0, 0, 0)
    if black
    else (100 - 45 * cyan - 38 * magenta - 8 * yellow, 70 * magenta - 20 * cyan, 85 * yellow - 50 * cyan)
    for cyan, magenta, yellow, black in itertools.product((0, 1), repeat=4)
])  # fmt: skip


def rgb_profile(primaries, gamma: float) -> bytes:
    """A profile of three primaries and one gamma."""
    colours = {name: _xyz(*values) for name, values in zip((b"rXYZ", b"gXYZ", b"bXYZ"), primaries, strict=True)}
    return _profile(b"RGB ", b"XYZ ", colours | dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), _curve(gamma)))


def grey_profile(gamma: float) -> bytes:
    return _profile(b"GRAY", b"XYZ ", {b"kTRC": _curve(gamma)})


def cmyk_profile() -> bytes:
    """A profile whose table holds INKS, and a straight line between them."""
    identity = bytes(range(256))
    encoded = np.rint(INKS * (2.55, 1, 1) + (0, 128, 128)).astype(np.uint8).tobytes()
    unit = struct.pack(">9i", *(0x10000 if i % 4 == 0 else 0 for i in range(9)))
    table = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + unit + identity * 4 + encoded + identity * 3
    return _profile(b"CMYK", b"Lab ", {b"A2B0": table}, kind=b"prtr")


def srgb_of(pixels, primaries, gamma: float) -> np.ndarray:
    """The sRGB of pixels (..., 3) in 0..255 that such a profile describes: float, in 0..255, clipped."""
    return _encoded((np.asarray(pixels) / 255) ** gamma @ np.array(primaries))


def srgb_of_lab(lab) -> np.ndarray:
    """The sRGB of Lab values (..., 3) under D50: float, in 0..255, clipped."""
    lightness, a, b = np.moveaxis(np.asarray(lab, float), -1, 0)
    y = (lightness + 16) / 116
    f = np.stack([y + a / 500, y, y - b / 200], axis=-1)
    return _encoded(np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29)) * WHITE)


def _encoded(xyz: np.ndarray) -> np.ndarray:
    linear = np.clip(xyz @ np.linalg.inv(np.array(SRGB)), 0, 1)
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def _profile(space: bytes, connection: bytes, tags: dict[bytes, bytes], kind: bytes = b"mntr") -> bytes:
    tags = {b"wtpt": _xyz(*WHITE)} | tags
    table, content, start = struct.pack(">I", len(tags)), b"", 128 + 4 + 12 * len(tags)
    for name, value in tags.items():
        value += bytes(-len(value) % 4)
        table += name + struct.pack(">II", start + len(content), len(value))
        content += value
    head = struct.pack(">I4sI4s4s4s", start + len(content), b"lcms", 0x02400000, kind, space, connection)
    head = (head + bytes(12) + b"acsp").ljust(68, b"\0") + _xyz(*WHITE)[8:]
    return head.ljust(128, b"\0") + table + content


def _xyz(*values: float) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(value * 65536) for value in values))


def _curve(gamma: float) -> bytes:
    return b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256))
