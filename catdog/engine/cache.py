"""Converted models on disk: one folder each, which appears whole or not at all, checked when read."""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import shutil
import tempfile
import time
from pathlib import Path

from catdog.models.spec import sha256_of

# Goes up when conversions are made in another way: what specs say of int8 was measured on those of this one.
FORMAT = 2
MANIFEST = "manifest.json"
# Graph and weights: as they were converted, and, of a model that can be, quantized.
CONVERTED, QUANTIZED = ("model.xml", "model.bin"), ("int8.xml", "int8.bin")
# Names that nothing else in a folder has, as what is old of them gets removed.
PARTIAL = "catdog-partial-"
ENTRY = "[0-9a-f]" * 24 + "-openvino-*"
DAY = 24 * 60 * 60
# Seconds after which what nobody read, and what a killed process left, may go.
UNUSED, ABANDONED = 90 * DAY, DAY


def folder_of(cache: Path, sha256: str) -> Path:
    """Where the conversion of the `.h5` with this digest belongs."""
    return cache / f"{sha256[:24]}-openvino-{installed('openvino')}-{FORMAT}"


def find(cache: Path, sha256: str) -> Path | None:
    """The folder of a conversion that is there, whole, and made by the libraries that are installed."""
    folder = folder_of(cache, sha256)
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
        fits = manifest["sha256"] == sha256 and all(
            # Where a library is not installed, nothing newer could be made.
            manifest["versions"][name] == (installed(name) or manifest["versions"][name])
            for name in ("keras", "tensorflow")
        )
        files = manifest["files"]
        whole = {*CONVERTED} <= files.keys() <= {*CONVERTED, *QUANTIZED}
        if not (fits and whole) or any(sha256_of(folder / name) != digest for name, digest in files.items()):
            return None
    # Whatever a damaged disk can do to JSON.
    except (OSError, ValueError, TypeError, AttributeError, LookupError, RecursionError):
        return None
    with contextlib.suppress(OSError):  # a cache that can only be read is never cleaned either
        os.utime(folder)
    return folder


def describe(folder: Path, sha256: str, largest_difference: float) -> None:
    """Write the manifest, last of all: what is in the folder and how it was made."""
    versions = {name: installed(name) for name in ("openvino", "keras", "tensorflow")}
    files = {name: sha256_of(folder / name) for name in (*CONVERTED, *QUANTIZED) if (folder / name).exists()}
    manifest = {"sha256": sha256, "versions": versions, "files": files, "largest_difference": largest_difference}
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")


def workspace(parent: Path | None) -> tempfile.TemporaryDirectory[str]:
    """An empty folder to convert in: inside the cache, so that renaming is enough, or for None elsewhere."""
    if parent is not None:
        parent.mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryDirectory(prefix=PARTIAL, dir=parent, ignore_cleanup_errors=True)


def put(made: Path, cache: Path, sha256: str) -> Path:
    """Move a conversion from its workspace to its place; what another process put there first stays.

    Returns where it is, which for a cache that cannot be written is where it was.
    """
    _remove_unused(cache)
    place = folder_of(cache, sha256)
    # A rename fails where another process was faster, and where the cache cannot be written.
    with contextlib.suppress(OSError):
        if os.path.lexists(place) and find(cache, sha256) is None:
            # Into the workspace, to go with it: whoever reads it goes on, and nobody finds it half removed.
            os.rename(place, made.with_name("replaced-" + made.name))
    with contextlib.suppress(OSError):
        os.rename(made, place)
    return find(cache, sha256) or made


def installed(library: str) -> str | None:
    """The version of a library, without importing it."""
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        # TensorFlow goes by several names, and all that counts is what `import tensorflow` gives.
        return installed("tensorflow_cpu") if library == "tensorflow" else None


def _remove_unused(cache: Path) -> None:
    """Remove what no process has read for long, and what killed processes left."""
    for pattern, age in ((ENTRY, UNUSED), (PARTIAL + "*", ABANDONED)):
        for folder in cache.glob(pattern):
            with contextlib.suppress(OSError):
                if time.time() - folder.stat().st_mtime > age:
                    shutil.rmtree(folder)
