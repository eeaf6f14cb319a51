"""Return to the system the memory that glibc or the kernel would keep for this process."""

import contextlib
import ctypes
from pathlib import Path

M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8  # of mallopt(3)
LARGE = 2**20  # bytes
ARENAS = 2
MADV_DONTNEED = 4  # of madvise(2)


def limit_malloc() -> None:
    """Let glibc return every freed block of a megabyte or more to the system, and use no more than ARENAS heaps.

    This changes the whole process, so only servers and commands call it, at their start. By default glibc keeps up to
    64 MB for each thread that has held a decoded photo. Other C libraries are left alone.
    """
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL("libc.so.6").mallopt
        mallopt(M_MMAP_THRESHOLD, LARGE)
        mallopt(M_ARENA_MAX, ARENAS)


def trim_heap() -> None:
    """Let glibc return the free memory between blocks in use, such as loading models leaves."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def drop_pages(file: Path) -> None:
    """Let Linux drop the pages of a file that this process maps and never writes to; they are read again when needed.

    The caller keeps the file mapped meanwhile. Other systems decide for themselves.
    """
    with contextlib.suppress(OSError, AttributeError, ValueError):
        madvise = ctypes.CDLL("libc.so.6").madvise
        for line in Path("/proc/self/maps").read_text().splitlines():
            addresses, rights, *_, path = line.split(maxsplit=5)
            if path.removesuffix(" (deleted)") == str(file) and "w" not in rights:
                start, end = (int(address, 16) for address in addresses.split("-"))
                madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), MADV_DONTNEED)
