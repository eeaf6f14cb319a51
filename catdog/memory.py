"""Memory that goes back to the system when it is done with."""

from __future__ import annotations

import contextlib
import ctypes
from pathlib import Path

M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8  # of mallopt(3)
LARGE = 2**20  # bytes
ARENAS = 2
MADV_DONTNEED = 4  # of madvise(2)


def give_back_large_blocks() -> None:
    """Let glibc return every freed block of a megabyte to the system, and keep the others in ARENAS heaps.

    That is so for the whole process. By itself it keeps up to 64 MB for each thread that ever held a decoded
    photo, and has eight heaps for each core. Other C libraries do not, and are left alone.
    """
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL("libc.so.6").mallopt
        mallopt(M_MMAP_THRESHOLD, LARGE)
        mallopt(M_ARENA_MAX, ARENAS)


def give_back_freed_blocks() -> None:
    """Let glibc return what lies free between blocks in use, as after loading."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def give_back_mapped_file(file: Path) -> None:
    """Let Linux take back what this process holds in memory of a file that it maps and never writes to.

    It reads it again if it is asked for. Whoever calls this keeps the file mapped meanwhile, or something
    else could take its place. Other systems decide for themselves.
    """
    with contextlib.suppress(OSError, AttributeError, ValueError):
        madvise = ctypes.CDLL("libc.so.6").madvise
        for line in Path("/proc/self/maps").read_text().splitlines():
            addresses, rights, *_, path = line.split(maxsplit=5)
            if path.removesuffix(" (deleted)") == str(file) and "w" not in rights:
                start, end = (int(address, 16) for address in addresses.split("-"))
                madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), MADV_DONTNEED)
