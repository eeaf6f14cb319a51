"""A colour space that a file gives as numbers -> an ICC profile."""

from __future__ import annotations

import functools
import struct

import numpy as np
from PIL import ImageCms

# Red, green, blue and white in x and y, by their number (ITU-T H.273, table 2): of HD television and sRGB, of UHD
# television, and of Display P3.
_WHITE = (0.3127, 0.3290)
PRIMARIES = {
    1: (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, *_WHITE),
    9: (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, *_WHITE),
    12: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, *_WHITE),
}
# Gamma by its number (table 3), or None for the curve of sRGB, as browsers take that of television. Those of HDR are
# missing: they need more than a profile.
GAMMAS = {1: None, 2: None, 6: None, 13: None, 14: None, 15: None, 4: 2.2, 5: 2.8, 8: 1.0}
# An exponent of about this stands for the curve of sRGB.
_SRGB_GAMMA, _TOLERANCE = 2.2, 0.05
_D50 = np.array([0.9642, 1.0, 0.8249])
_CONES = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])  # Bradford


def of_numbers(primaries: int, transfer: int) -> bytes | None:
    """The profile for the code numbers of cICP in a PNG or nclx in HEIC and AVIF; None for codes not known here."""
    if primaries not in PRIMARIES or transfer not in GAMMAS:
        return None
    return profile(PRIMARIES[primaries], GAMMAS[transfer])


def of_gamma(gamma: float, chromaticities: tuple[float, ...] = PRIMARIES[1]) -> bytes | None:
    """The profile for gAMA and cHRM of a PNG; `gamma` is the exponent with which a display shows the photo."""
    return profile(chromaticities, None if abs(gamma - _SRGB_GAMMA) < _TOLERANCE * _SRGB_GAMMA else gamma)


@functools.lru_cache(8)
def profile(chromaticities: tuple[float, ...], gamma: float | None) -> bytes | None:
    """LittleCMS's profile of sRGB with other primaries and another gamma; None for primaries that cannot be."""
    try:
        with np.errstate(divide="raise", over="raise", invalid="raise"):
            colours = _under_d50(*np.reshape(chromaticities, (4, 2)))
        values = dict(zip((b"rXYZ", b"gXYZ", b"bXYZ"), colours, strict=True))
        data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
        for entry in range(132, 132 + 12 * int.from_bytes(data[128:132]), 12):
            name, start = struct.unpack_from(">4sI", data, entry)
            if name in values:
                struct.pack_into(">3i", data, start + 8, *_fixed(values[name]))
            elif name == b"rTRC" and gamma is not None:  # green and blue share it
                struct.pack_into(">5i", data, start + 12, *_fixed([gamma, 1, 0, 0, 0]))
    except (ValueError, ArithmeticError, struct.error, np.linalg.LinAlgError):
        return None
    return bytes(data)


def _under_d50(red, green, blue, white) -> np.ndarray:
    """Red, green and blue in XYZ (each a row), adapted from their white to that of profiles."""
    xyz = [np.array([x, y, 1 - x - y]) / y if y else np.zeros(3) for x, y in (red, green, blue, white)]
    columns = np.array(xyz[:3]).T
    columns = columns * np.linalg.solve(columns, xyz[3])
    adapted = np.linalg.inv(_CONES) @ np.diag(_CONES @ _D50 / (_CONES @ xyz[3])) @ _CONES @ columns
    return adapted.T


def _fixed(values) -> list[int]:
    """Numbers with 16 bits after the point; raises ValueError or OverflowError for what is none."""
    return [round(65536 * float(value)) for value in values]
