"""Chunks that a decoder may skip never cost a PNG its pixels, and are not unpacked."""

from __future__ import annotations

import struct
import time
import tracemalloc
import zlib

import numpy as np
import pytest

from catdog.errors import InvalidImage
from catdog.photo import png_chunks
from catdog.photo.decode import decode
from catdog.photo.png_chunks import essential_chunks
from catdog.photo.reader import Reader
from tests.catdog.photos import encoded, noise, orientation, png, png_chunk

from .profiles import DISPLAY_P3, rgb_profile

IMAGE = noise(24, 16)
ROWS = [np.asarray(IMAGE)[row].tobytes() for row in range(IMAGE.height)]
MEGABYTES = bytes(1_600_000)
BOMB = zlib.compress(bytes(100_000_000), 9)
PROFILE = zlib.compress(rgb_profile(DISPLAY_P3, 2.2))
EXIF = orientation(6).removeprefix(b"Exif\0\0")
IMAGE_TRANSPARENT = struct.pack(">3H", *IMAGE.getpixel((0, 0)))
CONTENTS = {
    b"tEXt": b"Comment\0a cat", b"zTXt": b"Comment\0\0" + zlib.compress(b"a cat"), b"iTXt": b"Comment\0\0\0\0\0a cat",
    b"iCCP": b"P3\0\0" + PROFILE, b"gAMA": struct.pack(">I", 45455), b"cHRM": struct.pack(">8I", *[31270] * 8),
    b"sRGB": b"\0", b"pHYs": struct.pack(">IIB", 2835, 2835, 1), b"tIME": struct.pack(">H5B", 2026, 2, 3, 4, 5, 6),
    b"eXIf": EXIF, b"bKGD": bytes(6), b"sBIT": b"\x08\x08\x08", b"acTL": struct.pack(">II", 2, 0), b"vpAg": bytes(9),
}  # fmt: skip


def with_chunks(*chunks: bytes, behind: bool = False) -> bytes:
    """IMAGE as a PNG, with further chunks before its pixels or behind them."""
    data = png(IMAGE.width, IMAGE.height, 8, 2, ROWS, *(() if behind else chunks))
    end = png_chunk(b"IEND", b"")
    return data.removesuffix(end) + b"".join(chunks) + end if behind else data


@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize("name", CONTENTS)
def test_a_chunk_with_a_bad_checksum_is_skipped(name, behind):
    data = with_chunks(png_chunk(name, CONTENTS[name])[:-1] + b"?", behind=behind)
    assert decode(data) == IMAGE
    assert Reader(10**7, 10**7, min_side=4)(data).reduced  # its size is read without the chunk, too


@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize("content", [b"", b"\0", b"\xff" * 7, MEGABYTES, b"k\0\0" + BOMB, b"k\0\1\0\0\0" + BOMB])
@pytest.mark.parametrize("name", CONTENTS)
def test_what_is_odd_or_huge_in_a_chunk_is_skipped(name, content, behind):
    assert decode(with_chunks(png_chunk(name, content), behind=behind)) == IMAGE


def test_a_good_orientation_and_profile_count_once_and_after_broken_ones():
    good = [png_chunk(name, CONTENTS[name]) for name in (b"iCCP", b"eXIf")]
    image = decode(with_chunks(*(chunk[:-1] + b"?" for chunk in good), *good, *good))
    assert image.size == (IMAGE.height, IMAGE.width)
    assert image != IMAGE.transpose(method=4)


@pytest.mark.parametrize("name", CONTENTS)
def test_what_comes_after_the_pixels_is_skipped(name):
    data = with_chunks(png_chunk(name, CONTENTS[name]), png_chunk(b"tRNS", IMAGE_TRANSPARENT), behind=True)
    assert decode(data + b"MadeWithTool" + bytes(1000)) == IMAGE


@pytest.mark.parametrize(("depth", "content"), [(8, b""), (8, b"\0"), (4, b""), (1, b"\0")])
def test_a_transparency_that_is_too_short_is_skipped(depth, content):
    data = png(1, 1, depth, 0, [b"\0"], png_chunk(b"tRNS", content))
    assert decode(data).getpixel((0, 0)) == (0, 0, 0)
    assert decode(with_chunks(png_chunk(b"tRNS", content))) == IMAGE


@pytest.mark.parametrize("content", [b"\0", bytes(300)])
def test_a_transparency_that_does_not_fit_the_palette_is_skipped(content):
    palette, transparency = png_chunk(b"PLTE", bytes(range(3))), png_chunk(b"tRNS", content)
    chunks = (palette, transparency) if len(content) > 256 else (transparency, palette)
    assert decode(png(1, 1, 8, 3, [b"\0"], *chunks)).getpixel((0, 0)) == (0, 1, 2)


def test_thousands_of_bombs_cost_no_time():
    chunk = png_chunk(b"iCCP", b"k\0\0" + zlib.compress(bytes(2**20), 9))
    data = with_chunks(*[chunk] * 5000)
    start = time.process_time()
    assert decode(data) == IMAGE
    assert time.process_time() - start < 1  # unpacking them takes more than five


@pytest.mark.parametrize("name", [b"IHDR", b"PLTE"])
def test_a_critical_chunk_with_a_bad_checksum_is_damage(name):
    data = png(2, 1, 8, 3, [b"\0\1"], png_chunk(b"PLTE", bytes(6)))
    place = data.index(name) + 5
    with pytest.raises(InvalidImage, match="damaged"):
        decode(data[:place] + b"\x7f" + data[place + 1 :])


def test_unknown_kinds_are_not_called_damaged():
    of_an_iphones_application = with_chunks(png_chunk(b"CgBI", b"\x50\0\x20\6"))
    of_16_bits_with_a_transparent_colour = png(1, 1, 16, 2, [bytes(6)], png_chunk(b"tRNS", bytes(6)))
    for data in (of_an_iphones_application, of_16_bits_with_a_transparent_colour):
        with pytest.raises(InvalidImage, match="kind of PNG file is not supported"):
            decode(data)


def test_only_the_end_may_be_missing():
    data = with_chunks()
    for missing in range(1, 17):  # the last chunk, and the checksum of the pixels
        assert decode(data[:-missing]) == IMAGE
    with pytest.raises(InvalidImage, match="damaged"):
        decode(data[:-30])


@pytest.mark.parametrize("missing", [1, 5, 16])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "1", "I;16"])
def test_rows_that_nobody_compressed_are_damage(mode, missing):
    data = encoded(IMAGE.convert(mode), "PNG")
    taller = data[16:20] + (IMAGE.height + missing).to_bytes(4) + data[24:29]
    with pytest.raises(InvalidImage, match="damaged"):
        decode(data[:8] + png_chunk(b"IHDR", taller) + data[33:])


@pytest.mark.parametrize("passes", [6, 7])
def test_an_interlaced_photo_may_be_black_but_lacks_no_pass(passes):
    ends = [(3, 2), (3, 2), (6, 2), (6, 4), (12, 4), (12, 8), (24, 8)]  # columns and rows of each pass of 24 x 16
    pixels = zlib.compress(b"".join(bytes(rows * (1 + columns)) for columns, rows in ends[:passes]))
    header = png_chunk(b"IHDR", struct.pack(">2I5B", 24, 16, 8, 0, 0, 0, 1))
    data = b"\x89PNG\r\n\x1a\n" + header + png_chunk(b"IDAT", pixels) + png_chunk(b"IEND", b"")
    if passes == 7:
        assert not decode(data).getbbox() and not decode(data[:-16]).getbbox()  # with a checksum, and without
        return
    with pytest.raises(InvalidImage, match="damaged"):
        decode(data)


def test_what_follows_the_pixels_is_not_unpacked():
    data = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", struct.pack(">2I5B", 24, 16, 8, 0, 0, 0, 0))
    tracemalloc.start()
    assert not decode(data + png_chunk(b"IDAT", BOMB) + png_chunk(b"IEND", b"")).getbbox()
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()


def test_chunks_without_number_are_refused(monkeypatch):
    monkeypatch.setattr(png_chunks, "MOST_CHUNKS", 1)
    with pytest.raises(InvalidImage, match="not supported"):
        essential_chunks(with_chunks())
