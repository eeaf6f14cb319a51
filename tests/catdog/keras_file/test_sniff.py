"""What is no model is named for what it is, before Keras is imported."""

from __future__ import annotations

import fcntl
import pickle
import zipfile

import h5py
import numpy as np
import pytest

from catdog.keras_file.read import read
from catdog.keras_file.refusals import REFUSALS, Refused
from tests.catdog.keras_file import recorded
from tests.processes import python


def hdf5(fill):
    def make(path):
        with h5py.File(path, "w") as file:
            fill(file)

    return make


def zipped(*names):
    def make(path):
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                archive.writestr(name, "x")

    return make


def cut(path):
    recorded.write(recorded.records()["grey"], path)
    path.write_bytes(path.read_bytes()[:5000])


def scrambled(path):
    recorded.write(recorded.records()["grey"], path)
    data = bytearray(path.read_bytes())
    data[600:9000] = bytes(range(200)) * 42
    path.write_bytes(data)


BAD = {
    "empty_file": lambda path: path.touch(),
    "git_lfs_pointer": lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n"),
    "web_page": lambda path: path.write_text("\n <!DOCTYPE html><html>"),
    "archive": lambda path: path.write_bytes(b"\x1f\x8b\x08 gzip"),
    "zip_file": zipped("readme.txt"),
    "pickle": lambda path: path.write_bytes(pickle.dumps({"weights": [1]})),
    "tensorflow_lite": lambda path: path.write_bytes(b"\0\0\0\0TFL3" + bytes(50)),
    "tensorflow_js": lambda path: path.write_text('{"modelTopology": {}, "weightsManifest": []}'),
    "arrays": hdf5(lambda file: file.create_dataset("x", data=[1])),
    "truncated": cut,
    "damaged": scrambled,
    "outside_data": hdf5(lambda file: file.__setitem__("x", h5py.ExternalLink("/etc/hostname", "y"))),
    "absurd_size": hdf5(lambda file: file.create_dataset("x", shape=(2**40,), chunks=(1024,))),
    "not_a_model": lambda path: path.write_bytes(b"something else"),
    "file_missing": lambda path: None,
}
MORE = [
    ("arrays", lambda path: np.savez(path.open("wb"), x=1)),
    ("pickle", zipped("archive/data.pkl", "archive/version")),
    ("outside_data", hdf5(lambda file: file.create_dataset("x", (4,), "f4", external=[("elsewhere.bin", 0, 16)]))),
    ("damaged", hdf5(lambda file: file.attrs.create("model_config", "[" * 20000))),
    ("weights_only", hdf5(lambda file: file.create_group("layers"))),
]


@pytest.mark.parametrize(("code", "make"), [*BAD.items(), *MORE])
def test_a_file_that_is_no_model_gets_its_own_code(code, make, tmp_path):
    make(path := tmp_path / "model.h5")
    with pytest.raises(Refused) as caught:
        read(path)
    assert caught.value.code == code and caught.value.code in REFUSALS
    assert str(caught.value).startswith("model.h5 ") and str(tmp_path) not in str(caught.value)


def test_a_file_that_cannot_be_opened_is_no_damaged_one(tmp_path):
    BAD["arrays"](path := tmp_path / "model.h5")
    with path.open("rb") as writing:
        fcntl.flock(writing, fcntl.LOCK_EX)  # as HDF5 does where it writes
        with pytest.raises(Refused, match="another program") as caught:
            read(path)
    assert caught.value.code == "file_unreadable"
    with pytest.raises(Refused) as caught:
        read(tmp_path / ("x" * 300))  # longer than a name may be
    assert caught.value.code == "file_unreadable"


def test_it_is_found_out_without_keras(tmp_path):
    BAD["arrays"](path := tmp_path / "model.h5")
    code = (
        "import sys; from pathlib import Path; from catdog.keras_file.read import read\n"
        f"try: read(Path({str(path)!r}))\n"
        "except ValueError as error: print(error.code, 'keras' in sys.modules)"
    )
    assert python(code).stdout == "arrays False\n"
