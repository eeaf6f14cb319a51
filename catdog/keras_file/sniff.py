"""What a file is, by its first bytes: no suffix is believed, and no more than HEAD bytes are read."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import Literal

from catdog.keras_file.refusals import refused

HEAD = 4096
HDF5 = b"\x89HDF\r\n\x1a\n"
ZIP = b"PK\x03\x04"
# How files begin that are none of the kinds below, by the code of their refusal.
BEGINNINGS = {
    "empty_file": rb"\Z",
    "git_lfs_pointer": rb"(?i)(\xef\xbb\xbf)?\s*version https://git-lfs",
    "web_page": rb"(?i)(\xef\xbb\xbf)?\s*<(!doctype|!--|html|head|\?xml|script)",
    "archive": rb"\x1f\x8b|BZh|\xfd7zXZ|7z\xbc\xaf\x27\x1c|Rar!|PK\x05\x06|.{257}ustar",
    "arrays": rb"\x93NUMPY",
    "tensorflow_lite": rb".{4}TFL3",
    "pickle": rb"\x80[\0-\5]",
}
# What is known by its name, and no model of Keras.
OTHERS = {
    "saved_model.pb": "saved_model", "keras_metadata.pb": "saved_model", ".tflite": "tensorflow_lite", ".pkl": "pickle",
    ".pickle": "pickle", ".joblib": "pickle", ".pth": "pickle", ".pt": "pickle",
}  # fmt: skip
KERAS = {"config.json", "model.weights.h5"}

Kind = Literal["h5", "keras", "json", "zip"]


def kind_of(path: Path) -> Kind:
    """HDF5, a `.keras` archive, JSON, or another zip file; raises Refused for anything else."""
    try:
        with path.open("rb") as stream:
            head = stream.read(HEAD)
    except FileNotFoundError as error:
        raise refused("file_missing", path.name) from error
    except OSError as error:
        raise refused("file_unreadable", path.name, reason=error.strerror) from error
    if head.startswith(HDF5):
        return "h5"
    if head.startswith(ZIP):
        return _kind_of_zip(path)
    if head.lstrip()[:1] == b"{":
        return "json"
    found = (code for code, pattern in BEGINNINGS.items() if re.match(pattern, head, re.DOTALL))
    raise refused(next(found, None) or other(path) or "not_a_model", path.name)


def other(*paths: Path) -> str | None:
    """The refusal code for the first of these files whose name says that it is no Keras model, if any."""
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
