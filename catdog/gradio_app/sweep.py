"""Delete the uploads that Gradio's own sweep leaves behind: incomplete ones, and those of servers that were killed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from gradio.utils import get_upload_folder

EVERY = 600  # seconds between two sweeps
BROKEN_OFF = 600  # seconds without a byte, after which an upload counts as broken off
# How Gradio names uploads in progress, and the folders of complete ones. Other programs may use the same folder; their
# files stay.
_UNDER_WAY, _WHOLE = re.compile(r"tmp[a-z0-9_]{8}"), re.compile(r"[0-9a-f]{64}")


def sweeping(kept: float) -> Callable[[object], AbstractAsyncContextManager[None]]:
    """A lifespan for an ASGI application that deletes each upload before it is `kept` seconds old."""

    @asynccontextmanager
    async def lifespan(app: object) -> AsyncIterator[None]:
        task = asyncio.create_task(_sweep_again_and_again(kept))
        try:
            yield
        finally:
            task.cancel()

    return lifespan


async def _sweep_again_and_again(kept: float) -> None:
    while True:
        await asyncio.to_thread(sweep, get_upload_folder(), kept - EVERY)
        await asyncio.sleep(EVERY)


def sweep(folder: str | os.PathLike[str], kept: float) -> None:
    """Delete uploads in Gradio's folder that were written more than `kept` seconds ago, or broke off."""
    for entry in _entries(folder):
        if _UNDER_WAY.fullmatch(entry.name):
            _delete_if_older(entry, BROKEN_OFF)
        elif _WHOLE.fullmatch(entry.name):
            for upload in _entries(entry.path):
                _delete_if_older(upload, kept)
            with contextlib.suppress(OSError):  # something is left in it
                os.rmdir(entry.path)


def _entries(folder: str | os.PathLike[str]) -> Iterator[os.DirEntry]:
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        yield from entries


def _delete_if_older(entry: os.DirEntry, seconds: float) -> None:
    with contextlib.suppress(OSError):  # it is gone, or not ours
        if entry.is_file(follow_symlinks=False) and time.time() - entry.stat(follow_symlinks=False).st_mtime > seconds:
            os.unlink(entry.path)
