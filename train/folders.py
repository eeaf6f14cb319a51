"""Files that appear whole or not at all, and where they go."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from catdog.files import whole

__all__ = ["require_writable", "save_all", "whole"]

Thing = TypeVar("Thing")


def require_writable(folder: Path) -> None:
    """Make a folder and try to write to it: better an OSError now than after hours of training."""
    folder.mkdir(parents=True, exist_ok=True)
    tempfile.TemporaryFile(dir=folder).close()


def save_all(
    things: Iterable[tuple[str, Thing | None]], folder: Path, save: Callable[[Thing, Path], None]
) -> list[str]:
    """Save each under its name in a folder, remove what is None, an earlier one, and name those that were saved."""
    names = []
    for name, thing in things:
        if thing is None:
            (folder / name).unlink(missing_ok=True)
        else:
            save(thing, folder / name)
            names.append(name)
    return names
