"""The segments of a JPEG file before any pixel is decoded: whether it is safe, known and complete, and which count."""

from __future__ import annotations

import re
from collections.abc import Iterator

# Encoders write about ten scans; libtiff has the same limit.
MOST_SCANS = 100
# A large colour profile or gain map takes some hundreds of segments.
MOST_SEGMENTS = 2000

START, END = b"\xff\xd8", b"\xff\xd9"
_SCAN, _RESTART_INTERVAL, _STANDALONE = 0xDA, 0xDD, 0x01
# Within compressed data, 0xFF is followed by 0 or by the number of a restart marker.
_MARKER = re.compile(rb"\xff([\x01-\xcf\xd8-\xfe])")
_FRAMES = frozenset([*range(0xC0, 0xD0), 0xF7]) - {0xC4, 0xC8, 0xCC}  # 0xF7: JPEG-LS
_PROGRESSIVE = {0xC2, 0xC6, 0xCA, 0xCE}
_DECODED = {0xC0, 0xC1, 0xC2, 0xC9, 0xCA}  # kinds of frames: not lossless, not hierarchical
_COEFFICIENTS = 64
_SKIPPED = {*range(0xE0, 0xF0), 0xFE, _STANDALONE}  # APP0 to APP15 and comments: a decoder need not know them
# Those that say how to read the colours and which way up, by their marker: first bytes, and the least length.
_USED = {0xE0: (b"JFIF\0", 16), 0xE1: (b"Exif\0\0", 8), 0xE2: (b"ICC_PROFILE\0", 16), 0xEE: (b"Adobe", 14)}


def essential_segments(data: bytes) -> bytes:
    """A JPEG without what may be skipped before its first scan; other formats are returned as they are.

    Pillow looks into more segments than the pixels depend on, and refuses a photo for one that is odd.
    """
    parts = [START]
    for marker, segment, start in _segments(data):
        if marker == _SCAN:
            return b"".join([*parts, data[start:]])
        name, least = _USED.get(marker, (b"", 0))
        if marker not in _SKIPPED or (name and segment.startswith(name, 2) and len(segment) >= least):
            parts += [bytes([0xFF, marker]), segment]
    return data


def has_too_many_scans(data: bytes) -> bool:
    """Whether the first image in a JPEG file has more than MOST_SCANS scans, or more than MOST_SEGMENTS segments.

    A decoder goes over the whole image for each scan (ITU-T T.81, section G.1), and libjpeg sets no limit. When the
    first scan holds the whole image, as cameras write it, only the bytes before it are read. False for other formats.
    """
    scans = components = segments = 0
    for marker, segment, _ in _segments(data):
        segments += 1
        if marker in _FRAMES:
            components = segment[7] if len(segment) > 7 and marker not in _PROGRESSIVE else 0
        if marker == _SCAN:
            scans += 1
            if scans > MOST_SCANS:
                return True
            if scans == 1 and len(segment) > 2 and segment[2] == components:
                return False
    return segments == MOST_SEGMENTS


def is_of_unknown_kind(data: bytes) -> bool:
    """Whether a JPEG is of a valid kind that is not decoded here.

    It is lossless, hierarchical, of more than 8 bits or of two colours, or tells its height only behind its first scan.
    """
    for marker, segment, _ in _segments(data):
        if marker in _FRAMES:
            bits, height, colours = segment[2:3], segment[3:5], segment[7:8]
            decoded = marker in _DECODED and bits == b"\x08" and height != b"\0\0" and colours in (b"\1", b"\3", b"\4")
            return len(segment) > 7 and not decoded
    return False


def has_all_scans(data: bytes) -> bool:
    """Whether the scans of a JPEG, the last of which may be cut off, give every coefficient its last bit.

    So that a progressive JPEG without its last scans, which is only blurred, does not count as whole (ITU-T T.81,
    sections B.2.3 and G.1.1.1).
    """
    components, exact = 0, set()
    for marker, segment, _ in _segments(data):
        if marker in _FRAMES and len(segment) > 7:
            components = segment[7]
        elif marker == _SCAN and len(segment) > 2 and len(segment) == 6 + 2 * segment[2]:
            first, last, approximation = segment[-3:]
            if not approximation & 0x0F:
                exact |= {(name, i) for name in segment[3:-3:2] for i in range(first, min(last, 63) + 1)}
    return 0 < components * _COEFFICIENTS == len(exact)


def is_one_run(data: bytes) -> bool:
    """Whether all blocks of a JPEG follow each other in one scan, without restart markers."""
    markers = [marker for marker, *_ in _segments(data)]
    return markers.count(_SCAN) == 1 and _RESTART_INTERVAL not in markers


def _segments(data: bytes) -> Iterator[tuple[int, bytes, int]]:
    """Of each segment of the first image its marker, its bytes from its length on, and where its marker begins.

    At most MOST_SEGMENTS are looked at.
    """
    if not data.startswith(START):
        return
    position = len(START)
    for _ in range(MOST_SEGMENTS):
        marker = _MARKER.search(data, position)
        if not marker or marker[0] == END:
            return
        position, start = marker.end(), marker.start()
        length = 0
        if marker[1][0] != _STANDALONE:
            length = max(2, int.from_bytes(data[position : position + 2]))
        yield marker[1][0], data[position : position + length], start
        position += length
