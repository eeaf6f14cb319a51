"""A small JPEG cannot keep its decoder busy for minutes; ordinary ones are left alone."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from catdog.errors import InvalidImage
from catdog.photo.decode import decode
from catdog.photo.jpeg_scans import MOST_SCANS, MOST_SEGMENTS, has_too_many_scans
from tests.catdog.photos import encoded, noise

START, SCAN, END = b"\xff\xd8", b"\xff\xda", b"\xff\xd9"
COMMENT = b"\xff\xfe\x00\x04hi"


def with_scans(count: int) -> bytes:
    """A progressive JPEG whose last scan comes again and again, until there are so many."""
    data = encoded(noise(64, 64).convert("L"), "JPEG", progressive=True)
    again = data[data.rindex(SCAN) : -2]
    return data[:-2] + again * (count - data.count(SCAN)) + END


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_what_encoders_write_is_accepted(progressive, mode):
    data = encoded(noise(200, 150).convert(mode), "JPEG", progressive=progressive, comment=SCAN * 500)
    assert not has_too_many_scans(data)
    assert decode(data).size == (200, 150)


def test_a_video_behind_the_photo_is_none_of_its_scans():
    assert not has_too_many_scans(encoded(noise(), "JPEG", progressive=True) + SCAN * 1000)


def test_too_many_scans_are_refused():
    assert not has_too_many_scans(with_scans(MOST_SCANS))
    assert decode(with_scans(MOST_SCANS)).size == (64, 64)
    data = with_scans(MOST_SCANS + 1)
    assert Image.open(io.BytesIO(data)).convert("RGB").size == (64, 64)  # Pillow would go on
    with pytest.raises(InvalidImage, match="more scans than any photo needs"):
        decode(data)


def test_one_component_at_a_time_in_a_file_that_is_not_progressive():
    """The first scan is of one of three components, so that the decoder waits for others."""
    frame = b"\xff\xc0\x00\x11\x08\x00\x40\x00\x40\x03" + b"\x01\x11\x00" * 3
    one, three = (
        SCAN + (6 + 2 * n).to_bytes(2, "big") + bytes([n]) + b"\x01\x00" * n + b"\x00\x3f\x00ab" for n in (1, 3)
    )
    assert has_too_many_scans(START + frame + one * 200 + END)
    assert not has_too_many_scans(START + frame + three * 200 + END)  # the decoder stops after the first


def test_too_many_segments_are_refused():
    assert not has_too_many_scans(START + COMMENT * (MOST_SEGMENTS - 1))
    assert has_too_many_scans(START + COMMENT * MOST_SEGMENTS)


@pytest.mark.parametrize(
    "data", [b"", START, START + b"\xff", START + SCAN, START + b"\xff\xc0\x00", b"GIF89a" + SCAN * 500]
)
def test_what_is_cut_off_or_no_jpeg_is_left_to_the_decoder(data):
    assert not has_too_many_scans(data)
