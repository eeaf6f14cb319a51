"""Zips and folders of photos -> a list of photos, each with its class and split, or why it is left out."""

import contextlib
import functools
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
LARGEST_TABLE = 2**26  # bytes of a CSV file that is read


@dataclass
class Photo:
    """One input file: where it comes from, where it goes, and what it looks like.

    source     name of the folder or zip, and the path of the photo in it
    split      train, val, test, or None until photos are divided
    label      the folder of its class; empty where it is left out
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


@dataclass(frozen=True)
class _File:
    """A file of a source: its path there, with `/`, its size, and how to read it; or a problem."""

    path: str
    size: int = 0
    read: Callable[[], bytes] = bytes
    problem: str = ""

    @property
    def suffix(self) -> str:
        return PurePosixPath(self.path).suffix.lower()


def find_photos(sources: list[Path], archives: contextlib.ExitStack) -> tuple[list[Photo], list[str]]:
    """The photos of all sources, also those left out, and sentences on how their classes were found.

    Zips stay open in `archives`, so that photos can be read. Raises DatasetError for what is neither a folder nor a
    zip.
    """
    opened = [_opened(path, archives) for path in sources]
    places, notes = layout.plan(
        [
            layout.Source(name, [file.path for file in files if _is_photo(file)], _tables(files))
            for _, name, files in opened
        ]
    )
    photos = []
    for (shown, _, files), of_source in zip(opened, places, strict=True):
        for file, place in zip(filter(_is_photo, files), of_source, strict=True):
            path = f"{shown}/{file.path}"
            photos.append(
                Photo(path, place.split, place.label, place.path.name, file.size, file.read, problem=place.why)
            )
        photos += [
            Photo(f"{shown}/{f.path}", None, "", f.path, 0, bytes, problem=f.problem) for f in files if f.problem
        ]
    return photos, notes


def _is_photo(file: _File) -> bool:
    return file.suffix in EXTENSIONS and not file.problem


def _tables(files: Iterable[_File]) -> dict[str, dict[str, str]]:
    """The CSV files that label photos: path -> as of `read_table`."""
    tables = {}
    for file in files:
        if file.suffix == ".csv" and file.size <= LARGEST_TABLE:
            with contextlib.suppress(*UNREADABLE):
                tables[file.path] = read_table(file.path, file.read().decode("utf-8", "replace"))
    return {path: labels for path, labels in tables.items() if labels}


def _opened(source: Path, archives: contextlib.ExitStack) -> tuple[str, str, list[_File]]:
    """The name of a source as it is shown, its name as a folder, and its files without those of systems."""
    try:
        source = source.resolve()  # so that `.` and `..` have a name
        is_zip = zipfile.is_zipfile(source)
    except (OSError, RuntimeError):  # a link to itself
        is_zip = False
    if source.is_dir():
        name, files = source.name, list(_in_folder(source))
    elif is_zip:
        name, files = source.stem, _in_zip(source, archives)
    else:
        advice = "Unpack it if it is another archive." if source.is_file() else "There is nothing of that name."
        raise DatasetError(f"{source} is neither a folder nor a zip file. {advice}")
    return source.name, name, [file for file in files if not _is_clutter(PurePosixPath(file.path))]


def _is_clutter(path: PurePosixPath) -> bool:
    return any(part.startswith(".") or part in CLUTTER for part in path.parts)


def _in_folder(folder: Path) -> Iterable[_File]:
    """Photos, CSV files and zips in a folder and its folders. What a link shows twice is listed once."""
    for found in walk.find(folder, (*EXTENSIONS, ".csv", ".zip")):
        path = folder / found.path
        if found.problem:
            yield _File(found.path, problem=found.problem)
            continue
        try:
            real, size = path.resolve(strict=True), path.stat().st_size
        except (OSError, RuntimeError):
            yield _File(found.path, problem="It is a link that leads nowhere.")
            continue
        if not path.is_file():
            yield _File(found.path, problem="It is no file.")
        elif real == path or not real.is_relative_to(folder):
            yield _nested(_File(found.path, size, path.read_bytes))


def _in_zip(source: Path, archives: contextlib.ExitStack) -> list[_File]:
    try:
        archive = archives.enter_context(zipfile.ZipFile(source))
    except UNREADABLE as error:
        raise DatasetError(f"{source} is damaged: {error}.") from error
    files = []
    for member in sorted((m for m in archive.infolist() if not m.is_dir()), key=lambda m: m.filename):
        path = PurePosixPath(member.filename.replace("\\", "/"))  # some tools of Windows write the latter
        if path.is_absolute() or ".." in path.parts:
            raise DatasetError(f"{source} is not safe to unpack: it holds a path that leads out of it, {str(path)!r}.")
        files.append(_nested(_File(str(path), member.file_size, functools.partial(archive.read, member))))
    return files


def _nested(file: _File) -> _File:
    """The file; with a problem for a zip within a source."""
    return _File(file.path, problem="A zip in a source is not opened: unpack it.") if file.suffix == ".zip" else file
