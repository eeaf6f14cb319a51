"""Folders that are writable, and what is saved in them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

Thing = TypeVar("Thing")


def require_writable(folder: Path) -> None:
    """Make a folder and write to it, to raise OSError before hours of training rather than after."""
    folder.mkdir(parents=True, exist_ok=True)
    tempfile.TemporaryFile(dir=folder).close()


def save_all(
    things: Iterable[tuple[str, Thing | None]], folder: Path, save: Callable[[Thing, Path], None]
) -> list[str]:
    """Save each thing under its name in a folder, delete the file of one that is None, and return the names saved."""
    names = []
    for name, thing in things:
        if thing is None:
            (folder / name).unlink(missing_ok=True)
        else:
            save(thing, folder / name)
            names.append(name)
    return names
