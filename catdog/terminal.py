"""What the command lines and app.py share: a quiet stderr, and names that a terminal can show."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator

from .errors import CatDogError


@contextlib.contextmanager
def hidden_stderr() -> Iterator[None]:
    """Hide what native code writes to stderr: TensorFlow greets there, and no setting stops it.

    If the block fails in an unforeseen way, what was hidden is shown after all.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with tempfile.TemporaryFile() as hidden:
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


def tell(problems: Iterable[object]) -> None:
    """Print each problem to stderr, on a line of its own."""
    for problem in problems:
        print(problem, file=sys.stderr)


def never_fail_to_print() -> None:
    """Escape what the terminal's encoding cannot show: an odd file name is no error."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")
