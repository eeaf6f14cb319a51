"""Converted models on disk: whole and checked, or not there. No library is needed to test that."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from catdog.engine import cache
from tests.damage import flip_a_bit

SHA256 = "ab" * 32
OLD = 100 * 24 * 60 * 60  # seconds


def made(folder: Path, content: bytes = b"weights", sha256: str = SHA256) -> Path:
    """What a conversion leaves in its folder."""
    folder.mkdir(parents=True)
    for graph, weights in (cache.CONVERTED, cache.QUANTIZED):
        (folder / graph).write_text("<net/>")
        (folder / weights).write_bytes(content)
    cache.describe(folder, sha256, 1e-7)
    return folder


@pytest.fixture
def entry(tmp_path) -> Path:
    """A good conversion in its place in the cache `tmp_path`."""
    return made(cache.folder_of(tmp_path, SHA256))


def change(folder: Path, **changes) -> None:
    manifest = json.loads((folder / cache.MANIFEST).read_text())
    (folder / cache.MANIFEST).write_text(json.dumps(manifest | changes))


def replace_by(folder: Path, make) -> None:
    shutil.rmtree(folder)
    make(folder)


DAMAGES = {
    "truncated weights": lambda entry: os.truncate(entry / cache.CONVERTED[1], 3),
    "changed byte of the weights": lambda entry: flip_a_bit(entry / cache.CONVERTED[1]),
    "changed byte of the graph": lambda entry: flip_a_bit(entry / cache.CONVERTED[0]),
    "missing weights": lambda entry: (entry / cache.CONVERTED[1]).unlink(),
    "changed byte of the quantized weights": lambda entry: flip_a_bit(entry / cache.QUANTIZED[1]),
    "missing quantized graph": lambda entry: (entry / cache.QUANTIZED[0]).unlink(),
    "manifest that forgets the weights": lambda entry: change(entry, files={}),
    "manifest of other files": lambda entry: change(entry, files=[]),
    "missing manifest": lambda entry: (entry / cache.MANIFEST).unlink(),
    "empty manifest": lambda entry: (entry / cache.MANIFEST).write_bytes(b""),
    "cut manifest": lambda entry: os.truncate(entry / cache.MANIFEST, 40),
    "binary manifest": lambda entry: (entry / cache.MANIFEST).write_bytes(b"\xff\x00" * 50),
    "deep manifest": lambda entry: (entry / cache.MANIFEST).write_text("[" * 200_000),
    "manifest that is a list": lambda entry: (entry / cache.MANIFEST).write_text("[]"),
    "manifest that is a number": lambda entry: (entry / cache.MANIFEST).write_text("7"),
    "manifest with wrong types": lambda entry: change(entry, files=[1], versions="new"),
    "manifest of another model": lambda entry: change(entry, sha256="cd" * 32),
    "empty folder": lambda entry: replace_by(entry, Path.mkdir),
    "file instead of the folder": lambda entry: replace_by(entry, Path.touch),
    "link to nowhere": lambda entry: replace_by(entry, lambda path: path.symlink_to("nowhere")),
}


def test_a_good_entry_is_found_and_nothing_else(entry, tmp_path):
    assert cache.find(tmp_path, SHA256) == entry
    assert cache.find(tmp_path, "cd" * 32) is None
    assert cache.find(tmp_path / "none", SHA256) is None


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_entry_is_not_found_and_gives_way_to_a_good_one(entry, tmp_path, damage):
    damage(entry)
    assert cache.find(tmp_path, SHA256) is None
    with cache.workspace(tmp_path) as workspace:
        new = made(Path(workspace) / "0", b"new weights")
        assert cache.put(new, tmp_path, SHA256) == entry
    assert cache.find(tmp_path, SHA256) == entry
    assert (entry / cache.CONVERTED[1]).read_bytes() == b"new weights"
    assert list(tmp_path.iterdir()) == [entry]


def test_of_two_processes_the_first_one_fills_the_cache(entry, tmp_path):
    assert cache.put(made(tmp_path / "work" / "0", b"of the second"), tmp_path, SHA256) == entry
    assert (entry / cache.CONVERTED[1]).read_bytes() == b"weights"


@pytest.mark.parametrize(
    ("versions", "found"),
    [
        ({"openvino": "99.0"}, False), ({"keras": "99.0"}, False), ({"tensorflow": "99.0"}, False),
        ({"keras": None, "tensorflow": None}, True),  # without the libraries that convert, any version will do
    ],
)  # fmt: skip
def test_what_other_versions_made_is_not_found(entry, tmp_path, monkeypatch, versions, found):
    installed = cache.installed
    monkeypatch.setattr(cache, "installed", lambda name: versions.get(name, installed(name)))
    assert cache.find(tmp_path, SHA256) == (entry if found else None)


def test_versions_are_those_that_the_libraries_say_of_themselves():
    import keras
    import openvino
    import tensorflow

    assert cache.installed("keras") == keras.__version__
    assert cache.installed("tensorflow") == tensorflow.__version__
    assert openvino.__version__.startswith(cache.installed("openvino"))
    assert cache.installed("no-such-library") is None


@pytest.mark.parametrize("name", ["file", "x" * 300])  # no folder can be made in these, whoever asks
def test_a_place_that_cannot_be_taken_leaves_the_conversion_where_it_is(name, tmp_path):
    (tmp_path / "file").touch()
    new = made(tmp_path / "work" / "0")
    assert cache.put(new, tmp_path / name, SHA256) == new


def test_the_workspace_is_inside_the_cache_and_goes_with_all_that_is_in_it(tmp_path):
    with cache.workspace(tmp_path / "a" / "b") as workspace:
        assert Path(workspace).parent == tmp_path / "a" / "b"
        (Path(workspace) / "rest").mkdir()
    assert list((tmp_path / "a" / "b").iterdir()) == []
    with cache.workspace(None) as elsewhere:
        assert Path(elsewhere).is_dir()
    with pytest.raises(OSError), cache.workspace(Path("/dev/null")):
        pass


def aged(path: Path, seconds: float) -> Path:
    time = path.stat().st_mtime - seconds
    os.utime(path, (time, time))
    return path


def test_what_nobody_read_for_long_is_removed_and_nothing_else(tmp_path):
    def entry_of(digit: str) -> Path:
        return made(cache.folder_of(tmp_path, digit * 64), sha256=digit * 64)

    unused, killed = aged(entry_of("1"), OLD), aged(made(tmp_path / f"{cache.PARTIAL}x"), OLD)
    of_old_library = aged(made(tmp_path / f"{'2' * 24}-openvino-2020.1-0"), OLD)
    read = aged(entry_of("3"), OLD)
    running = made(tmp_path / f"{cache.PARTIAL}y")
    # What a person may keep in a folder that CATDOG_CACHE names.
    others = [aged(made(tmp_path / name), OLD) for name in ("partial-results", "my-openvino-models", "openvino")]
    assert cache.find(tmp_path, "3" * 64) == read

    new = made(tmp_path / "work" / "0", sha256="4" * 64)
    placed = cache.put(new, tmp_path, "4" * 64)
    assert placed == cache.folder_of(tmp_path, "4" * 64)
    assert not any(folder.exists() for folder in (unused, killed, of_old_library))
    assert all(folder.exists() for folder in (read, running, placed, *others))
