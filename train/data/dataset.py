"""Folders of photos -> sorted, labelled arrays and shuffled batches.

A data folder holds `{train,val,test}/{cats,dogs}/photo.jpg`, or other class folders: one folder is
one class, in sorted order. Beside them may lie two that are no classes: `neither`, with photos of none
of them, and in train `unlabelled`, with photos of which nobody said what they show.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import math
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
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
from train.data.degrade import degraded

SPLITS = ("train", "val", "test")
# Folders are named in the plural by habit; a verdict is about one animal.
CLASS_OF_FOLDER = {"cats": "cat", "dogs": "dog"}
NEITHER, UNLABELLED = "neither", "unlabelled"
UNKNOWN = -1  # the label of a photo without one
# Photos of neither whose longer side has at most so many pixels count as small.
SMALL = 100
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
    labels   (len(paths),) int64, index into classes; len(classes) for a photo of neither, UNKNOWN for one
             without a label
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
        labels = [*range(len(self.classes) + 1), UNKNOWN]
        return self.at(np.concatenate([np.flatnonzero(self.labels == k)[:per_class] for k in labels]))

    def at(self, rows: np.ndarray) -> Split:
        """The photos in these places, or where these (len(self),) truth values say so."""
        rows = np.arange(len(self))[rows]
        return Split(self.classes, tuple(self.paths[i] for i in rows), self.labels[rows])

    @property
    def of_classes(self) -> Split:
        return self.at((self.labels >= 0) & (self.labels < len(self.classes)))

    @property
    def of_neither(self) -> Split:
        return self.at(self.labels == len(self.classes))


def joined(first: Split, *others: Split) -> Split:
    """The photos of several splits with the same classes, in order."""
    splits = [first, *others]
    paths = tuple(path for split in splits for path in split.paths)
    return Split(first.classes, paths, np.concatenate([split.labels for split in splits]))


def find(data: str | os.PathLike[str], split: str) -> Split:
    """List the photos of the classes of one split in sorted order.

    Hidden folders, such as a notebook's checkpoints, are no classes; nor are NEITHER and UNLABELLED.
    Raises DatasetError that names the folder when it, or one of its classes, holds no photo, or has a name that no
    spec can hold.
    """
    folder = Path(data) / split
    folders = [path for path in visible_folders(folder) if path.name not in (NEITHER, UNLABELLED)]
    if len(folders) < 2:
        raise DatasetError(
            f"{folder} must hold one folder per class, at least two, such as cats/ and dogs/; "
            f"found {[p.name for p in folders]}."
        )
    paths, labels = [], []
    for index, class_folder in enumerate(folders):
        if class_folder.name.encode(errors="ignore").decode() != class_folder.name:
            raise DatasetError(f"The name of the class folder {str(class_folder)!r} is not UTF-8; rename it.")
        files = _photos(class_folder)
        paths += files
        labels += [index] * len(files)
    classes = tuple(CLASS_OF_FOLDER.get(p.name, p.name) for p in folders)
    if len(set(classes)) < len(classes):
        raise DatasetError(f"{folder} holds two folders of one class; found {[p.name for p in folders]}.")
    return Split(classes, tuple(paths), np.array(labels, dtype=np.int64))


def _photos(folder: Path) -> list[Path]:
    """The photos in a folder, sorted; raises DatasetError where there is none."""
    files = sorted(p for p in folder.iterdir() if is_photo(p))
    if not files:
        raise DatasetError(f"{folder} holds no photo; accepted are {', '.join(EXTENSIONS)}.")
    return files


def find_beside(data: str | os.PathLike[str], split: str, classes: tuple[str, ...], *, further: bool = False) -> Split:
    """The photos of one split of a data folder that are of neither, and in train those without a label.

    With `further`, also those of the classes, of which a further folder need not hold all. Raises DatasetError for a
    folder of another class.
    """
    paths, labels = [], []
    for folder in visible_folders(Path(data) / split):
        name = CLASS_OF_FOLDER.get(folder.name, folder.name)
        if folder.name == NEITHER:
            label = len(classes)
        elif folder.name == UNLABELLED and split == "train":
            label = UNKNOWN
        elif further and name in classes:
            label = classes.index(name)
        elif further and folder.name != UNLABELLED:
            raise DatasetError(f"{folder} is none of the classes {', '.join(classes)}.")
        else:
            continue
        files = _photos(folder)
        paths += files
        labels += [label] * len(files)
    return Split(classes, tuple(paths), np.array(labels, dtype=np.int64))


def find_training(
    data: str | os.PathLike[str], limit: int | None = None, more: Sequence[str | os.PathLike[str]] = ()
) -> tuple[Split, Split]:
    """What to learn from, in `data` and in the further folders `more`, and the photos of the classes in `data`/val.

    At most `limit` photos of each class, of neither and without a label. Raises DatasetError when train and val do not
    have the same classes: labels are positions among them.
    """
    train, val = (find(data, split) for split in ("train", "val"))
    if train.classes != val.classes:
        raise DatasetError(
            f"{Path(data) / 'train'} and {Path(data) / 'val'} must hold the same classes; "
            f"found {', '.join(train.classes)} and {', '.join(val.classes)}."
        )
    further = [find_beside(folder, "train", train.classes, further=True) for folder in more]
    train = joined(train, find_beside(data, "train", train.classes), *further)
    return train.head(limit), val.head(limit)


def find_elsewhere(
    data: str | os.PathLike[str],
    split: str,
    more: Sequence[str | os.PathLike[str]] = (),
    limit: int | None = None,
) -> Split:
    """The photos of one split that are of neither, in `data` and the further folders, and those folders' classes."""
    classes = find(data, split).classes
    further = [find_beside(folder, split, classes, further=True) for folder in more]
    found = joined(find_beside(data, split, classes), *further).head(limit)
    return found.at(found.labels != UNKNOWN)


def chances(split: Split) -> np.ndarray:
    """How often each photo of a split is drawn, float32 (N,), of mean 1: small photos of neither as often as large.

    Where most photos of neither are thumbnails, a network would else learn that what is blurred is no animal.
    """
    weights = np.ones(len(split), np.float32)
    neither = np.flatnonzero(split.labels == len(split.classes))
    small = np.array([_longer_side(split.paths[i]) <= SMALL for i in neither], dtype=bool)
    if 0 < small.sum() < len(small):
        weights[neither] = np.where(small, 0.5 / small.mean(), 0.5 / (1 - small.mean()))
    return weights / weights.mean()


def _longer_side(path: Path) -> int:
    try:
        with Image.open(path) as image:
            return max(image.size)
    except OSError:  # of a kind that only `decode` knows
        return SMALL + 1


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
    """Batches of ({"photos": uint8 images, "shares": float32 (B, 1)}, float32 targets, float32 (B,) weights).

    Shuffled anew in each epoch from a seed. What epoch e holds depends on (seed, e) alone, so a
    resumed run sees what an unbroken one would have seen. Targets are those of `targets`. There are weights
    where there are photos without a label: 0 for these, else 1.

    neither  whether there are photos of neither
    cutmix   how many of the photos, 0..1, `augment.CutMix` is to mix with the one at the same place of the
             reversed batch: their shares are below 1, and their targets are mixed by them
    steps    batches in an epoch, of photos drawn anew; 0 for all photos once
    chances  float32 (N,), how often each photo is drawn then, beside the others; None for all alike
    degrade  how many of the photos, 0..1, suffer as `degrade.degraded` says, each in its own way in each epoch
    clean    whether the batches hold, as "clean", the same photos before they lost quality, too
    """

    def __init__(
        self,
        images,
        labels,
        classes: int,
        batch_size: int,
        *,
        neither: bool = False,
        shuffle_seed: int | None = None,
        epoch: int = 0,
        cutmix: float = 0.0,
        steps: int = 0,
        chances: np.ndarray | None = None,
        degrade: float = 0.0,
        clean: bool = False,
    ):
        super().__init__(workers=1)
        self.images, self.labels, self.classes, self.batch_size = images, labels, classes, batch_size
        self.seed, self.epoch, self.cutmix, self.degrade = shuffle_seed, epoch, cutmix, degrade
        self.steps, self.chances, self.neither = steps, chances, neither
        self.clean = clean or degrade > 0
        self.weighted = bool((np.asarray(labels) == UNKNOWN).any())
        self._shuffle()

    def __len__(self) -> int:
        count = len(self.order)
        # Training drops the last partial batch: one more compiled shape for a handful of photos.
        return max(1, count // self.batch_size) if self.seed is not None else -(-count // self.batch_size)

    def __getitem__(self, index: int):
        rows = self.order[index * self.batch_size : (index + 1) * self.batch_size]
        whole, shares = targets(self.labels[rows], self.classes, self.neither), self.shares[rows]
        batch = {"photos": self.images[rows], "shares": shares}
        if self.clean:
            batch |= self._degraded(rows, batch["photos"])
        mixed = shares * whole + (1 - shares) * whole[::-1]
        if not self.weighted:
            return batch, mixed
        known = self.labels[rows] != UNKNOWN
        return batch, mixed, (known & ((shares[:, 0] == 1) | known[::-1])).astype(np.float32)

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
            if self.steps:
                self.order = self._drawn(random)

    def _drawn(self, random: np.random.Generator) -> np.ndarray:
        """The photos of an epoch of so many steps, by their chances: systematic sampling (Madow 1949)."""
        wanted = np.ones(len(self.order)) if self.chances is None else np.asarray(self.chances, np.float64)[self.order]
        ends, count = np.cumsum(wanted), self.steps * self.batch_size
        places = np.searchsorted(ends, (random.random() + np.arange(count)) * ends[-1] / count, side="right")
        return random.permutation(self.order[places.clip(max=len(ends) - 1)])

    def _degraded(self, rows: np.ndarray, photos: np.ndarray) -> dict[str, np.ndarray]:
        clean, suffered = np.array(photos), np.array(photos)
        for place, row in enumerate(rows if self.degrade else ()):
            random = np.random.default_rng((self.seed, self.epoch, int(row)))
            if random.random() < self.degrade:
                clean[place], suffered[place] = degraded(photos[place], random)
        return {"clean": clean, "photos": suffered}


def targets(labels: np.ndarray, classes: int, neither: bool = False) -> np.ndarray:
    """Labels (B,) to float32 targets: (B, 1) for two classes, one-hot (B, classes) for more, or (B, classes + 1).

    The last where there are photos of `neither`; 0 everywhere for a photo without a label.
    """
    if classes == 2 and not neither:
        return np.maximum(labels, 0)[:, None].astype(np.float32)
    return (labels[:, None] == np.arange(classes + neither)).astype(np.float32)
