"""What is taken out of an upload, and what no zip can do."""

import struct
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from catdog.collection.intake import DEEPEST, LARGEST_INDEX, MOST_PHOTOS, MOST_UNPACKED, TooMuch, collect, label_of
from catdog.errors import InvalidImage

CLASSES = ("cat", "dog")
LIMIT = 1000


@pytest.fixture
def zipped(tmp_path):
    """zipped({name: content}, **options) -> the path of a zip with these files."""

    def write(files: dict[str, bytes], name: str = "pets.zip", **options) -> Path:
        with zipfile.ZipFile(tmp_path / name, "w", **options) as archive:
            for member, content in files.items():
                archive.writestr(member, content)
        return tmp_path / name

    return write


def collected(*paths: Path) -> tuple[dict[str, bytes], dict[str, str | None], dict[str, str]]:
    """Contents, labels and refusals by name."""
    with collect([(path.name, path) for path in paths], CLASSES, LIMIT) as found:
        contents = {photo.name: photo.read() for photo in found.photos}
        return contents, {photo.name: photo.label for photo in found.photos}, dict(found.refused)


def test_photos_and_zips_together(zipped, tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"a")
    path = zipped({"pets/cats/1.jpg": b"1", "pets/dogs/2.jpg": b"2", "3.jpg": b"3"})
    contents, labels, refused = collected(tmp_path / "a.jpg", path)
    assert contents == {"a.jpg": b"a", "pets/cats/1.jpg": b"1", "pets/dogs/2.jpg": b"2", "3.jpg": b"3"}
    assert labels == {"a.jpg": None, "pets/cats/1.jpg": "cat", "pets/dogs/2.jpg": "dog", "3.jpg": None}
    assert refused == {}


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("cats/1.jpg", "cat"), ("Cat/1.jpg", "cat"), ("test/DOGS/1.jpg", "dog"), ("cats/dogs/1.jpg", "dog"),
        ("dogs/old/1.jpg", "dog"), ("cats\\1.jpg", "cat"), ("1.jpg", None), ("birds/1.jpg", None), ("cat.jpg", None),
        ("/cats/1.jpg", "cat"), ("cats", None),
    ],
)  # fmt: skip
def test_the_innermost_known_folder_is_the_label(name, label):
    assert label_of(name, CLASSES) == label


def test_a_photo_under_two_labels_is_refused(zipped):
    files = {"cats/1.jpg": b"same", "dogs/2.jpg": b"same", "3.jpg": b"same", "cats/4.jpg": b"a", "cats/5.jpg": b"a"}
    contents, labels, refused = collected(zipped(files))
    assert labels == {"cats/4.jpg": "cat", "cats/5.jpg": "cat"} and set(contents.values()) == {b"a"}
    assert set(refused) == {"cats/1.jpg", "dogs/2.jpg", "3.jpg"}
    assert "as cat and as dog" in refused["3.jpg"]


def test_what_systems_add_is_left_out_and_nothing_is_written(zipped, tmp_path):
    evil = {"../../evil.jpg": b"1", "/etc/evil.jpg": b"2", "C:\\evil.jpg": b"3"}
    clutter = ["__MACOSX/cats/._1.jpg", "cats/.DS_Store", "cats/Thumbs.db"]
    path = zipped({**evil, **dict.fromkeys(clutter, b"")})
    before = sorted(tmp_path.rglob("*"))
    assert sorted(collected(path)[0].values()) == [b"1", b"2", b"3"]
    assert sorted(tmp_path.rglob("*")) == before
    assert not (tmp_path.parent.parent / "evil.jpg").exists()


def indexed(path: Path, place: int, content: bytes) -> Path:
    """Let the index of a zip say something else of its first member: these bytes at this place."""
    data = bytearray(path.read_bytes())
    start = data.index(b"PK\x01\x02") + place
    data[start : start + len(content)] = content
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("files", "options", "words"),
    [
        ({}, {}, "holds no files"),
        ({"cats/": b""}, {}, "holds no files"),
        ({"big.jpg": bytes(LIMIT + 1)}, {}, "larger than"),
        ({"/".join(["a"] * (DEEPEST + 1)) + "/1.jpg": b"1"}, {}, "folders"),
        ({"1.jpg": bytes(100)}, {"compression": zipfile.ZIP_LZMA}, "packed"),
        ({"1.jpg": bytes(100)}, {"compression": zipfile.ZIP_BZIP2}, "packed"),
        ({"inner.zip": b"PK"}, {}, "zip in the zip"),
        ({"encrypted.jpg": b"1"}, {}, "encrypted"),
    ],
)
def test_a_bad_member_is_refused_alone(zipped, files, options, words):
    path = zipped(files, **options)
    if words == "encrypted":
        indexed(path, 8, b"\x01")
    contents, _, refused = collected(zipped({"good.jpg": b"1"}, "good.zip"), path)
    assert list(contents) == ["good.jpg"]
    (sentence,) = refused.values()
    assert words in sentence


def test_a_damaged_member_is_said_when_it_is_read(zipped):
    path = zipped({"1.jpg": b"0123456789"})
    path.write_bytes(path.read_bytes().replace(b"0123456789", b"0123456780"))
    with collect([("x.zip", path)], CLASSES, LIMIT) as found, pytest.raises(InvalidImage, match="damaged in the zip"):
        found.photos[0].read()


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:4],
        lambda data: data[:30],
        lambda data: data[:60],
        lambda data: data.replace("é".encode(), b"\xff\xff"),
    ],
    ids=["4 bytes", "30 bytes", "60 bytes", "a name that is no text"],
)
def test_a_damaged_zip_is_refused_beside_good_files(zipped, tmp_path, damage):
    (tmp_path / "a.jpg").write_bytes(b"a")
    path = zipped({"é.jpg": b"1"})
    path.write_bytes(damage(path.read_bytes()))
    contents, _, refused = collected(tmp_path / "a.jpg", path)
    assert list(contents) == ["a.jpg"]
    assert "damaged" in refused["pets.zip"]


def test_a_file_in_a_zip_may_have_no_name(zipped):
    path = zipped({"x.jpg": b"1", "y.jpg": b"2"})
    path.write_bytes(path.read_bytes().replace(b"x.jpg", b"\0.jpg"))  # names end at a NUL
    assert collected(path)[0] == {"": b"1", "y.jpg": b"2"}


def test_an_upload_that_is_gone_is_said_when_it_is_read(tmp_path):
    path = tmp_path / "a.jpg"
    with collect([("a.jpg", path)], CLASSES, LIMIT) as found, pytest.raises(InvalidImage, match="Send it again"):
        found.photos[0].read()


def test_too_many_photos_are_refused_together(zipped, monkeypatch):
    with pytest.raises(TooMuch, match=f"holds {MOST_PHOTOS + 1} files"):
        collected(zipped({f"{i}.jpg": b"" for i in range(MOST_PHOTOS + 1)}))
    photos = zipped({f"{i}.jpg": b"1" for i in range(150)}, "photos.zip")
    refused = zipped({f"{i}.zip": b"" for i in range(150)}, "zips.zip")
    opened, original = [], zipfile.ZipFile
    monkeypatch.setattr(zipfile, "ZipFile", lambda *args: opened.append(args) or original(*args))
    with pytest.raises(TooMuch, match="At most 200"):
        collected(photos, refused, *[photos] * 100)  # what is refused counts too
    assert len(opened) == 2
    with pytest.raises(TooMuch, match="201 or more"):
        collected(*[photos] * 201)
    assert len(opened) == 2


def with_declared_size(path: Path, size: int) -> Path:
    return indexed(path, 24, struct.pack("<I", size))


def test_a_zip_bomb_is_refused_before_it_is_read(zipped):
    path = zipped({"1.jpg": bytes(1000), "2.jpg": b""}, compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(TooMuch, match="unpacked"):
        collected(with_declared_size(path, MOST_UNPACKED + 1))


def test_a_member_gives_no_more_and_takes_no_more_memory_than_its_index_says(zipped):
    """A bomb that lies: the index says 10 bytes, the data are 64 MiB."""
    path = with_declared_size(zipped({"1.jpg": bytes(64 * 2**20)}, compression=zipfile.ZIP_DEFLATED), 10)
    with collect([("x.zip", path)], CLASSES, LIMIT) as found:
        tracemalloc.start()
        try:
            with pytest.raises(InvalidImage, match="damaged in the zip"):
                found.photos[0].read()
            assert tracemalloc.get_traced_memory()[1] < 2**20
        finally:
            tracemalloc.stop()


END = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0, 0, 0, 0, 0)
LONG_END = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, LARGEST_INDEX + 1, 0, 0)
END_64 = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, LARGEST_INDEX + 1, 0)
LOCATOR_64 = struct.pack("<4sLQL", b"PK\x06\x07", 0, 0, 1)
TAILS = {
    "long index": LONG_END,
    "long index, comment": LONG_END[:-2] + b"\x05\x00hello",
    "long index after a harmless one": END + LONG_END,
    "64-bit form": END_64 + LOCATOR_64 + END,
    "64-bit form, longest comment": END_64 + LOCATOR_64 + END[:-2] + b"\xff\xff" + bytes(2**16 - 1),
}


@pytest.mark.parametrize("tail", TAILS.values(), ids=TAILS)
def test_a_long_index_is_refused_before_it_is_read(tmp_path, tail):
    path = tmp_path / "x.zip"
    path.write_bytes(b"PK\x03\x04" + tail)
    with pytest.raises(TooMuch):
        collected(path)


def test_the_indexes_of_all_zips_count_together(zipped):
    path = zipped({f"folder{i}/" + "x" * 60_000 + "/": b"" for i in range(10)})
    assert collected(path)[2] == {"pets.zip": "The zip holds no files."}
    with pytest.raises(TooMuch, match="too many files"):
        collected(path, path)


def test_names_are_made_fit_to_show(zipped):
    (name,) = collected(zipped({"a" * 300 + "\u202e\n.jpg": b"1"}))[0]
    assert len(name) <= 200 and name.isprintable() and name.endswith(".jpg")
