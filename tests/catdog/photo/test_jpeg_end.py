"""JPEG files that break off: judged where nearly all is there, and never silently blurred or grey."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from catdog.errors import InvalidImage
from catdog.photo.decode import decode
from catdog.photo.jpeg_end import MOST_MISSING, completed
from tests.catdog.photos import encoded, flag, orientation
from tests.conftest import EXAMPLES

CAT = Image.open(EXAMPLES / "cat.jpg").resize((160, 240))
KINDS = {
    "baseline": encoded(CAT, "JPEG"),
    "full chroma": encoded(CAT, "JPEG", subsampling=0, optimize=True),
    "restart markers": encoded(CAT, "JPEG", restart_marker_blocks=3),
    "progressive": encoded(CAT, "JPEG", progressive=True),
    "grey": encoded(CAT.convert("L"), "JPEG"),
    "CMYK": encoded(CAT.convert("CMYK"), "JPEG"),
}


@pytest.mark.parametrize("min_side", [None, 40])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("missing", [1, 2])
def test_the_end_marker_may_be_missing(kind, missing, min_side):
    whole = decode(KINDS[kind], min_side=min_side)
    assert decode(KINDS[kind][:-missing], min_side=min_side) == whole


@pytest.mark.parametrize("kind", KINDS)
def test_a_tenth_of_the_rows_may_be_missing(kind):
    data, whole = KINDS[kind], np.asarray(decode(KINDS[kind]))
    accepted = []
    for missing in range(3, len(data), 23):
        if completed(data[:-missing]) is None:
            break
        accepted.append(missing)
        rows = (np.asarray(decode(data[:-missing])) != whole).any(axis=(1, 2))
        first = np.flatnonzero(rows)[0] if rows.any() else len(rows)
        assert first >= (1 - MOST_MISSING) * len(rows) - 1  # smoothing of colours reaches one row further up
    assert accepted
    for missing in range(accepted[-1] + 23, len(data), 211):
        with pytest.raises(InvalidImage, match="damaged or incomplete"):
            decode(data[:-missing])


def test_large_photos_are_compared_at_a_lower_size():
    image = CAT.resize((640, 1600))
    data = encoded(image, "JPEG")
    ends = [len(data) * part // 100 for part in range(80, 100)]
    shown = [data[:end] for end in ends if completed(data[:end])]
    assert shown and completed(data[: ends[0]]) is None
    for part in shown:
        rows = (np.asarray(decode(part)) != np.asarray(decode(data))).any(axis=(1, 2))
        assert np.flatnonzero(rows)[0] >= (1 - MOST_MISSING) * image.height - 1


def test_a_progressive_photo_is_not_taken_before_its_last_scan():
    data = KINDS["progressive"]
    last = data.rindex(b"\xff\xda")
    tables = data.rindex(b"\xff\xc4", 0, last)
    for length in (tables, tables + 2, last, last + 2):
        with pytest.raises(InvalidImage, match="damaged or incomplete"):
            decode(data[:length])


@pytest.mark.parametrize("value", [1, 3, 6, 8])
def test_rows_are_counted_in_the_file_and_not_in_the_upright_photo(value):
    data = encoded(flag(64, 320), "JPEG", exif=orientation(value))
    assert decode(data[:-2]) == decode(data)
    with pytest.raises(InvalidImage):
        decode(data[: len(data) * 3 // 4])
