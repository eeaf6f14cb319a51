"""Terminal handling that the command lines and app.py share: stderr, Ctrl-C and odd characters."""

import atexit
import contextlib
import logging
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import IO, TypeVar

from catdog.errors import CatDogError

T = TypeVar("T")


@contextlib.contextmanager
def hidden_stderr(formatter: logging.Formatter | None = None) -> Iterator[None]:
    """Hide what native code writes to stderr, such as TensorFlow's start-up messages, which no setting turns off.

    What this package logs is still shown, as `formatter` puts it. If the block raises an unforeseen error, the hidden
    text is shown after all.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with _scratch() as hidden, _logging_to(kept, formatter):
            os.dup2(hidden.fileno(), 2)
            try:
                yield
            except (CatDogError, KeyboardInterrupt):
                raise
            except BaseException:
                hidden.seek(0)
                os.write(kept, hidden.read())
                raise
            finally:
                os.dup2(kept, 2)
    finally:
        os.close(kept)


@contextlib.contextmanager
def _logging_to(descriptor: int, formatter: logging.Formatter | None) -> Iterator[None]:
    logger = logging.getLogger(__package__)
    with open(descriptor, "w", closefd=False) as stream:
        handler = logging.StreamHandler(stream)
        handler.setFormatter(formatter)
        logger.addHandler(handler)
        try:
            yield
        finally:
            logger.removeHandler(handler)


def _scratch() -> IO[bytes]:
    """A temporary file, in memory where possible, as the disk may be read-only."""
    return open(os.memfd_create("stderr"), "w+b") if hasattr(os, "memfd_create") else tempfile.TemporaryFile()


@contextlib.contextmanager
def stopping() -> Iterator[threading.Event]:
    """Let the first Ctrl-C set an event and say so on stderr; a second one raises KeyboardInterrupt."""
    stop = threading.Event()

    def handle(*_) -> None:
        stop.set()
        # `print` is not reentrant, and may be what was interrupted.
        os.write(2, b"\ncatdog: Finishing what is at hand. Ctrl-C once more stops at once.\n")
        signal.signal(signal.SIGINT, before)

    before = signal.getsignal(signal.SIGINT)
    if before is not signal.SIG_IGN:  # `nohup` and shells ignore it for background processes
        signal.signal(signal.SIGINT, handle)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)


def ending_at_once(work: Callable[[], T]) -> T:
    """The result of `work`; meanwhile Ctrl-C and SIGTERM end this process at once, with 130 or 143. Main thread only.

    For work that loads and runs native code: in the main thread this would delay a signal, and the exception of Ctrl-C
    may crash it. What is registered with `atexit` is done: children are ended and temporary folders removed.
    """

    def end(number: int, _: object) -> None:
        for other in before:
            signal.signal(other, signal.SIG_IGN)
        atexit._run_exitfuncs()  # as multiprocessing does where it ends a process like this
        os._exit(128 + number)

    handled = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    before = {number: handler for number, handler in handled.items() if handler is not signal.SIG_IGN}  # see `stopping`
    for number in before:
        signal.signal(number, end)
    try:
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(work).result()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def tell(problems: Iterable[object]) -> None:
    """Print each problem to stderr, on a line of its own."""
    for problem in problems:
        print(problem, file=sys.stderr)


def never_fail_to_print() -> None:
    """Let `print` escape characters that the terminal's encoding lacks, and ignore closed streams."""
    for descriptor, name in ((1, "stdout"), (2, "stderr")):
        if getattr(sys, name) is None:
            os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
            setattr(sys, name, os.fdopen(descriptor, "w", closefd=False))
        getattr(sys, name).reconfigure(errors="backslashreplace")
