"""Decoding in processes: results in order, files that end their process, processes that do not start."""

import functools
import multiprocessing
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np
import pytest

from catdog.errors import CatDogError, InvalidImage, NoWorker, OutOfMemory
from catdog.folder.decoding import Decoded, Decoder
from catdog.folder.walk import Found
from catdog.folder.workers import AHEAD, LOST, Workers
from catdog.photo.array import Pixels
from catdog.photo.decode import MAX_PIXELS
from catdog.photo.reader import Read, Reader

SHAPES = ((8, "stretch"), (12, "crop"))
READER = Reader(max_bytes=100_000, max_pixels=MAX_PIXELS, min_side=24)
DEADLY = {
    b"crash": lambda: os.kill(os.getpid(), signal.SIGSEGV),
    b"forever": lambda: [None for _ in iter(int, 1)],
    b"large photo": lambda: exhaust(OutOfMemory("There is too little memory.")),
}


def exhaust(error: Exception) -> None:
    raise error


def deadly(stream: IO[bytes], *, whole: bool) -> Read:
    """A reader that some files kill."""
    data = stream.read()
    DEADLY.get(data, lambda: None)()
    return READER(data, whole=whole)


class Stillborn:
    """A reader that ends the process which it is sent to."""

    def __reduce__(self):
        return os._exit, (1,)


def told(decoded: Decoded) -> list[int | str]:
    """For each photo its grey level, the same in every shape, or its error."""
    return [str(photo) if isinstance(photo, CatDogError) else _level(photo) for photo in decoded]


def _level(photo: Pixels) -> int:
    assert {shape: (array.shape, array.dtype) for shape, array in photo.arrays.items()} == {
        shape: ((shape[0], shape[0], 3), np.uint8) for shape in SHAPES
    }
    (level,) = {int(value) for array in photo.arrays.values() for value in np.unique(array)}
    return level


def chunks(names: Sequence[str], size: int) -> list[list[Found]]:
    return [[Found(name) for name in names[i : i + size]] for i in range(0, len(names), size)]


def test_chunks_come_decoded_in_their_order_with_their_errors(greys):
    folder = greys(10)
    (folder / "003.png").write_bytes(b"%PDF-1.7")
    (folder / "007.png").unlink()
    os.mkfifo(folder / "pipe.png")
    wanted = chunks([f"{i:03}.png" for i in range(10)], 4)
    wanted[-1] += [Found("pipe.png"), Found("far/", "The folder is far.")]
    with Workers(Decoder(str(folder), READER, SHAPES), 2) as workers:
        results = list(workers.decode(wanted))
    assert [chunk for chunk, _ in results] == wanted
    photos = [photo for _, decoded in results for photo in told(decoded)]
    assert "a PDF document" in photos.pop(3)
    assert photos == [
        0, 1, 2, 4, 5, 6, "The file cannot be read: No such file or directory.", 8, 9,
        "It is not a regular file.", "The folder is far.",
    ]  # fmt: skip


def test_a_file_that_ends_its_process_is_an_error_and_the_others_are_decoded(greys):
    folder = greys(8)
    for number, content in {1: b"crash", 5: b"large photo"}.items():
        (folder / f"{number:03}.png").write_bytes(content)
    with Workers(Decoder(str(folder), deadly, SHAPES), 2) as workers:
        results = list(workers.decode(chunks([f"{i:03}.png" for i in range(8)], 4)))
    assert [photo for _, decoded in results for photo in told(decoded)] == [0, LOST, 2, 3, 4, LOST, 6, 7]


def test_a_photo_is_tried_again_when_memory_may_be_free_again(greys, tmp_path):
    folder = greys(3)
    with Workers(Decoder(str(folder), functools.partial(short_of_memory, tmp_path / "tried"), SHAPES), 1) as workers:
        ((_, decoded),) = workers.decode(chunks(["000.png", "001.png", "002.png"], 3))
    assert told(decoded) == [0, 1, 2]


def short_of_memory(tried: Path, stream: IO[bytes], *, whole: bool) -> Read:
    """A reader that has too little memory for the first photo that it is asked for."""
    if not tried.exists():
        tried.touch()
        raise MemoryError
    return READER(stream, whole=whole)


def test_a_file_that_never_ends_is_given_up(tmp_path):
    (tmp_path / "x.png").write_bytes(b"forever")
    with Workers(Decoder(str(tmp_path), deadly, SHAPES, patience=0.1), 1) as workers:
        ((_, decoded),) = workers.decode([[Found("x.png")]])
    assert told(decoded) == [LOST]


def test_no_more_is_decoded_ahead_than_memory_is_meant_for(greys):
    folder, taken = greys(1), []

    def endless():
        while True:
            taken.append(None)
            yield [Found("000.png")]

    with Workers(Decoder(str(folder), READER, SHAPES), 1) as workers:
        results = workers.decode(endless())
        for count in range(1, 4):
            next(results)
            assert len(taken) == AHEAD + count


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="what a process blocks is read in /proc")
def test_ctrl_c_is_left_to_the_main_process(greys):
    def blocked(pid: int) -> int:
        status = Path(f"/proc/{pid}/status").read_text()
        return int(status.split("SigBlk:")[1].split()[0], 16)

    with Workers(Decoder(str(greys(8)), READER, SHAPES), 2) as workers:
        list(workers.decode(chunks([f"{i:03}.png" for i in range(8)], 1)))
        children = [process.pid for process in multiprocessing.active_children()]
        assert children and all(blocked(pid) >> (signal.SIGINT - 1) & 1 for pid in children)


def test_workers_that_do_not_start_end_the_run_instead_of_spoiling_every_photo(greys):
    workers = Workers(Decoder(str(greys(1)), Stillborn(), SHAPES), 2)
    with workers, pytest.raises(NoWorker, match="could not be started: it ended at once"):
        next(workers.decode([[Found("000.png")]]))


def test_leaving_early_waits_for_nobody(tmp_path: Path):
    (tmp_path / "x.png").write_bytes(b"forever")
    with Workers(Decoder(str(tmp_path), deadly, SHAPES, patience=600), 1) as workers:
        results = workers.decode([[Found("none.png")], [Found("x.png")], [Found("x.png")], [Found("x.png")]])
        assert isinstance(next(results)[1][0], InvalidImage)
