"""PNG files without the chunks that a decoder may skip, so that none of these, broken or huge, costs the photo."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator

from catdog.photo import coded_colour
from catdog.photo.unreadable import unsupported

_START = b"\x89PNG\r\n\x1a\n"
_CRITICAL = (b"IHDR", b"PLTE", b"IDAT", b"IEND")
# Of each of these, the first before the pixels counts if its checksum is right: transparency, orientation, and the
# colours, as a profile or as numbers.
_USED = (b"tRNS", b"eXIf", b"iCCP", b"cICP", b"sRGB", b"gAMA", b"cHRM")
MOST_CHUNKS = 100_000  # 20 MB in pieces of 200 bytes
LARGEST_PROFILE = 2**20  # bytes; the decoder unpacks no more, and would refuse the photo
_GREY, _COLOUR, _PALETTE = 0, 2, 3  # colour types
_SAMPLES = {_GREY: 1, _COLOUR: 3, _PALETTE: 1, 4: 2, 6: 4}  # of a pixel, by colour type
# Of each pass of an interlaced PNG: its first column and row, and the steps between them (section 8.1).
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
_TIFF = (b"II*\0", b"MM\0*")  # what EXIF begins with


def essential_chunks(data: bytes) -> bytes:
    """The chunks of a PNG that its pixels depend on; other formats are returned as they are.

    What is dropped is not unpacked: texts, sizes and dates, the further frames of an animation, and from _USED what has
    a bad checksum, comes twice, or too late. Raises InvalidImage for a PNG with a critical chunk or a transparency that
    the decoder does not know (W3C PNG, third edition, sections 5.3, 5.6 and 11.3.1.1).
    """
    if not data.startswith(_START):
        return data
    parts, seen, header, colours = [_START], set(), b"", {}
    for count, (name, chunk) in enumerate(_chunks(data)):
        if count == MOST_CHUNKS:
            raise unsupported("PNG")
        content = chunk[8:-4]
        if name == b"IHDR":
            header = content
        if name in _CRITICAL:
            begins = name == b"IDAT" and name not in seen
            parts += [_profile(colours), chunk] if begins else [chunk]
            seen.add(name)
        elif re.fullmatch(rb"[A-Z][A-Za-z]{3}", name):
            raise unsupported("PNG")
        elif name in _USED and not seen & {name, b"IDAT"} and zlib.crc32(chunk[4:-4]) == int.from_bytes(chunk[-4:]):
            seen.add(name)
            colours[name] = content
            if name == b"tRNS":
                parts.append(_transparency(header, content, palette=b"PLTE" in seen))
            if name == b"eXIf" and content.startswith(_TIFF):
                parts.append(chunk)
    return b"".join(parts)


def has_all_rows(data: bytes) -> bool:
    """Whether a PNG holds as many pixels as its size says; Pillow takes missing ones for 0."""
    unpacker, wanted, found = zlib.decompressobj(), 0, 0
    for name, chunk in _chunks(data):
        rest = chunk[8 : 8 + int.from_bytes(chunk[:4])]  # of the last one, the checksum may be missing
        if name == b"IHDR":
            wanted = _bytes_of_pixels(rest)
        while name == b"IDAT" and rest and found < wanted:
            found += len(unpacker.decompress(rest, 2**20))
            rest = unpacker.unconsumed_tail
    # Not where all are found: what follows may be a thousand times as large, unpacked.
    return found >= wanted or found + len(unpacker.flush()) >= wanted


def _bytes_of_pixels(header: bytes) -> int:
    width, height, depth, colour, *_, interlaced = struct.unpack(">2I5B", header[:13])
    sizes = [
        (len(range(left, width, across)), len(range(top, height, down)))
        for left, top, across, down in (_PASSES if interlaced else [(0, 0, 1, 1)])
    ]
    bits = depth * _SAMPLES[colour]
    return sum(rows * (1 + (columns * bits + 7) // 8) for columns, rows in sizes if columns)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and bytes of each chunk up to the end of the image; the last one may be cut off."""
    position, name = len(_START), b""
    while position < len(data) and name != b"IEND":
        length, name = int.from_bytes(data[position : position + 4]), data[position + 4 : position + 8]
        yield name, data[position : position + 12 + length]
        position += 12 + length


def _is_profile(content: bytes) -> bool:
    """Whether this is a name and a compressed profile, of no more than LARGEST_PROFILE bytes."""
    _, _, compressed = content.partition(b"\0")
    unpacker = zlib.decompressobj()
    try:
        unpacker.decompress(compressed[1:], LARGEST_PROFILE)
    except zlib.error:
        return False
    return compressed[:1] == b"\0" and not unpacker.unconsumed_tail


def _profile(colours: dict[bytes, bytes]) -> bytes:
    """The chunk of the profile that such chunks mean, or nothing; the first in this order counts."""
    numbers, gamma, primaries = (colours.get(name, b"") for name in (b"cICP", b"gAMA", b"cHRM"))
    profile = coded_colour.of_numbers(*numbers[:2]) if len(numbers) == 4 else None
    if not profile and _is_profile(colours.get(b"iCCP", b"")):
        return _chunk(b"iCCP", colours[b"iCCP"])
    if not profile and b"sRGB" not in colours and len(gamma) == 4 and any(gamma):
        shown = 100_000 / int.from_bytes(gamma)
        if len(primaries) == 32:
            white_x, white_y, *others = (number / 100_000 for number in struct.unpack(">8I", primaries))
            profile = coded_colour.of_gamma(shown, (*others, white_x, white_y))
        else:
            profile = coded_colour.of_gamma(shown)
    return _chunk(b"iCCP", b"colours\0\0" + zlib.compress(profile)) if profile else b""


def _transparency(header: bytes, content: bytes, *, palette: bool) -> bytes:
    """The chunk that names what is transparent, in the values that Pillow compares; empty if it does not fit."""
    depth, colour = header[8:10]
    if colour == _COLOUR and depth == 16:  # Pillow compares only the upper 8 bits of pixels, and so would find none
        raise unsupported("PNG")
    fits = {_GREY: len(content) >= 2, _COLOUR: len(content) >= 6, _PALETTE: palette and len(content) <= 256}
    if not fits.get(colour):
        return b""
    if colour == _GREY and depth in (2, 4):  # Pillow spreads pixels over 0 to 255, but not this value
        content = struct.pack(">H", int.from_bytes(content[:2]) % 2**depth * 255 // (2**depth - 1))
    return _chunk(b"tRNS", content)


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
