"""TIFF files of every layout, written without a library (TIFF 6.0)."""

from __future__ import annotations

import struct
import zlib

import numpy as np

GREY_INVERTED, GREY, RGB, PALETTE, MASK, CMYK, YCBCR = range(7)  # photometric interpretations
UNSIGNED, SIGNED, FLOAT = 1, 2, 3  # sample formats
RAW, DEFLATE, PACKBITS = 1, 8, 32773  # compressions
ROWS = 5  # in a strip


def tiff(
    samples: np.ndarray, bits: int, photometric: int, *, compression: int = RAW, separate: bool = False,
    order: str = "<", form: int = UNSIGNED, extra: tuple[int, ...] = (), tags: dict[int, int] | None = None,
) -> bytes:  # fmt: skip
    """A file of one page with samples (height, width, samples per pixel) of `bits` each, and further `tags`."""
    pages = [tiff_page(samples, bits, photometric, compression, separate, order, form, extra, tags or {})]
    return tiff_of(pages, order)


def tiff_page(samples, bits, photometric, compression, separate, order, form, extra, tags):
    """The strips of a page, and its tags but for where the strips lie."""
    height, width, count = samples.shape
    planes = np.split(samples, count, axis=2) if separate else [samples]
    strips = [
        b"".join(_compressed(_packed(row, bits, order, form), compression) for row in plane[top : top + ROWS])
        for plane in planes
        for top in range(0, height, ROWS)
    ]
    if compression == DEFLATE:
        strips = [zlib.compress(strip) for strip in strips]
    named = {
        256: width, 257: height, 258: (bits,) * count, 259: compression, 262: photometric, 277: count, 278: ROWS,
        284: 2 if separate else 1, 339: (form,) * count,
    }  # fmt: skip
    return strips, named | ({338: extra} if extra else {}) | tags


def tiff_of(pages, order: str = "<") -> bytes:
    """A file of such pages."""
    data = (b"II*\0" if order == "<" else b"MM\0*") + bytes(4)
    link = 4
    for strips, tags in pages:
        offsets = []
        for strip in strips:
            offsets.append(len(data))
            data += strip + bytes(len(strip) % 2)
        tags = tags | {273: tuple(offsets), 279: tuple(map(len, strips))}
        entries = b""
        for number, value in sorted(tags.items()):
            values = value if isinstance(value, tuple) else (value,)
            kind, code = (4, "I") if number in (273, 279) else (3, "H")
            content = struct.pack(f"{order}{len(values)}{code}", *values)
            if len(content) > 4:
                data, content = data + content + bytes(len(content) % 2), struct.pack(f"{order}I", len(data))
            entries += struct.pack(f"{order}HHI", number, kind, len(values)) + content.ljust(4, b"\0")
        data = data[:link] + struct.pack(f"{order}I", len(data)) + data[link + 4 :]
        data += struct.pack(f"{order}H", len(tags)) + entries
        link = len(data)
        data += bytes(4)
    return data


def _packed(row: np.ndarray, bits: int, order: str, form: int) -> bytes:
    """The samples of a row as bytes; those of less than 8 or of 12 bits lie close together."""
    if bits % 8 == 0:
        return row.astype(f"{order}{'_uif'[form]}{bits // 8}").tobytes()
    every = row.reshape(-1, 1).astype(np.uint16) >> np.arange(bits - 1, -1, -1) & 1
    return np.packbits(every.astype(np.uint8)).tobytes()


def _compressed(row: bytes, compression: int) -> bytes:
    if compression != PACKBITS:
        return row
    runs = [row[start : start + 128] for start in range(0, len(row), 128)]
    return b"".join(bytes([len(run) - 1]) + run for run in runs)
