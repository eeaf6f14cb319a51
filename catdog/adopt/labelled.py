"""A folder of labelled photos: one folder for each class, or names such as cat.1.jpg."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from catdog.errors import CatDogError, InvalidSettings
from catdog.folder.decoding import open_regular
from catdog.folder.walk import find
from catdog.models.spec import USUAL_NAMES, usual_name
from catdog.photo.array import Shape, resized
from catdog.photo.decode import EXTENSIONS
from catdog.photo.reader import Reader

# Of these folders the first one with two classes is used, best one that the model was not trained on.
SPLITS = ("val", "valid", "validation", "validation_set", "test", "testing", "test_set", "seg_test", "eval",
          "evaluation", "train", "training", "training_set", "seg_train")  # fmt: skip
NO_CLASSES = ("neither", "unlabelled")


class Labelled(NamedTuple):
    """Photos and the names of their classes. The classes take turns, as far as each has photos."""

    folder: Path  # where they are
    paths: tuple[Path, ...]
    names: tuple[str, ...]

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(sorted({*self.names}))

    def of(self, classes: Sequence[str]) -> Labelled:
        """The photos of these classes, in any case, with the class names spelt as here."""
        known = {name.casefold(): name for name in classes}
        kept = [(p, known[n.casefold()]) for p, n in zip(self.paths, self.names, strict=True) if n.casefold() in known]
        return Labelled(self.folder, tuple(path for path, _ in kept), tuple(name for _, name in kept))


def find_labelled(folder: Path, known: Sequence[str] = ()) -> Labelled:
    """The labelled photos of a folder; raises InvalidSettings if they are not of at least two classes.

    known  classes that the names of photos may begin with, besides cat and dog
    """
    folder = _unwrapped(folder)
    inside = {path.name.casefold(): path for path in _inside(folder) if path.is_dir()}
    folders = [_unwrapped(inside[name]) for name in SPLITS if name in inside] or [folder]
    found = ((each, _classes_in(each, known)) for each in folders)
    folder, classes = next((pair for pair in found if len(pair[1]) > 1), (folder, {}))
    if not classes:
        raise InvalidSettings(
            f"{folder} must hold a folder of photos for each of at least two classes, such as cat/ and dog/. Or its "
            "photos must have names such as cat.1.jpg, which begin with cat, dog or a class of --classes or --labels. "
            "`python -m train prepare` makes such folders of other layouts. "
            f"Looked into: {', '.join(each.name for each in folders)}."
        )
    # In turn, so that the first ones are of all classes alike.
    ranked = sorted((rank, name, path) for name, of in classes.items() for rank, path in enumerate(of))
    return Labelled(folder, tuple(path for *_, path in ranked), tuple(name for _, name, _ in ranked))


def _unwrapped(folder: Path) -> Path:
    """The folder itself, or its only subfolder if it holds no photos, as in many zips."""
    inside = [path for path in _inside(folder) if path.is_dir() or path.name.lower().endswith(EXTENSIONS)]
    return _unwrapped(inside[0]) if len(inside) == 1 and inside[0].is_dir() else folder


def _inside(folder: Path) -> list[Path]:
    """What a folder holds, without hidden files; raises InvalidSettings if it cannot be read."""
    try:
        return [path for path in folder.iterdir() if not path.name.startswith((".", "_"))]
    except OSError as error:
        raise InvalidSettings(f"The folder {folder} of photos cannot be read: {error.strerror}.") from error


def _classes_in(folder: Path, known: Sequence[str]) -> dict[str, list[Path]]:
    """Class -> its photos."""
    # Of several names the longest. A camera's IMG_1.jpg and DSC_1.jpg are no classes, nor is catalogue.jpg.
    named = sorted(map(re.escape, (*USUAL_NAMES, *known)), key=len, reverse=True)
    begins = re.compile(rf"({'|'.join(named)})(?![^\W\d_]|(?<=\d)\d)", re.IGNORECASE)
    paths = [found.path for found in find(folder) if not found.problem]
    by_folder = [path for path in paths if "/" in path]
    labelled = [(folder / path, path.split("/")[0]) for path in by_folder] or [
        (folder / path, match.group()) for path in paths if (match := begins.match(path))
    ]
    classes: dict[str, list[Path]] = {}
    for path, name in labelled:
        if name not in NO_CLASSES:
            classes.setdefault(usual_name(name), []).append(path)
    return classes


def read_pixels(
    paths: Sequence[Path], shapes: Sequence[Shape], read: Reader
) -> tuple[dict[Shape, np.ndarray], np.ndarray]:
    """Photos in each of the shapes, uint8 (N, height, width, channels), and which of the paths could be read."""
    rows: dict[Shape, list[np.ndarray]] = {shape: [] for shape in shapes}
    readable = np.zeros(len(paths), bool)
    for number, path in enumerate(paths):
        try:
            with open_regular(path) as stream:
                image = read(stream, whole=True).image
        except (CatDogError, OSError):
            continue
        readable[number] = True
        for shape in shapes:
            rows[shape].append(resized(image, *shape))
    return {shape: np.array(values) for shape, values in rows.items()}, readable
