"""What a source holds, and its parts: every photo in one of them, the same ones in each run."""

import gzip
import itertools
import os
import tarfile
import time

import fsspec
import pyarrow
import pytest
from pyarrow import csv, fs, parquet

from catdog.cluster import addresses, source_parts
from catdog.cluster.addresses import at, join, listed, opened, parent, put
from catdog.cluster.given import AddressDecoder, Given
from catdog.cluster.photo_source import STATE, Source, counted, prepare
from catdog.errors import InvalidImage, InvalidSettings, NotFetched, NotWritten
from catdog.photo.reader import Reader

LIMIT = 10**6


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(source_parts, "PHOTOS", (8, 8))
    monkeypatch.setattr(source_parts, "BYTES", (4096, 4096))


@pytest.fixture
def out(tmp_path):
    return str(tmp_path / "out")


@pytest.fixture
def in_bucket(tmp_path, monkeypatch):
    """in_bucket(path) -> the address of a local path as if it lay in a bucket of S3, with an option."""
    monkeypatch.setattr(addresses, "_system", lambda address: (fs.LocalFileSystem(), str(tmp_path)))
    return lambda path: f"s3://bucket/{os.path.relpath(path, tmp_path)}?endpoint_override=127.0.0.1:9"


def read(source: Source, out: str) -> dict[str, list[Given]]:
    """The photos of each part by its name."""
    prepare(out, {}, source, restart=False)
    return {part.name: list(part.read(LIMIT)) for part in source.parts(out)}


def contents(given: list[Given]) -> list[bytes]:
    decoder = AddressDecoder("", None, ())
    return [photo.content or decoder.opened(photo).read() for photo in given]


@pytest.mark.parametrize(
    ("form", "kind"),
    [("folder", "photos"), ("csv", "manifest"), ("manifest", "manifest"), ("bytes", "parquet"), ("hub", "parquet"),
     ("tar", "tar")],
)  # fmt: skip
@pytest.mark.parametrize("remote", [False, True])
def test_every_photo_is_in_one_part_of_each_form(greys, pack, out, in_bucket, form, kind, remote):
    folder = greys(40)
    expected = {file.name: file.read_bytes() for file in folder.iterdir()}
    place = folder if form == "folder" else pack(folder, form)
    if remote:
        place, out = in_bucket(place), in_bucket(out)
    source = Source.of(str(place))
    assert source.kind == kind
    read_parts = read(source, out)
    given = list(itertools.chain.from_iterable(read_parts.values()))
    assert dict(zip([os.path.basename(photo.path) for photo in given], contents(given), strict=True)) == expected
    assert len(given) == 40 and len(read_parts) >= 5 and max(map(len, read_parts.values())) <= 20
    assert read(source, out) == read_parts
    assert all(source_parts.PART.fullmatch(name) for name in read_parts)
    assert not any("endpoint" in photo.path for photo in given)


@pytest.mark.parametrize("form", ["bytes", "tar", "tar.gz"])
def test_parts_in_their_order_read_a_file_once_and_others_find_their_photos_all_the_same(
    greys, pack, tmp_path, out, monkeypatch, form
):
    place = pack(greys(40), form.partition(".")[0], rows=40)
    if form == "tar.gz":
        for path in place.iterdir():
            path.write_bytes(gzip.compress(path.read_bytes(), 0))
    source = Source.of(str(place))
    prepare(out, {}, source, restart=False)
    parts = source.parts(out)
    asked = []
    monkeypatch.setattr(source_parts, "opened", lambda address: asked.append(address) or opened(address))
    expected = {part.name: list(part.read(LIMIT)) for part in parts}
    assert len(asked) == 2 < len(parts) and sum(map(len, expected.values())) == 40
    first = next((photo for photo in parts[0].read(LIMIT)), None)  # as if it had been broken off
    assert first and {part.name: list(part.read(LIMIT)) for part in [*parts[::-2], *parts]} == expected


def test_new_photos_get_further_parts(greys, out):
    first = read(Source.of(str(folder := greys(10))), out)
    greys(12)
    (folder / "000.png").unlink()
    both = read(Source.of(str(folder)), out)
    assert {name: both[name] for name in first} == first
    assert [[photo.path for photo in both[name]] for name in both.keys() - first] == [["010.png", "011.png"]]


def test_a_path_named_twice_is_judged_twice_and_one_that_is_missing_has_an_error(tmp_path, out):
    (tmp_path / "list.csv").write_text('path\na.jpg\n"a.jpg"\n\nb.jpg\n')
    given = next(iter(read(Source.of(str(tmp_path / "list.csv")), out).values()))
    assert [photo.path for photo in given][:2] == ["a.jpg"] * 2 and given[-1].address == f"{tmp_path}/b.jpg"
    (tmp_path / "list.csv").write_text("path\na.jpg\na.jpg\na.jpg\nb.jpg\n")
    again = read(Source.of(str(tmp_path / "list.csv")), out)
    assert sum(photo.path == "a.jpg" for photos in again.values() for photo in photos) == 3


@pytest.mark.parametrize(("form", "write"), [("csv", csv.write_csv), ("parquet", parquet.write_table)])
def test_paths_in_lists_begin_at_the_folder_of_their_list(greys, tmp_path, out, form, write):
    photo, folder = next(greys(1).iterdir()), tmp_path / "lists"
    for name in ("a", "a/b"):
        (folder / name).mkdir(parents=True)
        write(pyarrow.table({"path": ["x.jpg", str(photo), photo.as_uri(), ""]}), folder / name / f"list.{form}")
    (given,) = read(Source.of(str(folder)), out).values()
    assert [(one.path, one.address) for one in given if one.path.endswith("x.jpg")] == [
        ("a/b/x.jpg", f"{folder}/a/b/x.jpg"), ("a/x.jpg", f"{folder}/a/x.jpg"),
    ]  # fmt: skip
    assert sum(one.address == str(photo) for one in given) == sum(one.address == photo.as_uri() for one in given) == 2
    assert sum(bool(one.problem) for one in given) == 2


def test_a_folder_by_its_file_address_is_that_folder(greys, pack):
    folder = greys(3)
    (folder.parent / "a b").symlink_to(folder)
    address = (folder.parent / "a b").as_uri()
    assert "%20" in address and Source.of(address) == Source.of(str(folder))
    assert list(Source.of(address).paths()) == list(Source.of(str(folder)).paths())
    packed = pack(folder, "tar")
    assert Source.of(packed.as_uri()) == Source.of(str(packed))


def test_names_that_are_not_text_reach_their_files(tmp_path, out):
    odd = [b"\xff.jpg", rb"a\xff.jpg", "é 100%.jpg".encode()]
    for name in odd:
        (tmp_path / "photos" / os.fsdecode(name)).parent.mkdir(exist_ok=True)
        (tmp_path / "photos" / os.fsdecode(name)).write_bytes(name)
    (given,) = read(Source.of(str(tmp_path / "photos")), out).values()
    assert sorted(contents(given)) == sorted(odd)


def test_a_photo_without_a_path_or_bytes(tmp_path, out):
    image = [{"bytes": b"x", "path": None}, {"bytes": None, "path": "b.jpg"}, {"bytes": None, "path": None}, None]
    parquet.write_table(pyarrow.table({"image": image}), tmp_path / "a.parquet")
    (given,) = read(Source.of(str(tmp_path / "a.parquet")), out).values()
    assert given[0] == Given("a.parquet#0", content=b"x")
    assert given[1] == Given("b.jpg", f"{tmp_path}/b.jpg")
    assert all(photo.problem and not photo.address for photo in given[2:])


def test_a_damaged_tar_keeps_its_whole_photos_and_says_so(greys, pack, out):
    place = pack(greys(8), "tar")
    data = (place / "0.tar").read_bytes()
    (place / "0.tar").write_bytes(data[:4500])
    (place / "1.tar").write_bytes(b"")
    given = [photo for photos in read(Source.of(str(place)), out).values() for photo in photos]
    assert [photo.path for photo in given if photo.problem] == ["0.tar", "1.tar"]
    assert any(photo.content for photo in given)


def test_compressed_and_hidden_members_of_a_tar(greys, tmp_path, out):
    with tarfile.open(tmp_path / "a.tar", "w:gz") as tar:
        for file in sorted(greys(30).iterdir()):
            tar.add(file, f"deep/{file.name}")
            tar.add(file, f"deep/._{file.name}")
    given = [photo.path for photos in read(Source.of(str(tmp_path / "a.tar")), out).values() for photo in photos]
    assert given == [f"deep/{i:03}.png" for i in range(30)]


def test_links_in_a_tar_are_photos_too(greys, tmp_path, out):
    (file,) = greys(1).iterdir()
    os.link(file, file.with_name("hard.png"))
    (file.parent / "deep").mkdir()
    (file.parent / "deep" / "soft.png").symlink_to("../000.png")
    (file.parent / "lost.png").symlink_to("nowhere.png")
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for name in ("000.png", "deep/soft.png", "hard.png", "lost.png"):
            tar.add(file.parent / name, f"./{name}")
    given = [photo for photos in read(Source.of(str(tmp_path / "a.tar")), out).values() for photo in photos]
    assert [photo.path for photo in given] == ["000.png", "deep/soft.png", "hard.png", "lost.png"]
    assert [photo.content for photo in given] == [file.read_bytes()] * 3 + [None] and given[3].problem


def test_addresses_that_only_fsspec_opens(greys, pack):
    memory = fsspec.filesystem("memory")
    for file in greys(3).iterdir():
        memory.pipe(f"/bucket/photos/{file.name}", file.read_bytes())
    source = Source.of("memory://bucket/photos")
    assert source.kind == "photos" and [found.path for found in source.paths()] == ["000.png", "001.png", "002.png"]
    put("memory://bucket/out", "a.txt", b"abc")
    assert opened(join("memory://bucket/out", "a.txt")).read() == b"abc"
    assert [file.path for file in listed("memory://bucket")] == ["out/a.txt", *[f"photos/{i:03}.png" for i in range(3)]]
    memory.rm("/bucket", recursive=True)
    with pytest.raises(InvalidSettings, match="nosuch"):
        at("nosuch://bucket/x")


@pytest.mark.parametrize(
    ("failure", "kind"),
    [(PermissionError("expired"), NotFetched), (TimeoutError(), NotFetched), (OSError("throttled"), NotFetched),
     (RuntimeError("login"), NotFetched), (FileNotFoundError(2, "gone"), InvalidImage)],
)  # fmt: skip
def test_a_photo_that_cannot_be_reached_is_not_taken_for_a_bad_one(monkeypatch, failure, kind):
    decoder = AddressDecoder("", Reader(LIMIT, LIMIT, 64), ())
    assert [type(one) for one in decoder.decode([Given("a.jpg", "nosuch://bucket/a.jpg")])] == [NotFetched]

    def fail(_):
        raise failure

    monkeypatch.setattr(addresses, "opened", fail)
    assert [type(one) for one in decoder.decode([Given("a.jpg", "s3://bucket/a.jpg")])] == [kind]


def test_a_photo_that_takes_too_long_to_fetch_is_tried_another_time(monkeypatch):
    monkeypatch.setattr(addresses, "opened", lambda _: time.sleep(0.5))
    decoder = AddressDecoder("", Reader(LIMIT, LIMIT, 64), (), patience=0.1)
    assert [type(one) for one in decoder.decode([Given("a.jpg", "s3://bucket/a.jpg")])] == [NotFetched]


def test_no_key_is_recorded(greys, out, in_bucket):
    address = in_bucket(greys(1)).replace("//", "//name:key1@") + "&secret_key=key2"
    prepare(out, {}, Source.of(address), restart=False)
    assert "key" not in opened(join(out, f"{STATE}/run.json")).read().decode()


def test_options_of_a_bucket_hold_for_all_that_is_in_it():
    options = "?endpoint_override=http://127.0.0.1:9/&scheme=http"
    assert join(f"s3://bucket/photos{options}", "a/b.jpg") == f"s3://bucket/photos/a/b.jpg{options}"
    assert parent(f"s3://bucket/a.tar{options}") == f"s3://bucket{options}"
    assert at(f"s3://bucket/photos/why?.jpg{options}")[1] == "bucket/photos/why?.jpg"
    assert join("s3://bucket", "why?.jpg") == "s3://bucket/why?.jpg" and join("a", "s3://b/c") == "s3://b/c"
    assert at("s3://bucket/a?region=eu-central-1")[0].region == "eu-central-1"


@pytest.mark.parametrize(
    ("name", "content"),
    [("missing", None), ("a.parquet", b"no Parquet"), ("a.txt", b""), ("a.csv", b"file\nx\n"), ("a.csv", b"\xff\xfe"),
     ("a.jpg", b"")],
)  # fmt: skip
def test_what_is_no_source(tmp_path, out, name, content):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidSettings, match=name):
        read(Source.of(str(tmp_path / name)), out)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidSettings):
        Source.of(str(tmp_path / "empty"))


@pytest.mark.parametrize(
    "names", [("a.parquet", "stray.jpg"), ("a.tar", "deep/stray.jpg"), ("a.tar", "b.parquet"), ("a.csv", "b.tar")]
)
@pytest.mark.parametrize("remote", [False, True])
def test_a_folder_of_several_kinds_is_refused_and_each_is_named(tmp_path, names, remote):
    memory = fsspec.filesystem("memory")
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
        memory.pipe(f"/bucket/mixed/{name}", b"")
    with pytest.raises(InvalidSettings) as caught:
        Source.of("memory://bucket/mixed" if remote else str(tmp_path))
    assert all(name in str(caught.value) for name in names)
    memory.rm("/bucket", recursive=True)


def test_what_may_lie_beside_photos(greys, out):
    folder = greys(2)
    (folder / "labels.csv").write_text("name,label\n")
    source = Source.of(str(folder))
    answers = str(folder / "answers")
    prepare(answers, {}, source, restart=False)
    put(answers, source.parts(answers)[0].name, b"rows")
    assert Source.of(str(folder)) == source and source.kind == "photos"


def test_a_table_without_photos_names_its_columns(tmp_path):
    parquet.write_table(pyarrow.table({"url": ["x"]}), tmp_path / "a.parquet")
    with pytest.raises(InvalidSettings, match="url"):
        Source.of(str(tmp_path / "a.parquet"))


def test_results_of_something_else_are_left_alone(greys, out, tmp_path):
    source = Source.of(str(greys(1)))
    os.mkdir(out)
    mine = tmp_path / "out" / "mine.txt"
    mine.touch()
    for restart in (False, True):
        with pytest.raises(InvalidSettings, match="did not write"):
            prepare(out, {"models": 1}, source, restart=restart)
    mine.unlink()
    prepare(out, {"models": 1}, source, restart=False)
    (part,) = source.parts(out)
    table = pyarrow.table({"path": ["a.jpg"]})
    parquet.write_table(table.replace_schema_metadata({"photos": "1", "failed": "0"}), f"{out}/{part.name}")
    parquet.write_table(table, f"{out}/sales-202401.parquet")
    mine.touch()
    with pytest.raises(InvalidSettings, match="differs in models"):
        prepare(out, {"models": 2}, source, restart=False)
    prepare(out, {"models": 2}, source, restart=True)
    assert sorted(os.listdir(out)) == [STATE, "mine.txt", "sales-202401.parquet"]
    (tmp_path / "out" / STATE / "run.json").write_text("{")
    with pytest.raises(InvalidSettings, match="cannot be used"):
        prepare(out, {"models": 2}, source, restart=False)
    with pytest.raises(InvalidSettings):
        prepare(str(mine / "out"), {}, source, restart=False)


@pytest.mark.parametrize(("form", "name"), [("csv", "list.csv"), ("bytes", "0.parquet"), ("manifest", "list.parquet")])
def test_a_restart_keeps_the_answers_where_the_source_is_of_no_use(greys, pack, out, form, name):
    source = Source.of(str(address := pack(greys(4), form)))
    prepare(out, {}, source, restart=False)
    (address.parent / name).write_bytes(b"no table")
    with pytest.raises(InvalidSettings, match=name):
        prepare(out, {}, source, restart=True)
    assert listed(f"{out}/{STATE}")


def test_a_source_that_changed_is_not_mixed_in(greys, pack, out):
    place = pack(greys(8), "tar")
    read(Source.of(str(place)), out)
    data, before = (place / "0.tar").read_bytes(), os.stat(place / "0.tar")
    (place / "0.tar").write_bytes(data + bytes(512))
    with pytest.raises(InvalidSettings, match=r"0\.tar"):
        read(Source.of(str(place)), out)
    (place / "0.tar").write_bytes(data[::-1])  # of equal size
    os.utime(place / "0.tar", (before.st_mtime, before.st_mtime + 5))
    for address in (place, place / "0.tar"):
        with pytest.raises(InvalidSettings, match=r"0\.tar"):
            read(Source.of(str(address)), out)


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    with pytest.raises(NotWritten):
        put(str(tmp_path / "missing"), "a.parquet", b"rows")
    assert counted(str(tmp_path), []) == (0, 0)
