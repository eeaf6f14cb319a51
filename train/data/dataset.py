"""Folders of photos -> sorted, labelled arrays and shuffled batches.

A data folder holds `{train,val,test}/{cats,dogs}/photo.jpg`, or other class folders: one folder is
one class, in sorted order.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import math
import os
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from PIL import Image
from tqdm import tqdm

from catdog.errors import CatDogError, InvalidSettings
from catdog.photo.array import resized
from catdog.photo.decode import EXTENSIONS, decode

SPLITS = ("train", "val", "test")
# Folders are named in the plural by habit; a verdict is about one animal.
CLASS_OF_FOLDER = {"cats": "cat", "dogs": "dog"}
CACHE_VERSION = 1
CHUNK = 64
DAY = 24 * 60 * 60


class DatasetError(CatDogError, ValueError):
    """A data folder that cannot be trained on or measured."""

    code = "invalid_dataset"


@dataclass(frozen=True)
class Split:
    """The labelled files of one split.

    classes  class names, sorted by folder name
    paths    files, sorted by folder and name
    labels   (len(paths),) int64, index into classes
    """

    classes: tuple[str, ...]
    paths: tuple[Path, ...]
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.paths)

    def head(self, per_class: int | None) -> Split:
        """The first photos of each class, for a quick try; all of them with None."""
        if per_class is None:
            return self
        if per_class < 1:
            raise InvalidSettings(f"The limit of photos per class must be at least 1. Received: {per_class}.")
        keep = np.concatenate([np.flatnonzero(self.labels == k)[:per_class] for k in range(len(self.classes))])
        return Split(self.classes, tuple(self.paths[i] for i in keep), self.labels[keep])


def find(data: str | os.PathLike[str], split: str) -> Split:
    """List the photos of one split in sorted order.

    Hidden folders, such as a notebook's checkpoints, are no classes. Raises DatasetError that names
    the folder when it, or one of its classes, holds no photo, or has a name that no spec can hold.
    """
    folder = Path(data) / split
    folders = visible_folders(folder)
    if len(folders) < 2:
        raise DatasetError(
            f"{folder} must hold one folder per class, at least two, such as cats/ and dogs/; "
            f"found {[p.name for p in folders]}."
        )
    paths, labels = [], []
    for index, class_folder in enumerate(folders):
        if class_folder.name.encode(errors="ignore").decode() != class_folder.name:
            raise DatasetError(f"The name of the class folder {str(class_folder)!r} is not UTF-8; rename it.")
        files = sorted(p for p in class_folder.iterdir() if is_photo(p))
        if not files:
            raise DatasetError(f"{class_folder} holds no photo; accepted are {', '.join(EXTENSIONS)}.")
        paths += files
        labels += [index] * len(files)
    classes = tuple(CLASS_OF_FOLDER.get(p.name, p.name) for p in folders)
    if len(set(classes)) < len(classes):
        raise DatasetError(f"{folder} holds two folders of one class; found {[p.name for p in folders]}.")
    return Split(classes, tuple(paths), np.array(labels, dtype=np.int64))


def find_training(data: str | os.PathLike[str], limit: int | None = None) -> tuple[Split, Split]:
    """The splits train and val, at most `limit` photos of each class.

    Raises DatasetError when they do not have the same classes: labels are positions among them.
    """
    train, val = (find(data, split).head(limit) for split in ("train", "val"))
    if train.classes != val.classes:
        raise DatasetError(
            f"{Path(data) / 'train'} and {Path(data) / 'val'} must hold the same classes; "
            f"found {', '.join(train.classes)} and {', '.join(val.classes)}."
        )
    return train, val


def visible_folders(folder: Path) -> list[Path]:
    """The folders in a folder, sorted, without hidden ones; none where there is no such folder."""
    return sorted(p for p in folder.iterdir() if is_visible(p) and p.is_dir()) if folder.is_dir() else []


def is_visible(path: Path) -> bool:
    return not path.name.startswith(".")


def is_photo(path: Path) -> bool:
    """Whether a path looks like a photo of the dataset: a visible file with a known extension."""
    return path.suffix.lower() in EXTENSIONS and is_visible(path) and path.is_file()


def read(path: Path) -> Image.Image:
    """Decode a photo as serving does; raise DatasetError that names it when that fails."""
    try:
        return decode(path.read_bytes())
    except CatDogError as error:
        raise DatasetError(f"{path}: {error} Run `python -m train prepare`, which drops such files.") from error


def load_images(split: Split, size: int, *, resize: str = "stretch", cache: Path) -> np.ndarray:
    """Decode a split to a uint8 array (N, size, size, 3), through the serving `decode`.

    The array is a read-only memory map in the folder `cache`, made once and reused while the same
    files (path, size and time of change) are asked for, so data need not fit in memory.
    """
    shape = (len(split), size, size, 3)
    path = cache / f"photos-{fingerprint(split, size, resize)}.npy"
    return cached(path, shape, np.uint8, lambda images: _fill(images, split, size, resize))


def decoded(split: Split, size: int, resize: str = "stretch") -> Iterator[np.ndarray]:
    """Yield each photo of a split as uint8 (size, size, 3), in order, with a progress bar."""

    def one(path: Path) -> np.ndarray:
        return resized(read(path), size, resize)

    bar = tqdm(total=len(split), desc=f"photos at {size} px", unit="photo")
    with bar, ThreadPoolExecutor() as pool:
        # In chunks: the pool would otherwise decode far ahead of a slow reader.
        for start in range(0, len(split), CHUNK):
            for image in pool.map(one, split.paths[start : start + CHUNK]):
                bar.update()
                yield image


def _fill(images: np.ndarray, split: Split, size: int, resize: str) -> None:
    for index, image in enumerate(decoded(split, size, resize)):
        images[index] = image


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
    """Raise OSError where the disk is too full: writing to a memory map there would kill the process."""
    if shutil.disk_usage(folder).free < size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))


def _remove_abandoned(cache: Path) -> None:
    """Remove what killed processes left: gigabytes that nobody would miss, or find."""
    for partial in cache.glob("*.partial"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - partial.stat().st_mtime > DAY:
                partial.unlink()


def digest(*splits: Split) -> str:
    """A short name for which photos these splits hold, of which class, wherever their folder lies."""
    photos = [f"{path.parent.name}/{path.name} {path.stat().st_size}" for split in splits for path in split.paths]
    return hashlib.sha256("\n".join(photos).encode(errors="surrogateescape")).hexdigest()[:16]


def fingerprint(split: Split, *what: object) -> str:
    """A short name for `what` is made of exactly these files."""
    name = hashlib.sha256(f"{CACHE_VERSION} {what}".encode())
    for path in split.paths:
        stat = path.stat()
        file = f"\n{path.resolve()} {stat.st_size} {stat.st_mtime_ns}"
        name.update(file.encode(errors="surrogateescape"))
    return name.hexdigest()[:16]


class Batches(keras.utils.PyDataset):
    """Batches of ({"photos": uint8 images, "shares": float32 (B, 1)}, float32 targets).

    Shuffled anew in each epoch from a seed. What epoch e holds depends on (seed, e) alone, so a
    resumed run sees what an unbroken one would have seen. Targets have shape (B, 1) for two classes
    (1 is the second class) and are one-hot of shape (B, classes) for more.

    `cutmix` is how many of the photos, 0..1, `augment.CutMix` is to mix with the one at the same
    place of the reversed batch: their shares are below 1, and their targets are mixed by them.
    """

    def __init__(
        self,
        images,
        labels,
        classes: int,
        batch_size: int,
        *,
        shuffle_seed: int | None = None,
        epoch: int = 0,
        cutmix: float = 0.0,
    ):
        super().__init__(workers=1)
        self.images, self.labels, self.classes, self.batch_size = images, labels, classes, batch_size
        self.seed, self.epoch, self.cutmix = shuffle_seed, epoch, cutmix
        self._shuffle()

    def __len__(self) -> int:
        count = len(self.labels)
        # Training drops the last partial batch: one more compiled shape for a handful of photos.
        return max(1, count // self.batch_size) if self.seed is not None else -(-count // self.batch_size)

    def __getitem__(self, index: int):
        rows = self.order[index * self.batch_size : (index + 1) * self.batch_size]
        whole, shares = targets(self.labels[rows], self.classes), self.shares[rows]
        return {"photos": self.images[rows], "shares": shares}, shares * whole + (1 - shares) * whole[::-1]

    def on_epoch_end(self) -> None:
        self.epoch += 1
        self._shuffle()

    def _shuffle(self) -> None:
        self.order = np.arange(len(self.labels))
        self.shares = np.ones((len(self.labels), 1), np.float32)
        if self.seed is not None:
            random = np.random.default_rng((self.seed, self.epoch))
            random.shuffle(self.order)
            mixed = random.random(self.shares.shape) < self.cutmix
            self.shares[mixed] = random.random(mixed.sum())


def targets(labels: np.ndarray, classes: int) -> np.ndarray:
    """Labels (B,) to float32 targets: (B, 1) for two classes, one-hot (B, classes) for more."""
    if classes == 2:
        return labels[:, None].astype(np.float32)
    return np.eye(classes, dtype=np.float32)[labels]
