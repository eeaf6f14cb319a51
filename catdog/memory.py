"""Memory that goes back to the system when a photo is done with."""

from __future__ import annotations

import contextlib
import ctypes

M_MMAP_THRESHOLD = -3  # of mallopt(3)
LARGE = 2**20  # bytes


def give_back_large_blocks() -> None:
    """Let glibc return every freed block of a megabyte to the system, for the whole process.

    By itself it keeps up to 64 MB for each thread that ever held a decoded photo. Other C libraries do
    not, and are left alone.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").mallopt(M_MMAP_THRESHOLD, LARGE)
