"""Photos out of resource files of Qt."""

import hashlib
import json
import struct

import pytest

from catdog.errors import InvalidSettings
from train.__main__ import main
from train.data import neither_photos


def photo(content: bytes) -> bytes:
    """What stands for a WebP file."""
    return b"RIFF" + struct.pack("<I", 4 + len(content)) + b"WEBP" + content


OWL = photo(b"an owl, RIFF and all")


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package with one photo, and the list that names it."""
    folder = tmp_path / "rcc"
    folder.mkdir()
    (folder / "zoo.rcc").write_bytes(b"qres, RIFF, WEBP" + photo(b"a cup") + OWL + b"names")
    owl = {"sha256": hashlib.sha256(OWL).hexdigest()[:16], "licence": "CC0 1.0"}
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
        "birds/zoo-owl.webp": OWL
    }
    assert "zoo 1: 1 under CC0 1.0" in (out / neither_photos.ABOUT).read_text()


def test_another_version_or_none_of_the_package_is_refused(package, tmp_path):
    (package / "zoo.rcc").write_bytes(photo(b"another owl"))
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
