"""Photos out of Qt's resource files."""

from __future__ import annotations

import hashlib
import json
import struct

import pytest

from catdog.errors import InvalidSettings
from train.__main__ import main
from train.data import neither_photos
from train.data.qt_resources import ResourceError, files


def packed(tree: dict, *, version: int = 1, compressed: frozenset[str] = frozenset()) -> bytes:
    """A resource file of nested folders: name -> folder or content, as `rcc --binary` writes it."""
    nodes, names, contents = [("", tree)], b"", b""
    rows = []
    for name, value in nodes:
        name_at = len(names)
        names += struct.pack(">HI", len(name), 0) + name.encode("utf-16-be")
        if isinstance(value, dict):
            rows.append((name_at, 2, len(value), len(nodes)))
            nodes.extend(value.items())
        else:
            rows.append((name_at, int(name in compressed), 0, len(contents)))
            contents += struct.pack(">I", len(value)) + value
    tail = b"" if version < 2 else bytes(8)
    body = b"".join(struct.pack(">IHII", *row) + tail for row in rows)
    places = (20, 20 + len(body), 20 + len(body) + len(contents))
    return b"qres" + struct.pack(">IIII", version, *places) + body + contents + names


TREE = {"a": {"owl.webp": b"owl", "deep": {"cup é.webp": b"cup"}}, "top.txt": b""}


@pytest.mark.parametrize("version", [1, 2, 3])
def test_files_come_out_as_they_went_in_but_compressed_ones(version):
    expected = {"a/owl.webp": b"owl", "a/deep/cup é.webp": b"cup"}
    assert dict(files(packed(TREE, version=version, compressed=frozenset({"top.txt"})))) == expected


LOOP = b"qres" + struct.pack(">IIII", 1, 20, 34, 34) + struct.pack(">IHII", 0, 2, 1, 0) + bytes(8)


@pytest.mark.parametrize("content", [b"", b"RIFF", packed(TREE)[:25], packed(TREE)[:60], LOOP])
def test_what_is_no_resource_file_is_refused(content):
    with pytest.raises(ResourceError):
        list(files(content))


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package with one photo, and the list that names it."""
    folder = tmp_path / "rcc"
    folder.mkdir()
    tree = {"gcompris": {"src": {"activities": {"zoo": {"resource": {"owl.webp": b"owl"}}}}}}
    (folder / "zoo.rcc").write_bytes(packed(tree))
    owl = {"sha256": hashlib.sha256(b"owl").hexdigest()[:16], "licence": "CC0 1.0"}
    listed = {"package": "zoo 1", "photos": {"birds": {"zoo/owl.webp": owl}}}
    path = tmp_path / "neither_photos.json"
    path.write_text(json.dumps(listed))
    monkeypatch.setattr(neither_photos, "LIST", path)
    return folder


def test_listed_photos_are_written_per_kind(package, tmp_path, capsys):
    out = tmp_path / "out"
    for _ in range(2):
        assert main(["strangers", "--package", str(package), "--out", str(out)]) == 0
        assert json.loads(capsys.readouterr().out) == {"out": str(out), "birds": 1}
    assert {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*.webp")} == {
        "birds/zoo-owl.webp": b"owl"
    }
    assert "zoo 1: 1 under CC0 1.0" in (out / neither_photos.ABOUT).read_text()


def test_another_version_or_none_of_the_package_is_refused(package, tmp_path):
    tree = {"gcompris": {"src": {"activities": {"zoo": {"resource": {"owl.webp": b"another owl"}}}}}}
    (package / "zoo.rcc").write_bytes(packed(tree))
    with pytest.raises(InvalidSettings, match=r"owl\.webp.*zoo 1"):
        neither_photos.assemble(package, tmp_path / "out")
    with pytest.raises(InvalidSettings, match=r"zoo\.rcc"):
        neither_photos.assemble(tmp_path / "nowhere", tmp_path / "out")


def test_each_listed_photo_is_free_and_says_whose_it_is():
    listed = json.loads(neither_photos.LIST.read_text(encoding="utf-8"))
    photos = {name: known for kind in listed["photos"].values() for name, known in kind.items()}
    assert len(photos) == sum(map(len, listed["photos"].values())) >= 100
    assert len({known["sha256"] for known in photos.values()}) == len(photos)
    for known in photos.values():
        assert known["licence"] in ("public domain", "CC0 1.0")
        assert known["author"] and known["source"].startswith("https://")
        assert len(known["sha256"]) == 16
