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

from ..spec import sha256_of

FORMAT = 1
MANIFEST, GRAPH, WEIGHTS = "manifest.json", "model.xml", "model.bin"
UNUSED = 90 * 24 * 60 * 60  # seconds after which a conversion that nobody read may go


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
        if not fits or any(sha256_of(folder / name) != digest for name, digest in manifest["files"].items()):
            return None
    except (OSError, ValueError, TypeError, LookupError, AttributeError):  # whatever a damaged disk can do to JSON
        return None
    with contextlib.suppress(OSError):  # a cache that can only be read is never cleaned either
        os.utime(folder)
    return folder


def describe(folder: Path, sha256: str, largest_difference: float) -> None:
    """Write the manifest, last of all: what is in the folder and how it was made."""
    versions = {name: installed(name) for name in ("openvino", "keras", "tensorflow")}
    files = {name: sha256_of(folder / name) for name in (GRAPH, WEIGHTS)}
    manifest = {"sha256": sha256, "versions": versions, "files": files, "largest_difference": largest_difference}
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")


@contextlib.contextmanager
def workspace(parent: Path | None):
    """An empty folder to convert in: inside the cache, so that renaming is enough, or for None elsewhere."""
    if parent is not None:
        parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="partial-", dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def put(made: Path, cache: Path, sha256: str) -> Path:
    """Move a conversion to its place and return where it is; what another process put there first stays."""
    _remove_unused(cache)
    place = folder_of(cache, sha256)
    if place.exists() and find(cache, sha256) is None:
        # Renamed first: a process that reads it goes on, and none finds it half removed.
        aside = made.with_name("replaced-" + made.name)
        with contextlib.suppress(FileNotFoundError):  # another process was faster
            os.rename(place, aside)
        shutil.rmtree(aside, ignore_errors=True)
    with contextlib.suppress(FileExistsError, OSError):
        os.rename(made, place)
    return place if find(cache, sha256) else made


def installed(library: str) -> str | None:
    """The version of a library, without importing it."""
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        # TensorFlow goes by several names, and all that counts is what `import tensorflow` gives.
        return installed("tensorflow_cpu") if library == "tensorflow" else None


def _remove_unused(cache: Path) -> None:
    """Remove what no process has read for long, and what killed processes left."""
    for folder in [*cache.glob(f"*-openvino-*-{FORMAT}"), *cache.glob("partial-*")]:
        with contextlib.suppress(OSError):
            if time.time() - folder.stat().st_mtime > UNUSED:
                shutil.rmtree(folder)
