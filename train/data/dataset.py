"""A data folder -> sorted, labelled paths of photos.

It holds `{train,val,test}/{cats,dogs}/photo.jpg`, or other class folders: each folder is a class, in sorted order.
Two folders are no classes: `neither`, with photos that show none of them, and in train `unlabelled`, with photos
without a label.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from catdog.errors import CatDogError, InvalidSettings
from catdog.models.spec import USUAL_NAMES
from catdog.photo.decode import EXTENSIONS

SPLITS = ("train", "val", "test")
# Folders are often named in the plural; a class is named in the singular.
CLASS_OF_FOLDER = {folder: name for folder, name in USUAL_NAMES.items() if folder != name}
FOLDER_OF_CLASS = {name: folder for folder, name in CLASS_OF_FOLDER.items()}
NEITHER, UNLABELLED = "neither", "unlabelled"
UNKNOWN = -1  # the label of a photo without one
# Longer side, in pixels, up to which a photo of neither is a thumbnail.
SMALL = 100


class DatasetError(CatDogError, ValueError):
    """A data folder that cannot be trained on or measured."""

    code = "invalid_dataset"


@dataclass(frozen=True)
class Split:
    """The labelled photos of one split.

    classes  names, sorted by folder name
    paths    files, sorted by folder and name
    labels   (len(paths),) int64: index into classes, len(classes) for neither, or UNKNOWN without a label
    """

    classes: tuple[str, ...]
    paths: tuple[Path, ...]
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.paths)

    def head(self, per_class: int | None) -> "Split":
        """The first photos of each class, for a quick try; all of them with None."""
        if per_class is None:
            return self
        if per_class < 1:
            raise InvalidSettings(f"The limit of photos per class must be at least 1. Received: {per_class}.")
        labels = [*range(len(self.classes) + 1), UNKNOWN]
        return self.at(np.concatenate([np.flatnonzero(self.labels == k)[:per_class] for k in labels]))

    def at(self, rows: np.ndarray) -> "Split":
        """The photos at these indices, or at which a boolean mask (len(self),) is true."""
        rows = np.arange(len(self))[rows]
        return Split(self.classes, tuple(self.paths[i] for i in rows), self.labels[rows])

    @property
    def of_classes(self) -> "Split":
        return self.at((self.labels >= 0) & (self.labels < len(self.classes)))

    @property
    def of_neither(self) -> "Split":
        return self.at(self.labels == len(self.classes))


def find(data: Path, split: str) -> Split:
    """List the photos of the classes of one split in sorted order.

    Hidden folders, NEITHER and UNLABELLED are no classes. Raises DatasetError that names the folder when there are
    fewer than two classes, a class has no photo, or its name is not UTF-8, which a spec needs.
    """
    folder = data / split
    folders = [path for path in visible_folders(folder) if path.name not in (NEITHER, UNLABELLED)]
    if len(folders) < 2:
        instead = " With --split val, the validation photos are used." if split == "test" else ""
        raise DatasetError(
            f"{folder} must hold one folder per class, at least two, such as cats/ and dogs/; "
            f"found {[p.name for p in folders]}.{instead}"
        )
    for path in folders:
        if path.name.encode(errors="ignore").decode() != path.name:
            raise DatasetError(f"The name of the class folder {str(path)!r} is not UTF-8; rename it.")
    classes = tuple(CLASS_OF_FOLDER.get(path.name, path.name) for path in folders)
    if len(set(classes)) < len(classes):
        raise DatasetError(f"{folder} holds two folders of one class; found {[path.name for path in folders]}.")
    return _listed(classes, zip(folders, range(len(classes)), strict=True))


def _listed(classes: tuple[str, ...], folders: Iterable[tuple[Path, int]]) -> Split:
    """The photos of folders with these labels, in order; raises DatasetError for a folder without photos."""
    paths, labels = [], []
    for folder, label in folders:
        found = sorted(filter(is_photo, folder.iterdir()))
        if not found:
            raise DatasetError(f"{folder} holds no photo; accepted are {', '.join(EXTENSIONS)}.")
        paths += found
        labels += [label] * len(found)
    return Split(classes, tuple(paths), np.array(labels, dtype=np.int64))


def _others(data: Path, more: Sequence[Path], split: str, classes: tuple[str, ...]) -> Split:
    """The photos of neither in one split of `data`, and all photos of that split in the further folders `more`.

    In train, also those without a label. Raises DatasetError for a further folder of another class, and for one that is
    no data folder.
    """
    for folder in more:
        if not any(visible_folders(folder / name) for name in SPLITS):
            raise DatasetError(
                f"{folder} is no data folder: it must hold train/, val/ or test/, and in these a folder for each class "
                f"or {NEITHER}/."
            )
    labels = {NEITHER: len(classes)} | ({UNLABELLED: UNKNOWN} if split == "train" else {})
    found = [(path, labels[path.name]) for path in visible_folders(data / split) if path.name in labels]
    labels |= {name: label for label, name in enumerate(classes)}
    for path in (path for folder in more for path in visible_folders(folder / split)):
        name = CLASS_OF_FOLDER.get(path.name, path.name)
        if name in labels:
            found.append((path, labels[name]))
        elif name != UNLABELLED:
            raise DatasetError(f"{path} is none of the classes {', '.join(classes)}.")
    return _listed(classes, found)


def find_training(data: Path, limit: int | None = None, more: Sequence[Path] = ()) -> tuple[Split, Split]:
    """All training photos of `data` and of the further folders `more`, and the photos of the classes in `data`/val.

    At most `limit` photos of each class, of neither, and without a label. Raises DatasetError when train and val have
    different classes, since labels are positions among them.
    """
    train, val = (find(data, split) for split in ("train", "val"))
    if train.classes != val.classes:
        raise DatasetError(
            f"{data / 'train'} and {data / 'val'} must hold the same classes; "
            f"found {', '.join(train.classes)} and {', '.join(val.classes)}."
        )
    others = _others(data, more, "train", train.classes)
    train = Split(train.classes, train.paths + others.paths, np.concatenate([train.labels, others.labels]))
    return train.head(limit), val.head(limit)


def find_elsewhere(data: Path, split: str, more: Sequence[Path] = (), limit: int | None = None) -> Split:
    """The photos of neither in one split of `data`, and all labelled photos of that split in the further folders."""
    return _others(data, more, split, find(data, split).classes).head(limit)


def chances(split: Split) -> np.ndarray:
    """How often to draw each photo of a split, float32 (N,) of mean 1.

    Thumbnails of neither are drawn, together, as often as its larger photos. Where most photos of neither are
    thumbnails, a network would otherwise learn that blurred photos show no animal.
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
    except OSError:  # a format that only `decode` reads
        return SMALL + 1


def visible_folders(folder: Path) -> list[Path]:
    """The folders in a folder, sorted, without hidden ones; none where there is no such folder."""
    return sorted(p for p in folder.iterdir() if not p.name.startswith(".") and p.is_dir()) if folder.is_dir() else []


def is_photo(path: Path) -> bool:
    """Whether a path is a visible file with the extension of a photo."""
    return path.suffix.lower() in EXTENSIONS and not path.name.startswith(".") and path.is_file()


def digest(*splits: Split) -> str:
    """A short name for the photos and labels of these splits that does not change when their folder is moved."""
    photos = [f"{path.parent.name}/{path.name} {path.stat().st_size}" for split in splits for path in split.paths]
    return hashlib.sha256("\n".join(photos).encode(errors="surrogateescape")).hexdigest()[:16]
