"""Items of many threads, handled together in one thread."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Batcher(Generic[Item, Result]):
    """Hands what is waiting to `handle`, at most `most` items at a time.

    Nothing waits for company: an item that comes alone is handled at once, and those that come
    meanwhile are handled together next. `handle` takes a list and returns a result or an exception
    per item; an exception that it raises goes to all of them.
    """

    def __init__(self, handle: Callable[[list[Item]], Sequence[Result | Exception]], most: int):
        self._handle, self._most = handle, most
        self._waiting: queue.SimpleQueue[tuple[Item, Future] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="catdog-batcher", daemon=True)
        self._thread.start()

    def submit(self, item: Item) -> Future[Result]:
        """The future result of an item."""
        future: Future[Result] = Future()
        self._waiting.put((item, future))
        return future

    def close(self) -> None:
        """Handle what is waiting, then end the thread."""
        self._waiting.put(None)
        self._thread.join()

    def _work(self) -> None:
        while group := self._next_group():
            items, futures = zip(*group, strict=True)
            try:
                results = self._handle(list(items))
            except Exception as error:  # whatever it is, it belongs to those who wait
                results = [error] * len(items)
            for future, result in zip(futures, results, strict=True):
                if isinstance(result, Exception):
                    future.set_exception(result)
                else:
                    future.set_result(result)

    def _next_group(self) -> list[tuple[Item, Future]]:
        """At least one item, once there is one; none at the end."""
        group = []
        while not group or (len(group) < self._most and not self._waiting.empty()):
            entry = self._waiting.get()
            if entry is None:
                if group:
                    self._waiting.put(None)  # seen again after this group
                break
            group.append(entry)
        return group
