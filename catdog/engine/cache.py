"""Converted models on disk: a folder each, which appears whole or not at all and is checked when it is read."""

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

# Increase it when the conversion changes: the figures of int8 in specs hold for conversions of this format.
FORMAT = 4
MANIFEST = "manifest.json"
# Graph and weights, in float32 and, where the model can be quantized, in int8.
CONVERTED, QUANTIZED = ("model.xml", "model.bin"), ("int8.xml", "int8.bin")
# Only folders with such names are ever removed.
PARTIAL = "catdog-partial-"
ENTRY = "[0-9a-f]" * 24 + "-openvino-*"
DAY = 24 * 60 * 60
# Seconds after which unused conversions, and leftovers of killed processes, are removed.
UNUSED, ABANDONED = 90 * DAY, DAY


def folder_of(cache: Path, sha256: str) -> Path:
    """Where the conversion of the `.h5` with this digest is kept."""
    return cache / f"{sha256[:24]}-openvino-{installed('openvino')}-{FORMAT}"


def find(cache: Path, sha256: str) -> Path | None:
    """The folder of a complete conversion that was made by the installed libraries, or None."""
    folder = folder_of(cache, sha256)
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
        fits = manifest["sha256"] == sha256 and all(
            # Any version will do if the library is missing, as no other conversion could be made.
            manifest["versions"][name] == (installed(name) or manifest["versions"][name])
            for name in ("keras", "tensorflow")
        )
        files = manifest["files"]
        whole = {*CONVERTED} <= files.keys() <= {*CONVERTED, *QUANTIZED}
        if not (fits and whole) or any(sha256_of(folder / name) != digest for name, digest in files.items()):
            return None
    except (OSError, ValueError, TypeError, AttributeError, LookupError, RecursionError):  # damaged JSON
        return None
    with contextlib.suppress(OSError):  # a read-only cache is not cleaned either
        os.utime(folder)
    return folder


def describe(folder: Path, sha256: str, largest_difference: float) -> None:
    """Write the manifest, after all other files: what is in the folder and how it was made."""
    versions = {name: installed(name) for name in ("openvino", "keras", "tensorflow")}
    files = {name: sha256_of(folder / name) for name in (*CONVERTED, *QUANTIZED) if (folder / name).exists()}
    manifest = {"sha256": sha256, "versions": versions, "files": files, "largest_difference": largest_difference}
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")


def workspace(parent: Path | None) -> tempfile.TemporaryDirectory[str]:
    """An empty folder to convert in: inside the cache, so that it can be renamed, or for None a temporary one."""
    if parent is not None:
        parent.mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryDirectory(prefix=PARTIAL, dir=parent, ignore_cleanup_errors=True)


def put(made: Path, cache: Path, sha256: str) -> Path:
    """Move a conversion into the cache, unless another process already put one there.

    Returns its folder in the cache, or `made` if the cache cannot be written.
    """
    with contextlib.suppress(OSError):  # of a cache that cannot even be looked into
        _remove_unused(cache)
    place = folder_of(cache, sha256)
    # Renaming fails if another process was faster, or the cache cannot be written.
    with contextlib.suppress(OSError):
        if os.path.lexists(place) and find(cache, sha256) is None:
            # It is deleted with the workspace: a process that reads it can go on, and none finds it half removed.
            os.rename(place, made.with_name("replaced-" + made.name))
    with contextlib.suppress(OSError):
        os.rename(made, place)
    return find(cache, sha256) or made


def installed(library: str) -> str | None:
    """The version of a library, without importing it."""
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        # TensorFlow is distributed under two names.
        return installed("tensorflow_cpu") if library == "tensorflow" else None


def _remove_unused(cache: Path) -> None:
    """Remove conversions that were not used for UNUSED seconds, and leftovers of killed processes after ABANDONED."""
    for pattern, age in ((ENTRY, UNUSED), (PARTIAL + "*", ABANDONED)):
        for folder in cache.glob(pattern):
            with contextlib.suppress(OSError):
                if time.time() - folder.stat().st_mtime > age:
                    shutil.rmtree(folder)
