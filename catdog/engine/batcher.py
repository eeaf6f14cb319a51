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
    """Hands what is waiting to `handle`, up to `together` items at a time; nothing waits for company.

    `handle` takes a list and returns a result or an exception per item; an exception that it raises goes to
    all of them. A forked process may go on with the copy of a Batcher that nobody was using: it starts a
    thread of its own.
    """

    def __init__(self, handle: Callable[[list[Item]], Sequence[Result | Exception]], together: int):
        self._handle, self._together = handle, together
        self._lock, self._closed = threading.Lock(), False
        self._start()

    def submit(self, item: Item) -> Future[Result]:
        """The future result of an item; raises RuntimeError after `close`."""
        future: Future[Result] = Future()
        with self._lock:  # nothing comes after the None of `close`: nobody would take it
            if self._closed:
                raise RuntimeError("closed")
            if self._process != os.getpid():  # forked since, and threads stay behind
                self._start()
            self._waiting.put((item, future))
        return future

    def close(self) -> None:
        """Handle what is waiting, then end the thread; a second time changes nothing."""
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
        """Handle a group, of which nothing stays in memory when this returns; whether it was the last."""
        group, ended = self._next_group()
        items, futures = [item for item, _ in group], [future for _, future in group]
        try:
            answers = list(zip(futures, self._handle(items), strict=True)) if group else []
        except Exception as error:  # whatever it is, it belongs to those who wait
            answers = [(future, error) for future in futures]
        for future, result in answers:
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)
        return ended

    def _next_group(self) -> tuple[list[tuple[Item, Future]], bool]:
        """What to handle next, once there is something, and whether it is the last."""
        group = []
        while (taken := self._waiting.get()) is not None:  # after the first at once, as nobody else takes anything
            group.append(taken)
            if len(group) == self._together or self._waiting.empty():
                return group, False
        return group, True
