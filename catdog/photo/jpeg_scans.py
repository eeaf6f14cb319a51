"""How often a JPEG file makes its decoder go over the whole image: a small one can ask for hours of work."""

from __future__ import annotations

import re

# Encoders write about ten; libtiff stops at as many as this.
MOST_SCANS = 100
# Of anything between two markers: a large profile or map takes some hundreds.
MOST_SEGMENTS = 2000

_START, _SCAN, _END, _STANDALONE = b"\xff\xd8", b"\xda", b"\xd9", b"\x01"
# Inside of compressed data, 0xFF is followed by 0 or by the number of a restart.
_MARKER = re.compile(rb"\xff([\x01-\xcf\xd8-\xfe])")
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = {0xC2, 0xC6, 0xCA, 0xCE}


def is_endless(data: bytes) -> bool:
    """Whether the first image in a JPEG file has more than MOST_SCANS scans, or too many segments to tell.

    Decoders go over all of the image for each scan (ITU-T T.81, section G.1), and libjpeg sets no limit. Of an
    image in one scan, as cameras write it, only what comes before that is read.
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
