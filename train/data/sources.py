"""Zips and folders of photos -> a list of photos with the class and the split that their folders say."""

from __future__ import annotations

import contextlib
import functools
import re
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np

from catdog.folder import walk
from catdog.photo.decode import EXTENSIONS
from train.data.dataset import CLASS_OF_FOLDER, SPLITS, DatasetError

SPLIT_OF_FOLDER = {
    **{split: split for split in SPLITS}, "training": "train", "valid": "val", "validation": "val", "testing": "test",
}  # fmt: skip
FOLDER_OF_CLASS = {name: folder for folder, name in CLASS_OF_FOLDER.items()}
# What reading a file or a member of a zip may raise. zipfile reports encrypted members as RuntimeError, and unknown
# compression as NotImplementedError, which is one.
UNREADABLE = (OSError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError)


@dataclass
class Photo:
    """One input file: where it comes from, where it goes, and what it looks like.

    source     name of the folder or zip, and the path of the photo in it
    split      train, val, test, or None until photos are divided
    label      the folder of its class
    name       its file name
    size       bytes
    read       reads the file anew each time, so that sources need not fit in memory
    digest     sha256 of the file
    thumbnail  float32, as of `prepare.thumbnail`
    problem    why it cannot be used; empty where it can
    """

    source: str
    split: str | None
    label: str
    name: str
    size: int
    read: Callable[[], bytes] = field(repr=False)
    digest: str = ""
    thumbnail: np.ndarray | None = field(default=None, repr=False)
    problem: str = ""


def find_photos(sources: list[Path], archives: contextlib.ExitStack) -> Iterator[Photo]:
    """List the photos of all sources; zips stay open in `archives`, so that photos can be read."""
    for source in (path.resolve() for path in sources):  # so that `.` and `..` have a name
        if source.is_dir():
            files = (
                (path.relative_to(source).as_posix(), path.stat().st_size, path.read_bytes) for path in _in(source)
            )
            yield from _labelled(source, source.name, files)
        elif zipfile.is_zipfile(source):
            try:
                archive = archives.enter_context(zipfile.ZipFile(source))
            except UNREADABLE as error:
                raise DatasetError(f"{source} is damaged: {error}.") from error
            members = sorted((m for m in archive.infolist() if not m.is_dir()), key=lambda m: m.filename)
            files = ((m.filename, m.file_size, functools.partial(archive.read, m)) for m in members)
            yield from _labelled(source, source.stem, files)
        else:
            raise DatasetError(f"{source} is neither a folder nor a zip file.")


def _in(folder: Path) -> Iterator[Path]:
    """The photos of a folder and its folders. What a link shows twice is listed once."""
    for found in walk.find(folder):
        path = folder / found.path
        if found.problem:
            print(f"{path} is left out. {found.problem}", file=sys.stderr)
        elif path.is_file() and ((real := path.resolve()) == path or not real.is_relative_to(folder)):
            yield path


def _labelled(source: Path, folder: str, files: Iterable[tuple[str, int, Callable[[], bytes]]]) -> Iterator[Photo]:
    """Photos among the files (path, size, read) of a source; `folder` is the name of the source as a folder."""
    for name, size, read in files:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            raise DatasetError(f"{source} is not safe to unpack: it holds a path that leads out of it, {name!r}.")
        hidden = any(part.startswith(".") for part in path.parts) or "__MACOSX" in path.parts
        if path.suffix.lower() not in EXTENSIONS or hidden:
            continue
        split, label = split_and_label(PurePosixPath(folder) / path)
        if label is None:
            raise DatasetError(f"{source}: {name} lies in no class folder such as cats/ or dogs/.")
        yield Photo(f"{source.name}/{name}", split, label, path.name, size, read)


def split_and_label(path: PurePosixPath) -> tuple[str | None, str | None]:
    """("train", "cats") of .../train/cats/a.jpg; (None, "cats") of .../cats/a.jpg and of cat.0.jpg."""
    folders = [part.lower() for part in path.parts[:-1] if part != path.anchor]
    parent = folders[-1] if folders else None
    split = SPLIT_OF_FOLDER.get(folders[-2]) if len(folders) > 1 else None
    flat = re.fullmatch(rf"({'|'.join(FOLDER_OF_CLASS)})\.\d+\.\w+", path.name.lower())
    if flat and not split and parent not in {*FOLDER_OF_CLASS, *CLASS_OF_FOLDER}:
        return None, FOLDER_OF_CLASS[flat[1]]
    if parent is None or parent in SPLIT_OF_FOLDER:
        return None, None
    return split, FOLDER_OF_CLASS.get(parent, parent)
