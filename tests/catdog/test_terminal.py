"""Ctrl-C, once and twice.

In a process of its own: OpenVINO, which other tests load here, gives the main thread a stack for signals,
and takes its memory back from whichever thread unloads it.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
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


def ctrl_c_twice(handler: str) -> tuple[list[str], str]:
    command = [sys.executable, "-c", TWICE.format(handler=handler)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    return result.stdout.split(), result.stderr


def test_the_first_ctrl_c_is_noted_and_the_second_interrupts():
    out, err = ctrl_c_twice("default_int_handler")
    assert out == ["True", "interrupted", "True"]
    assert err == "\ncatdog: Finishing what is at hand. Ctrl-C once more stops at once.\n"


def test_what_runs_in_the_background_goes_on_ignoring_ctrl_c():
    assert ctrl_c_twice("SIG_IGN") == (["False", "True"], "")
