"""Processes that decode photos; a file that crashes its process does not end the run."""

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
# Chunks per worker that may be decoded, or wait to be, while the models are busy.
AHEAD = 2
# Workers yield to the models, whose threads use all cores and wait for the slowest of them.
NICENESS = 5


class Workers:
    """Processes that decode; a context manager, which ends them.

    A photo that ends its worker is tried once more, alone. Raises NoWorker if workers cannot be started.
    """

    def __init__(self, decoder: Decoder, count: int):
        self._decoder, self._count = decoder, count
        # Spawning would start the tracker in one of the threads, and starting it there unblocks Ctrl-C again.
        resource_tracker.ensure_running()
        # One thread per worker, which sends it chunks and waits for the results. A process that such a thread starts
        # ignores Ctrl-C, which the main process handles.
        without_interrupts = signal.SIG_BLOCK, {signal.SIGINT}
        self._threads = ThreadPoolExecutor(count, "catdog-decoding", signal.pthread_sigmask, without_interrupts)
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
        """Decode chunks, in order; at most AHEAD per worker are decoded before the caller takes them."""
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
        """Decode a few photos again, not reduced, when a worker is free."""
        return self._threads.submit(self._decode, chunk, whole=True)

    def _decode(self, chunk: Sequence[Found], *, whole: bool = False, last_try: bool = False) -> Decoded:
        worker = self._worker()
        try:
            decoded = worker.decode(chunk, whole)
        except (EOFError, OSError):  # the process has ended
            self._alive.discard(worker)
            worker.end()
            if not last_try:
                return [self._decode([found], whole=whole, last_try=True)[0] for found in chunk]
            return [InvalidImage(LOST)]
        self._idle.put(worker)
        return decoded

    def _worker(self) -> _Worker:
        if self._closed:
            raise NoWorker("The processes that decode photos were ended.")
        try:
            return self._idle.get_nowait()
        except queue.Empty:
            worker = _Worker(self._decoder)
        self._alive.add(worker)
        if self._closed:  # meanwhile, so that `__exit__` did not end this one
            worker.end()
        return worker


class _Worker:
    """One process and the pipe to it, which breaks when either end is killed."""

    def __init__(self, decoder: Decoder):
        context = multiprocessing.get_context("spawn")  # a fork would copy locks that other threads hold
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
        """Decode in the process; raises EOFError or OSError if it ends."""
        self._line.send((chunk, whole))
        return self._line.recv()

    def end(self) -> None:
        self._process.kill()
        self._process.join()


def _work(line: Connection, decoder: Decoder) -> None:
    """What a worker does: decode chunks until the other end of the pipe is closed."""
    os.nice(NICENESS)
    warnings.simplefilter("ignore")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # decoders write warnings on odd files there
    with contextlib.suppress(EOFError, BrokenPipeError):
        line.send("ready")
        while True:
            chunk, whole = line.recv()
            line.send(decoder.decode(chunk, whole=whole))
