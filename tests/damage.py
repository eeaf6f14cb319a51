"""What can happen to a file, and to the disk."""

from __future__ import annotations

import errno
import os
from pathlib import Path


def remove(path: Path) -> None:
    path.unlink()


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1  # the last byte: JSON is none any more
    path.write_bytes(content)


def full(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")
