"""Open an HDF5 file of Keras only if all of it lies in the file and fits into memory."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py

from catdog.keras_file.refusals import Refused, refused

MOST_OBJECTS = 100_000
LARGEST = 2 * 2**30  # bytes of all arrays: the largest network of keras.applications takes 1.3 GB
# A dataset may be compressed, but not to less than this share. Unwritten ones take no bytes at all.
LEAST_STORED, ALWAYS_FITS = 1 / 1000, 64 * 2**20


@contextlib.contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """The open file, after a check that all its data lie in it and fit into memory; raises Refused."""
    try:
        with h5py.File(path, "r") as file:
            _check(file, path.name)
            yield file
    except Refused:
        raise
    except BlockingIOError as error:  # HDF5 locks what it writes
        reason = "another program has it open for writing: close it there first"
        raise refused("file_unreadable", path.name, reason=reason) from error
    except (OSError, RuntimeError, ValueError, LookupError, TypeError, AttributeError) as error:  # h5py's
        text = str(error)
        code = "truncated" if "truncated" in text else "damaged"
        raise refused(code, path.name, reason=type(error).__name__) from error


def config_of(file: h5py.File, name: str) -> dict[str, Any]:
    """The model's config in an open file; raises Refused where it has none."""
    if "model_config" not in file.attrs:
        holds_weights = "layer_names" in file.attrs or {"layers", "_layer_checkpoint_dependencies"} & {*file}
        raise refused("weights_only" if holds_weights else "arrays", name)
    return parsed(file.attrs["model_config"], name)


def parsed(text: str | bytes, name: str) -> dict[str, Any]:
    """JSON that must be an object; raises Refused."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError, TypeError) as error:
        raise refused("damaged", name, reason=type(error).__name__) from error
    if not isinstance(content, dict):
        raise refused("damaged", name, reason="its description is no object")
    return content


def strings(group: h5py.Group, name: str) -> list[str]:
    """A list of names, which Keras cuts into `name0`, `name1`, ... where it is long."""
    parts = [name, *(f"{name}{number}" for number in range(len(group.attrs)))]
    found = [text for part in parts if part in group.attrs for text in group.attrs[part]]
    return [text.decode() if isinstance(text, bytes) else str(text) for text in found]


def numbers_in(file: h5py.File) -> int:
    """How many numbers all arrays of a file have."""
    found: list[int] = []
    file.visititems(lambda _, item: found.append(item.size or 0) if isinstance(item, h5py.Dataset) else None)
    return sum(found)


def _check(file: h5py.File, name: str) -> None:
    """Raise Refused for data that lies elsewhere, or that takes too much memory."""
    count = total = 0

    # An error raised inside of h5py's visits would be lost; what is returned ends them.
    def look(_: str, link: Any) -> Refused | None:
        nonlocal count
        count += 1
        if count > MOST_OBJECTS:
            return refused("absurd_size", name, reason=f"more than {MOST_OBJECTS} arrays")
        return None if isinstance(link, h5py.HardLink) else refused("outside_data", name)

    def weigh(_: str, item: Any) -> Refused | None:
        nonlocal total
        if not isinstance(item, h5py.Dataset):
            return None
        if item.external or item.is_virtual:
            return refused("outside_data", name)
        size = math.prod(item.shape or ()) * item.dtype.itemsize
        total += size
        if total > LARGEST or (size > ALWAYS_FITS and item.id.get_storage_size() < size * LEAST_STORED):
            return refused("absurd_size", name, reason=f"an array of shape {item.shape}")
        return None

    if problem := file.visititems_links(look) or file.visititems(weigh):
        raise problem
