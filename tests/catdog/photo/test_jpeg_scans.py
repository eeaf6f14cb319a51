"""What the segments of a JPEG say and hold does no harm, and costs no ordinary photo."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from catdog.errors import InvalidImage
from catdog.photo.decode import decode
from catdog.photo.jpeg_scans import MOST_SCANS, MOST_SEGMENTS, essential_segments, has_too_many_scans
from catdog.photo.reader import Reader
from tests.catdog.photos import encoded, noise, orientation

START, SCAN, END = b"\xff\xd8", b"\xff\xda", b"\xff\xd9"
COMMENT = b"\xff\xfe\x00\x04hi"


def segment(marker: int, content: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(content) + 2).to_bytes(2) + content


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


VIDEO_BEHIND = encoded(noise(), "JPEG", progressive=True) + SCAN * 1000


@pytest.mark.parametrize(
    "data", [b"", START, START + b"\xff", START + SCAN, START + b"\xff\xc0\0", b"GIF89a" + SCAN * 500, VIDEO_BEHIND]
)
def test_what_is_cut_off_or_no_scan_is_left_to_the_decoder(data):
    assert not has_too_many_scans(data)


@pytest.mark.parametrize("cut", [0, 2])
@pytest.mark.parametrize(
    "odd",
    [
        segment(0xE0, b"JFIF\0"), segment(0xE1, b"Exif\0"), segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<\xff"),
        segment(0xE2, b"ICC_PROFILE\0"), segment(0xE2, b"ICC_PROFILE\0\1"), segment(0xE2, b"MPF\0II*\0\xff\xff"),
        segment(0xED, b"Photoshop 3.0\x008BIM\4\4"), segment(0xEE, b"Adobe"), segment(0xEF, b""), segment(0xFE, b""),
        b"\xff\1", b"\xff\xe5\0\0",
    ],
)  # fmt: skip
def test_what_is_odd_in_a_segment_is_skipped(odd, cut):
    plain = encoded(noise(), "JPEG", exif=orientation(6))
    for data in (START + odd + plain[2:], plain[:20] + odd + plain[20:]):
        image, reduced = Reader(10**7, 10**7, min_side=4)(data[: len(data) - cut])
        assert reduced and image == decode(plain, min_side=4)


def test_what_the_pixels_depend_on_stays():
    data = encoded(noise().convert("CMYK"), "JPEG", exif=orientation(3), icc_profile=b"a profile")
    assert essential_segments(data) == data
    assert essential_segments(START + COMMENT + data[2:]) == data


def test_a_lossless_jpeg_is_never_decoded_at_a_lower_size():
    """As libjpeg would then write beyond the memory that it was given."""
    frame = segment(0xC3, b"\x08\0\x30\0\x40\1\1\x11\0")
    table = segment(0xC4, b"\0\1" + bytes(15) + b"\0")  # one code, of one bit: no difference
    data = START + frame + table + segment(0xDA, b"\1\1\0\1\0\0") + bytes(64 * 48 // 8) + END
    assert Image.open(io.BytesIO(data)).getextrema() == (128, 128)
    for min_side in (None, 12):
        with pytest.raises(InvalidImage, match="kind of JPEG file is not supported"):
            decode(data, min_side=min_side)
