"""The photos of a folder and of all folders in it."""

import os
from collections.abc import Container, Iterator
from pathlib import Path
from typing import NamedTuple

from catdog.photo.decode import EXTENSIONS


class Found(NamedTuple):
    """A photo; or, if `problem` is set, a folder that cannot be read."""

    path: str  # relative to the folder of the walk, which itself is ""; with `/`, also at the end of a folder's
    problem: str = ""  # why the folder cannot be read, in one sentence; empty for a photo


def find(folder: Path, extensions: Container[str] = EXTENSIONS) -> Iterator[Found]:
    """Files with these extensions (lower case, with the dot), sorted by path as text, without hidden files and folders.

    Links are followed, except those to a folder that contains them. Only the names in the folders on the way to the
    current photo are held in memory. Pipes and other special files are found too; reading one is an error.
    """
    waiting = [""]  # paths to visit, the next one last
    above: list[tuple[str, tuple[int, int]]] = []  # the folders around the current path, with device and inode
    while waiting:
        path = waiting.pop()
        if path and not path.endswith("/"):
            yield Found(path)
            continue
        while above and not path.startswith(above[-1][0]):
            above.pop()
        try:
            status = os.stat(folder / path)
            identity = status.st_dev, status.st_ino
            if any(identity == other for _, other in above):
                continue
            names = sorted(_names(folder / path, extensions), reverse=True)
        except OSError as error:
            yield Found(path, f"The folder cannot be read: {error.strerror}.")
            continue
        above.append((path, identity))
        waiting += [path + name for name in names]


def _names(folder: Path, extensions: Container[str]) -> Iterator[str]:
    """Visible files with these extensions, and visible folders.

    Folders have a `/` at the end, so that sorted names make sorted paths.
    """
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if _is_folder(entry):
                yield entry.name + "/"
            elif os.path.splitext(entry.name)[1].lower() in extensions:
                yield entry.name


def _is_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads in circles
        return False
