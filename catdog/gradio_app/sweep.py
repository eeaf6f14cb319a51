"""Delete the uploads that Gradio's own sweep leaves behind: incomplete ones, and those of servers that were killed."""

import asyncio
import contextlib
import os
import re
import stat
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from gradio.utils import get_upload_folder

EVERY = 600  # seconds between two sweeps
BROKEN_OFF = 600  # seconds without a byte, after which an upload counts as broken off
# How Gradio names uploads in progress, and the folders of complete ones. Other programs may use the same folder.
_UNDER_WAY, _WHOLE = re.compile(r"tmp[a-z0-9_]{8}"), re.compile(r"[0-9a-f]{64}")


def sweeping(kept: float) -> Callable[[object], AbstractAsyncContextManager[None]]:
    """A lifespan for an ASGI application that deletes each upload before it is `kept` seconds old."""

    async def sweep_again_and_again() -> None:
        while True:
            with contextlib.suppress(OSError):  # another server has just swept there: the next round sees what is left
                await asyncio.to_thread(sweep, get_upload_folder(), kept - EVERY)
            await asyncio.sleep(EVERY)

    @asynccontextmanager
    async def lifespan(app: object) -> AsyncIterator[None]:
        task = asyncio.create_task(sweep_again_and_again())
        try:
            yield
        finally:
            task.cancel()

    return lifespan


def sweep(folder: str | os.PathLike[str], kept: float) -> None:
    """Delete uploads in Gradio's folder that were written more than `kept` seconds ago, or broke off.

    In the system's own folder for temporary files, uploads that broke off stay: other programs name theirs so.
    """
    shared = Path(folder).resolve() == Path(tempfile.gettempdir()).resolve()
    for path in Path(folder).glob("*"):
        if _UNDER_WAY.fullmatch(path.name) and not shared:
            _delete_if_older(path, BROKEN_OFF)
        elif _WHOLE.fullmatch(path.name):
            for upload in path.glob("*"):
                _delete_if_older(upload, kept)
            with contextlib.suppress(OSError):  # something is left in it
                path.rmdir()


def _delete_if_older(path: Path, seconds: float) -> None:
    with contextlib.suppress(OSError):  # it is gone, or not ours
        found = path.lstat()
        if stat.S_ISREG(found.st_mode) and time.time() - found.st_mtime > seconds:
            path.unlink()
