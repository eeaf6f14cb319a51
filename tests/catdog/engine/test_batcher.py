"""Items of many threads: together, in order, each with its own answer, and never left waiting."""

from __future__ import annotations

import contextlib
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor, wait

import pytest

from catdog.engine.batcher import Batcher
from tests.conftest import PATIENCE


class Recorder:
    """Handles items by doubling them, and remembers the groups; held back while `gate` is closed."""

    def __init__(self):
        self.groups, self.gate, self.busy = [], threading.Event(), threading.Event()
        self.gate.set()

    def __call__(self, items):
        self.groups.append(items)
        self.busy.set()
        assert self.gate.wait(PATIENCE)
        return [item * 2 for item in items]


@contextlib.contextmanager
def batcher(handle, together: int = 4):
    made = Batcher(handle, together)
    try:
        yield made
    finally:
        made.close()


def results(futures) -> list:
    return [future.exception(PATIENCE) or future.result(PATIENCE) for future in futures]


def test_what_comes_alone_is_handled_alone():
    record = Recorder()
    with batcher(record) as made:
        assert [made.submit(item).result(PATIENCE) for item in (1, 2)] == [2, 4]
    assert record.groups == [[1], [2]]


def test_what_was_handled_does_not_stay_in_memory():
    class Large:
        """Stands for a photo."""

    with batcher(lambda items: [None] * len(items)) as made:
        large = Large()
        gone = threading.Event()
        weakref.finalize(large, gone.set)
        made.submit(large).result(PATIENCE)
        del large
        assert gone.wait(PATIENCE)


def test_what_came_meanwhile_is_handled_together_up_to_so_many_all_in_order():
    record = Recorder()
    record.gate.clear()
    with batcher(record, together=4) as made:
        futures = [made.submit(0)]
        assert record.busy.wait(PATIENCE)
        futures += [made.submit(item) for item in range(1, 7)]
        record.gate.set()
        assert results(futures) == [0, 2, 4, 6, 8, 10, 12]
    assert record.groups == [[0], [1, 2, 3, 4], [5, 6]]


def test_many_threads_get_their_own_answers():
    with batcher(Recorder()) as made, ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda item: made.submit(item).result(PATIENCE), range(500)))
    assert answers == [2 * item for item in range(500)]


def test_an_exception_among_the_results_goes_to_its_item_alone():
    with batcher(lambda items: [ValueError(item) if item == 2 else item for item in items]) as made:
        first, second, third = results([made.submit(item) for item in (1, 2, 3)])
    assert (first, third) == (1, 3)
    assert isinstance(second, ValueError) and second.args == (2,)


@pytest.mark.parametrize(
    ("handle", "error"),
    [(lambda items: 1 / 0, ZeroDivisionError), (lambda items: [], ValueError), (lambda items: None, TypeError)],
    ids=["an exception", "too few results", "no results"],
)
def test_a_handler_that_fails_tells_all_that_wait_and_the_next_item_is_handled(handle, error):
    with batcher(handle) as made:
        for _ in range(3):
            assert isinstance(made.submit(1).exception(PATIENCE), error)


def test_close_handles_what_waits_and_refuses_what_comes_later():
    record = Recorder()
    record.gate.clear()
    with batcher(record, together=2) as made:
        futures = [made.submit(item) for item in range(5)]
        closing = threading.Thread(target=made.close)
        closing.start()
        record.gate.set()
        closing.join(PATIENCE)
        assert not closing.is_alive()
        assert all(future.done() for future in futures)
        assert results(futures) == [0, 2, 4, 6, 8]
        with pytest.raises(RuntimeError, match="closed"):
            made.submit(9)
        made.close()


class Late:
    """A queue that takes an item when it is let, and the None of `close` at once."""

    def __init__(self, waiting):
        self.waiting, self.reached, self.go = waiting, threading.Event(), threading.Event()

    def put(self, item):
        if item is not None:
            self.reached.set()
            assert self.go.wait(PATIENCE)
        self.waiting.put(item)

    def __getattr__(self, name):
        return getattr(self.waiting, name)


def test_what_is_accepted_while_it_closes_is_answered():
    with batcher(Recorder()) as made, ThreadPoolExecutor(2) as pool:
        late = made._waiting = Late(made._waiting)
        accepted = pool.submit(made.submit, 1)
        assert late.reached.wait(PATIENCE)
        closed = pool.submit(made.close)
        wait([closed], timeout=0.5)  # it should not end yet
        late.go.set()
        closed.result(PATIENCE)
        future = accepted.result(PATIENCE)
        assert future.done() and future.result() == 2
