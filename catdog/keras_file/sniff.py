"""What a file is, by its first bytes: no suffix is believed, and no more than HEAD bytes are read."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Literal

from catdog.keras_file.refusals import refused

HEAD = 4096
HDF5 = b"\x89HDF\r\n\x1a\n"
ZIP = b"PK\x03\x04"
ARCHIVES = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"7z\xbc\xaf\x27\x1c", b"Rar!", b"PK\x05\x06")
PAGE = (b"<!doctype", b"<!--", b"<html", b"<head", b"<?xml", b"<script")
# What is known by its name, and no model of Keras.
OTHERS = {
    "saved_model.pb": "saved_model", "keras_metadata.pb": "saved_model", ".tflite": "tensorflow_lite", ".pkl": "pickle",
    ".pickle": "pickle", ".joblib": "pickle", ".pth": "pickle", ".pt": "pickle",
}  # fmt: skip
KERAS = {"config.json", "model.weights.h5"}

Kind = Literal["h5", "keras", "json", "zip"]


def kind_of(path: Path) -> Kind:
    """HDF5, a `.keras` archive, JSON, or another zip file; raises Refused for anything else."""
    if not path.exists():
        raise refused("file_missing", path.name)
    try:
        with path.open("rb") as stream:
            head = stream.read(HEAD)
    except OSError as error:
        raise refused("file_unreadable", path.name, reason=error.strerror) from error
    if head.startswith(HDF5):
        return "h5"
    if head.startswith(ZIP):
        return _kind_of_zip(path)
    if head.lstrip()[:1] == b"{":
        return "json"
    raise refused(_problem(head, path), path.name)


def _problem(head: bytes, path: Path) -> str:
    """The code of a file that is none of the kinds."""
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not head:
        return "empty_file"
    if text.startswith(b"version https://git-lfs"):
        return "git_lfs_pointer"
    if text.startswith(PAGE):
        return "web_page"
    if head.startswith(ARCHIVES) or head[257:262] == b"ustar":
        return "archive"
    if head.startswith(b"\x93NUMPY"):
        return "arrays"
    if head[4:8] == b"TFL3":
        return "tensorflow_lite"
    if head[0] == 0x80 and head[1:2] <= b"\x05":
        return "pickle"
    return other(path) or "not_a_model"


def other(*paths: Path) -> str | None:
    """The code of the first file whose name says that it is no model of Keras."""
    return next((OTHERS[key] for path in paths for key in (path.name, path.suffix.lower()) if key in OTHERS), None)


def _kind_of_zip(path: Path) -> Kind:
    try:
        with zipfile.ZipFile(path) as archive:
            names = {*archive.namelist()}
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:  # its directory is at the end
        raise refused("truncated", path.name) from error
    if names >= KERAS:
        return "keras"
    endings = {name.rpartition("/")[2] for name in names}
    if "data.pkl" in endings:  # PyTorch's
        raise refused("pickle", path.name)
    if names and all(name.endswith(".npy") for name in names):
        raise refused("arrays", path.name)
    return "zip"
