"""Zips and folders of photos -> a list of photos, each with its class and split, or why it is left out."""

import contextlib
import functools
import itertools
import zipfile
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np

from catdog.folder import walk
from catdog.photo.decode import EXTENSIONS
from train.data import layout
from train.data.dataset import DatasetError
from train.data.name_labels import read_table

# What reading a file or a member of a zip may raise. zipfile reports encrypted members as RuntimeError, and unknown
# compression as NotImplementedError, which is one.
UNREADABLE = (OSError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError)
# Folders that systems add unasked: macOS, Synology, Windows.
CLUTTER = ("__MACOSX", "@eaDir", "$RECYCLE.BIN", "System Volume Information")
LISTED = (*EXTENSIONS, ".csv", ".zip")  # files that are looked at
LARGEST_TABLE = 2**26  # bytes of a CSV file that is read


@dataclass
class Photo:
    """One file of a source: where it comes from, where it goes, and what it looks like.

    origin     name of the folder or zip
    path       its path there, with `/`
    size       bytes
    read       reads the file anew each time, so that sources need not fit in memory
    problem    why it cannot be used; empty where it can
    split      train, val, test, or None until photos are divided
    label      the folder of its class; empty where it is left out
    digest     sha256 of the file
    thumbnail  float32, from `prepare.thumbnail`
    """

    origin: str
    path: str
    size: int = 0
    read: Callable[[], bytes] = field(default=bytes, repr=False)
    problem: str = ""
    split: str | None = None
    label: str = ""
    digest: str = ""
    thumbnail: np.ndarray | None = field(default=None, repr=False)

    @property
    def source(self) -> str:
        return f"{self.origin}/{self.path}"

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    def is_a(self, endings: tuple[str, ...]) -> bool:
        return not self.problem and self.path.lower().endswith(endings)


def find_photos(sources: list[Path], archives: contextlib.ExitStack) -> tuple[list[Photo], list[str]]:
    """The photos of all sources, also those left out, and sentences on how their classes were found.

    Zips stay open in `archives`, so that photos can be read. Raises DatasetError for what is neither a folder nor a
    zip.
    """
    opened = [_opened(path, archives) for path in sources]
    photos = [[file for file in files if file.is_a(EXTENSIONS)] for _, files in opened]
    unusable = [file for _, files in opened for file in files if file.problem]
    places, notes = layout.plan(
        [
            layout.Source(name, [photo.path for photo in found], _tables(files))
            for (name, files), found in zip(opened, photos, strict=True)
        ]
    )
    every = list(itertools.chain(*photos))
    for photo, place in zip(every, itertools.chain(*places), strict=True):
        photo.split, photo.label, photo.problem = place.split, place.label, place.why
    return every + unusable, notes


def _tables(files: Iterable[Photo]) -> dict[str, dict[str, str]]:
    """The CSV files that label photos: path -> what `read_table` returns."""
    tables = {}
    for file in files:
        if file.is_a((".csv",)) and file.size <= LARGEST_TABLE:
            with contextlib.suppress(*UNREADABLE):
                tables[file.path] = read_table(file.path, file.read().decode("utf-8", "replace"))
    return {path: labels for path, labels in tables.items() if labels}


def _opened(source: Path, archives: contextlib.ExitStack) -> tuple[str, list[Photo]]:
    """The name of a source as that of a folder, and its files without those of systems."""
    try:
        source = source.resolve()  # so that `.` and `..` have a name
        is_zip = zipfile.is_zipfile(source)
    except (OSError, RuntimeError):  # a link to itself
        is_zip = False
    if source.is_dir():
        name, files = source.name, _in_folder(source)
    elif is_zip:
        name, files = source.stem, _in_zip(source, archives)
    else:
        advice = "Unpack it if it is another archive." if source.is_file() else "There is nothing of that name."
        raise DatasetError(f"{source} is neither a folder nor a zip file. {advice}")
    files = [file for file in files if not _is_clutter(PurePosixPath(file.path))]
    for file in files:
        if file.is_a((".zip",)):
            file.problem = "A zip in a source is not opened: unpack it."
    return name, files


def _is_clutter(path: PurePosixPath) -> bool:
    return any(part.startswith(".") or part in CLUTTER for part in path.parts)


def _in_folder(folder: Path) -> Iterable[Photo]:
    """Photos, CSV files and zips in a folder and its folders. What a link shows twice is listed once."""
    for found in walk.find(folder, LISTED):
        path, file = folder / found.path, Photo(folder.name, found.path, problem=found.problem)
        if not file.problem:
            try:
                real, file.size, file.read = path.resolve(strict=True), path.stat().st_size, path.read_bytes
            except (OSError, RuntimeError):
                file.problem = "It is a link that leads nowhere."
            else:
                if not path.is_file():
                    file.problem = "It is not a regular file."
                elif real != path and _is_listed(real, folder):
                    continue
        yield file


def _is_listed(file: Path, folder: Path) -> bool:
    """Whether a file is found in a folder without a link: data sets of git-annex link to hidden files, for example."""
    inside = file.is_relative_to(folder) and not _is_clutter(PurePosixPath(file.relative_to(folder)))
    return inside and file.suffix.lower() in LISTED


def _in_zip(source: Path, archives: contextlib.ExitStack) -> Iterable[Photo]:
    try:
        archive = archives.enter_context(zipfile.ZipFile(source))
    except UNREADABLE as error:
        raise DatasetError(f"{source} is damaged: {error}.") from error
    for member in sorted((m for m in archive.infolist() if not m.is_dir()), key=lambda m: m.filename):
        path = PurePosixPath(member.filename.replace("\\", "/"))  # some tools of Windows write the latter
        if path.is_absolute() or ".." in path.parts:
            raise DatasetError(f"{source} is not safe to unpack: it holds a path that leads out of it, {str(path)!r}.")
        yield Photo(source.name, str(path), member.file_size, functools.partial(archive.read, member))
