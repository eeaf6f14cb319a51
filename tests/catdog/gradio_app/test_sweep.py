"""No upload stays for good, also one that broke off or whose server was killed; other files are left alone."""

import asyncio
import os
import time

import pytest

from catdog.gradio_app.page import KEPT, launch_options
from catdog.gradio_app.sweep import BROKEN_OFF, sweep
from tests.conftest import PATIENCE

WHOLE = "0123456789abcdef" * 4


@pytest.fixture
def write(tmp_path):
    """write(name, age) -> a file that was written so many seconds ago."""

    def written(name: str, age: float):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
        os.utime(path, (time.time() - age,) * 2)
        return path

    return written


def test_what_is_too_old_goes(write, tmp_path):
    old = write(f"{WHOLE}/cat.jpg", 101)
    broken_off = write("tmpabc_1234", BROKEN_OFF + 1)
    fresh = [write(f"{WHOLE[::-1]}/cat.jpg", 99), write("tmpabc_5678", BROKEN_OFF - 60)]
    others = [write("notes.txt", 10**6), write("tmpfile", 10**6), write("mine/cat.jpg", 10**6)]
    link = tmp_path / "tmpabc_link"
    link.symlink_to(others[0])
    sweep(tmp_path, kept=100)
    assert not old.parent.exists() and not broken_off.exists()
    assert all(path.exists() for path in [*fresh, *others, link])
    sweep(tmp_path / "missing", kept=100)


def test_temporary_files_of_other_programs_stay(write, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    old, other = write(f"{WHOLE}/cat.jpg", 101), write("tmpabc_1234", 10**6)
    sweep(tmp_path, kept=100)
    assert not old.exists() and other.exists()


def test_the_page_sweeps_from_its_start_on(write, site, comparator, tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    old, fresh = write(f"{WHOLE}/old.jpg", 2 * KEPT), write(f"{WHOLE}/fresh.jpg", KEPT)
    lifespan = launch_options(site[0], comparator)["app_kwargs"]["lifespan"]

    async def serve() -> None:
        async with lifespan(None), asyncio.timeout(PATIENCE):
            while old.exists():
                await asyncio.sleep(0.02)

    asyncio.run(serve())
    assert not old.exists() and fresh.exists()
