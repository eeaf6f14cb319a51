"""Uploaded photos and zips of labelled folders -> a list of photos, none of which is written anywhere."""

from __future__ import annotations

import contextlib
import functools
import re
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from catdog.errors import CatDogError, InvalidImage

MOST_PHOTOS = 200
MOST_UNPACKED = 200 * 2**20  # bytes of all photos of a zip together
DEEPEST = 8  # folders around a photo
# The lists of files in zips are read as a whole: this much of all of them together is thousands of files.
LARGEST_INDEX = 2**20
LONGEST_NAME = 200

_ZIP = b"PK\x03\x04"
_END_OF_INDEX, _END_OF_INDEX_64 = b"PK\x05\x06", b"PK\x06\x07"
_FARTHEST_END = 20 + 22 + 2**16  # bytes from the end of a zip: both forms, and a comment
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # others may take gigabytes of memory to unpack
# What macOS and Windows add to folders unasked.
_CLUTTER = ("__MACOSX", "Thumbs.db", "desktop.ini")
# zipfile reports encrypted members as RuntimeError, and names that are not the UTF-8 they claim to be as the last one.
_UNREADABLE = (OSError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, UnicodeDecodeError)


class TooMuch(CatDogError, ValueError):
    """More photos, or larger ones, than are judged at once."""

    code = "too_much"
    status = 413


@dataclass(frozen=True)
class NamedPhoto:
    """A photo that can be read.

    name   for display alone, never a path
    label  the class that a folder around it names, or None
    read   returns its bytes; raises CatDogError
    """

    name: str
    label: str | None
    read: Callable[[], bytes]


@dataclass(frozen=True)
class Collection:
    """The photos of an upload, and the name of each file that is none, with a sentence that says why."""

    photos: tuple[NamedPhoto, ...]
    refused: tuple[tuple[str, str], ...]


@contextlib.contextmanager
def collect(files: Sequence[tuple[str, Path]], classes: Sequence[str], max_bytes: int) -> Iterator[Collection]:
    """Open what was uploaded, as (name, path) of photos and zips; zips stay open meanwhile.

    1. A zip stands for the files in it, but for those that systems add unasked; zips in zips are no photos.
    2. The folder next to a photo that is named like one of `classes`, or its plural, is the photo's label. A photo
       that a zip holds more than once, under several labels, is refused: one of them must be wrong.
    3. Files that cannot be photos are refused one by one; what is too much, all together.

    Nothing is unpacked to the disk. Of a photo in a zip, at most `max_bytes` are read. Raises TooMuch.
    """
    _require_few(len(files))
    zips = {path: _index_size(path) for _, path in files if _is_zip(path)}
    _require_short_lists(zips[path] for _, path in files if path in zips)
    with contextlib.ExitStack() as archives:
        photos: list[NamedPhoto] = []
        refused: list[tuple[str, str]] = []
        for name, path in files:
            if path not in zips:
                photos.append(NamedPhoto(_short(name), None, functools.partial(_read_file, path)))
                continue
            try:
                photos += _members(archives, name, path, classes, max_bytes, refused)
            except _UNREADABLE as error:
                refused.append((_short(name), f"The zip file is damaged and cannot be read: {error}."))
            _require_few(len(photos) + len(refused))
        yield Collection(tuple(photos), tuple(refused))


def _require_few(photos: int) -> None:
    if photos > MOST_PHOTOS:
        raise TooMuch(f"At most {MOST_PHOTOS} photos are judged at once. Received: {photos:,} or more.")


def label_of(name: str, classes: Sequence[str]) -> str | None:
    """The class that the innermost folder of such a name in a path stands for: `test/Cats/1.jpg` is a cat."""
    known = {key: label for label in classes for key in (label.lower(), f"{label.lower()}s")}
    folders = _parts(name)[:-1]
    return next((known[folder.lower()] for folder in reversed(folders) if folder.lower() in known), None)


def _read_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidImage(f"The upload is gone: {error.strerror}. Send it again.") from error


def _is_zip(path: Path) -> bool:
    try:
        with open(path, "rb") as stream:
            return stream.read(len(_ZIP)) in (_ZIP, _END_OF_INDEX)  # the latter is that of an empty one
    except OSError:  # said again when it is read as a photo
        return False


def _members(
    archives: contextlib.ExitStack,
    name: str,
    path: Path,
    classes: Sequence[str],
    max_bytes: int,
    refused: list[tuple[str, str]],
) -> list[NamedPhoto]:
    """The photos in a zip; what cannot be read is added to `refused`."""
    archive = archives.enter_context(zipfile.ZipFile(path))
    members = [member for member in archive.infolist() if not member.is_dir() and not _is_clutter(member.filename)]
    if len(members) > MOST_PHOTOS:
        raise TooMuch(f"The zip holds {len(members):,} files; at most {MOST_PHOTOS} photos are judged at once.")
    if sum(member.file_size for member in members) > MOST_UNPACKED:
        raise TooMuch(f"The zip holds more than {MOST_UNPACKED // 2**20} MB, unpacked. Send fewer or smaller photos.")
    if not members:
        refused.append((_short(name), "The zip holds no files."))
    photos, labels = [], _labels(members, classes)
    for member in members:
        problem = _problem(member, max_bytes) or _contradiction(labels[_content(member)])
        if problem:
            refused.append((_short(member.filename), problem))
        else:
            label = label_of(member.filename, classes)
            photos.append(NamedPhoto(_short(member.filename), label, functools.partial(_read_member, archive, member)))
    return photos


def _content(member: zipfile.ZipInfo) -> tuple[int, int]:
    """What tells the contents of the files in a zip apart, without reading them."""
    return member.CRC, member.file_size


def _labels(members: Iterable[zipfile.ZipInfo], classes: Sequence[str]) -> dict[tuple[int, int], set[str]]:
    """For each content, the labels that it has, in whichever folders it lies."""
    labels: dict[tuple[int, int], set[str]] = defaultdict(set)
    for member in members:
        if member.file_size:  # empty files are no copies of each other
            labels[_content(member)] |= {label_of(member.filename, classes)} - {None}
    return labels


def _contradiction(labels: set[str]) -> str:
    """Why a photo of these labels is not judged; empty when it is."""
    if len(labels) < 2:
        return ""
    return f"The zip holds this photo as {' and as '.join(sorted(labels))}. Keep the copy whose folder is right."


def _require_short_lists(sizes: Iterable[float]) -> None:
    """Refuse zips whose lists of files are too long together, before these are read; raises TooMuch."""
    if sum(sizes) > LARGEST_INDEX:
        raise TooMuch(f"There are too many files in what was sent; at most {MOST_PHOTOS} photos are judged at once.")


def _index_size(path: Path) -> float:
    """The bytes that a zip's list of files may take; any number of them for what says so in 64 bits."""
    try:
        with open(path, "rb") as stream:
            stream.seek(max(0, stream.seek(0, 2) - _FARTHEST_END))
            tail = stream.read()
    except OSError:  # said again when it is opened
        return 0
    ends = [found.start() for found in re.finditer(re.escape(_END_OF_INDEX), tail)]
    if any(tail[max(0, end - 20) :].startswith(_END_OF_INDEX_64) for end in ends):
        return float("inf")  # it is for zips that are refused anyway
    # Any of these may be the one that counts.
    return max((int.from_bytes(tail[end + 12 : end + 16], "little") for end in ends), default=0)


def _is_clutter(name: str) -> bool:
    return any((part.startswith(".") and part != "..") or part in _CLUTTER for part in _parts(name))


def _parts(name: str) -> tuple[str, ...]:
    """The folders and the file of a name in a zip, whichever system made it."""
    return PurePosixPath(name.replace("\\", "/")).parts


def _problem(member: zipfile.ZipInfo, max_bytes: int) -> str:
    """Why a member of a zip is not read; empty when it is."""
    if member.filename.lower().endswith(".zip"):
        return "It is a zip in the zip, which is not opened. Send it on its own."
    if len(_parts(member.filename)) > DEEPEST + 1:
        return f"It lies in more than {DEEPEST} folders."
    if member.flag_bits & 1:
        return "It is encrypted. Send the zip without a password."
    if member.compress_type not in _METHODS:
        return "It is packed in a way that is not read. Use an ordinary zip."
    if member.file_size > max_bytes:
        return f"It is larger than the {max_bytes / 2**20:g} MB that are accepted."
    return ""


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """The bytes of a member, and no more of them than its index says."""
    try:
        with archive.open(member) as stream:
            return stream.read(member.file_size + 1)  # `archive.read` would unpack up to a gigabyte first
    except (*_UNREADABLE, ValueError) as error:  # ValueError: the zip was closed, as nobody waits for the photo
        raise InvalidImage(f"It is damaged in the zip file: {error}.") from error


def _short(name: str) -> str:
    """A name that fits a page: printable, its end kept."""
    name = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in name)
    return name if len(name) <= LONGEST_NAME else f"…{name[-LONGEST_NAME + 1 :]}"
