"""Items of many threads, handled together in one thread."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Batcher(Generic[Item, Result]):
    """Hands the items that are waiting to `handle`, up to `together` at a time; no item waits for others to come.

    `handle` takes a list and returns a result or an exception per item. If it raises, all of them get that exception.
    After a fork, the new process starts a thread of its own if nobody was using the Batcher.
    """

    def __init__(self, handle: Callable[[list[Item]], Sequence[Result | Exception]], together: int):
        self._handle, self._together = handle, together
        self._lock, self._closed = threading.Lock(), False
        self._start()

    def submit(self, item: Item) -> Future[Result]:
        """The future result of an item; raises RuntimeError after `close`."""
        future: Future[Result] = Future()
        with self._lock:  # after the None of `close` nobody would take it
            if self._closed:
                raise RuntimeError("closed")
            if self._process != os.getpid():  # forked since: the thread is in the other process
                self._start()
            self._waiting.put((item, future))
        return future

    def close(self) -> None:
        """Handle what is waiting, then end the thread. May be called again."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._waiting.put(None)
        self._thread.join()

    def _start(self) -> None:
        self._process = os.getpid()
        self._waiting: queue.SimpleQueue[tuple[Item, Future] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="catdog-batcher", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        ended = False
        while not ended:
            ended = self._handle_next()

    def _handle_next(self) -> bool:
        """Handle a group and return whether it was the last. Afterwards nothing keeps it in memory."""
        group, ended = self._next_group()
        items, futures = [item for item, _ in group], [future for _, future in group]
        try:
            answers = list(zip(futures, self._handle(items), strict=True)) if group else []
        except Exception as error:  # those who wait for the answers must learn of it
            answers = [(future, error) for future in futures]
        for future, result in answers:
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)
        return ended

    def _next_group(self) -> tuple[list[tuple[Item, Future]], bool]:
        """Wait for items; return them and whether they are the last."""
        group = []
        while (taken := self._waiting.get()) is not None:
            group.append(taken)
            if len(group) == self._together or self._waiting.empty():  # nobody else takes items
                return group, False
        return group, True
