"""Uploaded photos and zips of labelled folders -> a list of photos, read in memory."""

import contextlib
import functools
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
# Bytes of the central directories of all zips together, which zipfile reads as a whole: room for thousands of files.
LARGEST_INDEX = 2**20
LONGEST_NAME = 200

_ZIPS = (b"PK\x03\x04", b"PK\x05\x06")  # how a zip begins, and an empty one
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # others may take gigabytes of memory to unpack
# What macOS and Windows add to folders unasked.
_CLUTTER = ("__MACOSX", "Thumbs.db", "desktop.ini")
# zipfile raises RuntimeError for encrypted members and UnicodeDecodeError for names that are not valid UTF-8.
_UNREADABLE = (OSError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, UnicodeDecodeError)

# Why a zip, or a file in one, is refused. The static page says the same.
REFUSALS = {
    "damaged zip": "The zip file is damaged, or has several parts, and cannot be read.",
    "empty zip": "The zip holds no files.",
    "nested zip": "It is a zip in the zip, which is not opened. Choose it on its own.",
    "deep": "It lies in more than {deepest} folders.",
    "encrypted": "It is encrypted. Choose a zip without a password.",
    "packed": "It is packed with a compression that is not supported. Use an ordinary zip.",
    "large": "It is larger than the {megabytes} MB that are accepted.",
    "two labels": "The zip holds this photo as {labels}. Keep the copy whose folder is right.",
    "damaged in zip": "It is damaged in the zip file.",
    "many in zip": "The zip holds {files} files; at most {most} photos are judged at once.",
    "unpacked": "The zip holds more than {megabytes} MB, unpacked. Choose fewer or smaller photos.",
}


class TooMuch(CatDogError, ValueError):
    """More photos than are judged at once, or files that are too large."""

    code = "too_much"
    status = 413


@dataclass(frozen=True)
class NamedPhoto:
    """A photo that can be read."""

    name: str  # for display only, never used as a path
    label: str | None  # the class named by a folder around it
    read: Callable[[], bytes]  # returns its bytes; raises CatDogError


@dataclass(frozen=True)
class Collection:
    """The photos of an upload, and the name of each refused file with the reason in a sentence."""

    photos: tuple[NamedPhoto, ...]
    refused: tuple[tuple[str, str], ...]


@contextlib.contextmanager
def collect(files: Sequence[tuple[str, Path]], classes: Sequence[str], max_bytes: int) -> Iterator[Collection]:
    """Open uploaded photos and zips, given as (name, path); a context, during which zips stay open.

    1. A zip stands for the files in it, without those that operating systems add. Zips in zips are refused.
    2. A photo's label is the class that a folder around it names, in the singular or the plural; of several such
       folders the innermost counts. A photo that a zip holds under several labels is refused, as one must be wrong.
    3. Files that cannot be photos are refused one by one. Too many or too large files raise TooMuch.

    Nothing is unpacked to the disk, and at most `max_bytes` of a photo in a zip are read.
    """
    _require_few(len(files))
    zips = {path: _index_size(path) for _, path in files if _is_zip(path)}
    if sum(zips.get(path, 0) for _, path in files) > LARGEST_INDEX:
        raise TooMuch(f"The upload has too many files; at most {MOST_PHOTOS} photos are judged at once.")
    with contextlib.ExitStack() as archives:
        photos: list[NamedPhoto] = []
        refused: list[tuple[str, str]] = []
        for name, path in files:
            if path not in zips:
                photos.append(NamedPhoto(_short(name), None, functools.partial(_read_file, path)))
                continue
            try:
                archive = archives.enter_context(zipfile.ZipFile(path))
            except _UNREADABLE:
                refused.append((_short(name), REFUSALS["damaged zip"]))
                continue
            members = _members(archive)
            if not members:
                refused.append((_short(name), REFUSALS["empty zip"]))
            labels = _labels(members, classes)
            for member in members:
                shown = _short(member.filename)
                if problem := _problem(member, max_bytes, labels[_content(member)]):
                    refused.append((shown, problem))
                else:
                    read = functools.partial(_read_member, archive, member)
                    photos.append(NamedPhoto(shown, label_of(member.filename, classes), read))
            _require_few(len(photos) + len(refused))
        yield Collection(tuple(photos), tuple(refused))


def _require_few(photos: int) -> None:
    if photos > MOST_PHOTOS:
        raise TooMuch(f"At most {MOST_PHOTOS} photos are judged at once. Received: {photos:,} or more.")


def label_of(name: str, classes: Sequence[str]) -> str | None:
    """The class named by the innermost folder in a path that names one: `test/Cats/1.jpg` is a cat."""
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
            return stream.read(4) in _ZIPS
    except OSError:  # reading it as a photo reports the error
        return False


def _members(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """The files in a zip, without those that operating systems add."""
    # Not by `is_dir`, which raises IndexError for an empty name.
    files = (member for member in archive.infolist() if not member.filename.endswith("/"))
    members = [member for member in files if not _is_clutter(member.filename)]
    if len(members) > MOST_PHOTOS:
        raise TooMuch(REFUSALS["many in zip"].format(files=f"{len(members):,}", most=MOST_PHOTOS))
    if sum(member.file_size for member in members) > MOST_UNPACKED:
        raise TooMuch(REFUSALS["unpacked"].format(megabytes=MOST_UNPACKED // 2**20))
    return members


def _content(member: zipfile.ZipInfo) -> tuple[int, int]:
    """What identifies the content of a file in a zip without reading it."""
    return member.CRC, member.file_size


def _labels(members: Iterable[zipfile.ZipInfo], classes: Sequence[str]) -> dict[tuple[int, int], set[str]]:
    """For each content, the labels of all folders that it is in."""
    labels: dict[tuple[int, int], set[str]] = defaultdict(set)
    for member in members:
        if member.file_size:  # empty files are no copies of each other
            labels[_content(member)] |= {label_of(member.filename, classes)} - {None}
    return labels


def _index_size(path: Path) -> int:
    """The size of a zip's central directory, by the function that ZipFile itself asks; 0 where there is none."""
    with contextlib.suppress(OSError, zipfile.BadZipFile), open(path, "rb") as stream:
        if end := zipfile._EndRecData(stream):
            return end[zipfile._ECD_SIZE]
    return 0  # opening it reports the error


def _is_clutter(name: str) -> bool:
    return any((part.startswith(".") and part != "..") or part in _CLUTTER for part in _parts(name))


def _parts(name: str) -> tuple[str, ...]:
    """The folders and the file name of a path in a zip, with either kind of slash."""
    return PurePosixPath(name.replace("\\", "/")).parts


def _problem(member: zipfile.ZipInfo, max_bytes: int, labels: set[str]) -> str:
    """Why a member of a zip is refused, whose content has these labels; empty if it is not."""
    if member.filename.lower().endswith(".zip"):
        return REFUSALS["nested zip"]
    if len(_parts(member.filename)) > DEEPEST + 1:
        return REFUSALS["deep"].format(deepest=DEEPEST)
    if member.flag_bits & 1:
        return REFUSALS["encrypted"]
    if member.compress_type not in _METHODS:
        return REFUSALS["packed"]
    if member.file_size > max_bytes:
        return REFUSALS["large"].format(megabytes=f"{max_bytes / 2**20:g}")
    if len(labels) > 1:
        return REFUSALS["two labels"].format(labels=" and as ".join(sorted(labels)))
    return ""


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """The bytes of a member; more than the central directory says are an error."""
    try:
        with archive.open(member) as stream:
            return stream.read(member.file_size + 1)  # `archive.read` would unpack up to a gigabyte first
    except (*_UNREADABLE, ValueError) as error:  # ValueError: the zip was closed because the visitor left
        raise InvalidImage(REFUSALS["damaged in zip"]) from error


def _short(name: str) -> str:
    """A name as a page can show it: printable, and shortened at its beginning."""
    name = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in name)
    return name if len(name) <= LONGEST_NAME else f"…{name[-LONGEST_NAME + 1 :]}"
