"""Processes that decode: several at a time, and a file that ends its process ends no run."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import queue
import signal
import warnings
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection

from catdog.errors import InvalidImage, NoWorker
from catdog.folder.decoding import PATIENCE, Decoded, Decoder
from catdog.folder.walk import Found

LOST = (
    "The photo ended the process that decoded it, twice: its decoder crashed, ran out of memory or took more than "
    f"{PATIENCE} seconds."
)
# Chunks per worker that are decoded, or wait to be, while the models are busy.
AHEAD = 2
# Workers step back for the models, which share their work among all cores and wait for the slowest.
NICENESS = 5


class Workers:
    """Processes that decode; a context manager, which ends them.

    A photo that ends its worker is tried once more, alone. Raises NoWorker where workers do not even
    start.
    """

    def __init__(self, decoder: Decoder, count: int):
        self._decoder, self._count = decoder, count
        # The first process that is spawned starts this one, too, which lets through what `_block_interrupts` blocks.
        resource_tracker.ensure_running()
        # A thread per worker talks to it.
        self._threads = ThreadPoolExecutor(count, "catdog-decoding", initializer=_block_interrupts)
        self._idle: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
        self._alive: set[_Worker] = set()
        self._closed = False

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *exception) -> None:
        self._closed = True
        for worker in list(self._alive):
            worker.end()
        self._threads.shutdown(cancel_futures=True)

    def decode(self, chunks: Iterable[Sequence[Found]]) -> Iterator[tuple[Sequence[Found], Decoded]]:
        """Decode chunks ahead of whoever takes them, in their order, and at most AHEAD per worker."""
        pending = deque()
        for chunk in chunks:
            pending.append((chunk, self._threads.submit(self._decode, chunk)))
            if len(pending) > AHEAD * self._count:
                done, decoded = pending.popleft()
                yield done, decoded.result()
        while pending:
            done, decoded = pending.popleft()
            yield done, decoded.result()

    def whole(self, chunk: Sequence[Found]) -> Future[Decoded]:
        """Decode a few photos once more, with all their pixels, when a worker has time."""
        return self._threads.submit(self._decode, chunk, whole=True)

    def _decode(self, chunk: Sequence[Found], *, whole: bool = False, last_try: bool = False) -> Decoded:
        worker = self._worker()
        try:
            decoded = worker.decode(chunk, whole)
        except (EOFError, OSError):  # the process is no more
            self._alive.discard(worker)
            worker.end()
            if not last_try:
                return [self._decode([found], whole=whole, last_try=True)[0] for found in chunk]
            return [InvalidImage(LOST)]
        self._idle.put(worker)
        return decoded

    def _worker(self) -> _Worker:
        """One that has nothing to do, or else a new one."""
        if self._closed:
            raise NoWorker("The processes that decode photos were ended.")
        try:
            return self._idle.get_nowait()
        except queue.Empty:
            worker = _Worker(self._decoder)
        self._alive.add(worker)
        if self._closed:  # since then, and too late to be ended with the others
            worker.end()
        return worker


class _Worker:
    """One process, and the line to it, which breaks when either end is killed."""

    def __init__(self, decoder: Decoder):
        context = multiprocessing.get_context("spawn")  # a fork would inherit the locks of other threads
        try:
            self._line, theirs = context.Pipe()
            self._process = context.Process(target=_work, args=(theirs, decoder), daemon=True)
            self._process.start()
            theirs.close()
            self._line.recv()
        except (EOFError, OSError) as error:
            reason = getattr(error, "strerror", None) or (
                "it ended at once. A script must call this under `if __name__ == '__main__':`"
            )
            raise NoWorker(f"A process that decodes photos could not be started: {reason}.") from error

    def decode(self, chunk: Sequence[Found], whole: bool) -> Decoded:
        """Raises EOFError or OSError when the process ends meanwhile."""
        self._line.send((chunk, whole))
        return self._line.recv()

    def end(self) -> None:
        self._process.kill()
        self._process.join()


def _work(line: Connection, decoder: Decoder) -> None:
    """The life of a worker: a chunk in, a chunk out, until the other end of the line is gone."""
    os.nice(NICENESS)
    warnings.simplefilter("ignore")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # where decoders remark on odd files
    with contextlib.suppress(EOFError, BrokenPipeError):
        line.send("ready")
        while True:
            chunk, whole = line.recv()
            line.send(decoder.decode(chunk, whole=whole))


def _block_interrupts() -> None:
    """Ctrl-C reaches all processes of a terminal; those that this thread starts leave it to the main one."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
