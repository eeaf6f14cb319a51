"""Photos of a split -> one array on disk, decoded once as serving decodes them."""

import contextlib
import errno
import hashlib
import math
import os
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from catdog.errors import CatDogError
from catdog.photo.array import resized
from catdog.photo.decode import decode
from train.data.dataset import DatasetError, Split

# Part of the name of each file: raise it when photos are decoded in another way.
CACHE_VERSION = 2
CHUNK = 64
RESIZE = "stretch"  # as in the specs that `finish` writes
DAY = 24 * 60 * 60


def read(path: Path) -> Image.Image:
    """Decode a photo as serving does; raises DatasetError with its path."""
    try:
        return decode(path.read_bytes())
    except CatDogError as error:
        raise DatasetError(f"{path}: {error} Run `python -m train prepare`, which drops such files.") from error


def load_images(split: Split, size: int, *, cache: Path) -> np.ndarray:
    """Decode a split to a uint8 array (N, size, size, 3), as serving does.

    The array is a read-only memory map of a file in the folder `cache`, so it need not fit in memory. It is made anew
    when the path, size or time of change of a photo differs.
    """

    def fill(images: np.ndarray) -> None:
        with tqdm(total=len(split), desc=f"photos at {size} px", unit="photo") as bar, ThreadPoolExecutor() as pool:
            # In chunks: the pool would otherwise decode far ahead of a slow disk.
            for start in range(0, len(split), CHUNK):
                paths = split.paths[start : start + CHUNK]
                for index, image in enumerate(pool.map(lambda path: resized(read(path), size, RESIZE), paths), start):
                    images[index] = image
                    bar.update()

    return cached(cache / f"photos-{fingerprint(split, size, RESIZE)}.npy", (len(split), size, size, 3), np.uint8, fill)


def cached(path: Path, shape: tuple[int, ...], dtype, fill: Callable[[np.ndarray], None]) -> np.ndarray:
    """A read-only memory map of an array that `fill` writes once; the file appears whole or not at all."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(path.parent)
        _require_space(path.parent, math.prod(shape) * np.dtype(dtype).itemsize)
        partial = path.with_suffix(f".{os.getpid()}.partial")
        try:
            array = np.lib.format.open_memmap(partial, "w+", dtype, shape)
            fill(array)
            array.flush()
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)
    return np.load(path, mmap_mode="r")


def _require_space(folder: Path, size: int) -> None:
    """Raise OSError where the disk is too full: writing to a memory map would then kill the process."""
    if shutil.disk_usage(folder).free < size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))


def _remove_abandoned(cache: Path) -> None:
    """Remove files of gigabytes that killed processes left half-written, after a day."""
    for partial in cache.glob("*.partial"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - partial.stat().st_mtime > DAY:
                partial.unlink()


def fingerprint(split: Split, *what: object) -> str:
    """A short name for what is made of exactly these files, as they are now, and of `what`."""
    name = hashlib.sha256(f"{CACHE_VERSION} {what}".encode())
    for path in split.paths:
        stat = path.stat()
        file = f"\n{path.resolve()} {stat.st_size} {stat.st_mtime_ns}"
        name.update(file.encode(errors="surrogateescape"))
    return name.hexdigest()[:16]
