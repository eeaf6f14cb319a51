"""What is hidden, and Ctrl-C, once and twice.

That in a process of its own: OpenVINO, which other tests load here, gives the main thread a stack for signals,
and takes its memory back from whichever thread unloads it.
"""

import logging
import os

import pytest

from catdog.errors import CatDogError
from catdog.terminal import hidden_stderr
from tests.processes import python

TWICE = """
import signal
from catdog.terminal import stopping

signal.signal(signal.SIGINT, signal.{handler})
with stopping() as stop:
    signal.raise_signal(signal.SIGINT)
    print(stop.is_set())
    try:
        signal.raise_signal(signal.SIGINT)
    except KeyboardInterrupt:
        print("interrupted")
print(signal.getsignal(signal.SIGINT) is signal.{handler})
"""


@pytest.mark.parametrize(
    ("handler", "out", "told"),
    [("default_int_handler", ["True", "interrupted", "True"], True), ("SIG_IGN", ["False", "True"], False)],
)
def test_the_first_ctrl_c_is_noted_and_the_second_interrupts(handler, out, told):
    """But what runs in the background goes on ignoring both."""
    done = python(TWICE.format(handler=handler))
    assert done.stdout.split() == out
    assert bool(done.stderr) is done.stderr.startswith("\ncatdog: ") is told


def test_what_native_code_writes_is_hidden_and_what_is_logged_here_is_not(capfd):
    with hidden_stderr():
        os.write(2, b"A library greets.\n")
        logging.getLogger("catdog.engine").warning("A child died.")
    logging.getLogger("catdog").info("Nothing more.")
    assert capfd.readouterr().err == "A child died.\n"


@pytest.mark.parametrize(
    ("error", "shown"), [(RuntimeError, "A library warns.\n"), (CatDogError, ""), (KeyboardInterrupt, "")]
)
def test_what_was_hidden_is_shown_after_an_unforeseen_failure_alone(error, shown, capfd):
    with pytest.raises(error), hidden_stderr():
        os.write(2, b"A library warns.\n")
        raise error
    os.write(2, b"Nothing is hidden any more.\n")
    assert capfd.readouterr().err == f"{shown}Nothing is hidden any more.\n"
