"""Rows as CSV: names of all kinds, and what is read back."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catdog.errors import InvalidImage, InvalidSettings
from catdog.folder.rows import LONGEST_ERROR, Columns, read_groups, to_csv, to_path, to_text
from tests.catdog.fakes import compared, verdict

from .conftest import brightness

SPECS = [brightness("one").spec, brightness("two", classes=("dog", "owl", "cat")).spec]
NAMES = st.binary(min_size=1).map(lambda name: os.fsdecode(name.replace(b"\0", b"")))
ODD = st.lists(st.sampled_from([b"\\", b"x", b"\\x", b"5c", b"ff", b"\xff", b"\xc3", b"\xa4"])).map(
    lambda parts: os.fsdecode(b"".join(parts))
)


@given(NAMES | ODD)
def test_every_name_survives(name):
    text = to_text(name)
    assert to_path(text) == name
    assert text.encode("utf-8").decode("utf-8") == text


def test_names_are_shown_as_they_are_but_for_what_is_no_text():
    names = [b"cats/1.jpg", "ä 猫.jpg".encode(), b"back\\slash", b"\xff\xc3.jpg", rb"\xff.jpg"]
    texts = ["cats/1.jpg", "ä 猫.jpg", "back\\slash", r"\xff\xc3.jpg", r"\x5cxff.jpg"]
    assert [to_text(os.fsdecode(name)) for name in names] == texts


def test_the_columns_hold_the_classes_of_all_models():
    columns = Columns(SPECS)
    numbers = ["confidence", "p_cat", "p_dog", "p_owl", "neither"]
    assert columns.names == ["path", "model", "label", "verdict", *numbers, "error"]
    first = verdict("one", "dog", confidence=0.75, probabilities={"cat": 0.25, "dog": 0.75}, neither=0.9)
    second = verdict("two", "owl", confidence=1.0, probabilities={"dog": 0.0, "owl": 1.0, "cat": 0.0})
    assert columns.rows("a.jpg", compared(first, second, verdict="neither")) == [
        ["a.jpg", "one", "dog", "neither", "0.750000", "0.250000", "0.750000", "", "0.900000", ""],
        ["a.jpg", "two", "owl", "neither", "1.000000", "0.000000", "0.000000", "1.000000", "", ""],
    ]


def test_an_error_is_one_line_of_bounded_length():
    (cells,) = Columns(SPECS).rows("a.jpg", InvalidImage("It is\nbad: " + "x" * 5000))
    assert cells[:-1] == ["a.jpg", *[""] * 8]
    assert cells[-1].startswith("It is bad: xxx") and len(cells[-1]) == LONGEST_ERROR


def test_the_csv_is_that_of_rfc_4180():
    cells = ["a,b", 'c"d', "e\nf", "g\rh", "", "plain"]
    assert to_csv([cells]) == b'"a,b","c""d","e\nf","g\rh",,plain\r\n'


# --- reading back -------------------------------------------------------------------------------


def row(path: str, model: str = "", error: str = "") -> list[str]:
    return [path, model, *[""] * 7, error]


HEADER = Columns(SPECS).names
PHOTOS = [
    [row("a.jpg", "one"), row("a.jpg", "two")],
    [row('b\n"b".jpg', error="It is bad.")],
    [row("c,ä.jpg", "one", "It failed."), row("c,ä.jpg", "two")],
]


def content(photos) -> bytes:
    return to_csv([HEADER, *(cells for photo in photos for cells in photo)])


def read(path):
    return list(read_groups(path, Columns(SPECS)))


def test_photos_are_read_with_all_their_rows(tmp_path):
    path = tmp_path / "x.csv"
    path.write_bytes(content(PHOTOS))
    ends = [len(content(PHOTOS[:count])) for count in range(4)]
    assert read(path) == list(zip([[], *PHOTOS], ends, strict=True))


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([["path", "model"]], "other columns"),
        ([HEADER, row("a.jpg", "three")], "row 1"),
        ([HEADER, row("a.jpg", "two")], "row 1"),
        ([HEADER, row("a.jpg", "one"), row("b.jpg", "two")], "row 2"),
        ([HEADER, row("a.jpg", "one"), row("a.jpg", "one")], "row 2"),
        ([HEADER, row("a.jpg", "one"), row("a.jpg", error="?")], "row 2"),
        ([HEADER, row("a.jpg", "one"), row("b.jpg", "one"), row("b.jpg", "two")], "row 2"),
        ([HEADER, ["a.jpg", "one"]], "row 1"),
        ([HEADER, []], "row 1"),
        (to_csv([HEADER]) + b'a"b,"c"d\r\n' + to_csv(PHOTOS[0]), "expected after"),
        (to_csv([HEADER]) + b"\xff\xfe\r\n" + to_csv(PHOTOS[0]), "invalid start byte"),
    ],
)
def test_rows_of_something_else_are_refused(tmp_path, rows, reason):
    path = tmp_path / "x.csv"
    path.write_bytes(rows if isinstance(rows, bytes) else to_csv(rows))
    with pytest.raises(InvalidSettings, match=rf"x\.csv is not as this command wrote it \(.*{reason}.*--restart"):
        read(path)
