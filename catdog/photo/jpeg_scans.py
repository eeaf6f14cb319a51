"""JPEG files with so many scans that decoding them would take minutes or hours."""

from __future__ import annotations

import re

# Encoders write about ten scans; libtiff has the same limit.
MOST_SCANS = 100
# A large colour profile or gain map takes some hundreds of segments.
MOST_SEGMENTS = 2000

_START, _SCAN, _END, _STANDALONE = b"\xff\xd8", b"\xda", b"\xd9", b"\x01"
# Within compressed data, 0xFF is followed by 0 or by the number of a restart marker.
_MARKER = re.compile(rb"\xff([\x01-\xcf\xd8-\xfe])")
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = {0xC2, 0xC6, 0xCA, 0xCE}


def has_too_many_scans(data: bytes) -> bool:
    """Whether the first image in a JPEG file has more than MOST_SCANS scans, or more than MOST_SEGMENTS segments.

    A decoder goes over the whole image for each scan (ITU-T T.81, section G.1), and libjpeg sets no limit. When the
    first scan holds the whole image, as cameras write it, only the bytes before it are read. False for other formats.
    """
    if not data.startswith(_START):
        return False
    position, scans, components = len(_START), 0, 0
    for _ in range(MOST_SEGMENTS):
        marker = _MARKER.search(data, position)
        if not marker or marker[1] == _END:
            return False
        position = marker.end()
        if marker[1] == _STANDALONE:
            continue
        if marker[1][0] in _FRAMES:
            components = data[position + 7] if position + 7 < len(data) and marker[1][0] not in _PROGRESSIVE else 0
        if marker[1] == _SCAN:
            scans += 1
            if scans > MOST_SCANS:
                return True
            if scans == 1 and position + 2 < len(data) and data[position + 2] == components:
                return False
        position += max(2, int.from_bytes(data[position : position + 2], "big"))
    return True
