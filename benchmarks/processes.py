"""Start the processes that are measured, ask them, and end them reliably."""

import contextlib
import http.client
import os
import re
import shlex
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 1200  # seconds for one answer, however slow the machine


class Failed(Exception):
    """A process that is measured did not do what it was asked for."""


def python(*arguments: str | Path) -> list[str]:
    """The command that runs this Python."""
    return [sys.executable, *map(str, arguments)]


@contextlib.contextmanager
def started(command: list[str], environment: Mapping[str, str], **options: Any) -> Iterator[subprocess.Popen]:
    """A process in the project's folder. After the block it is asked to end, and killed 10 seconds later.

    A Failed that the block raises gets what the process wrote to stderr.
    """
    with (
        tempfile.TemporaryFile("w+", errors="replace") as said,
        subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **environment}, stderr=said, text=True, **options
        ) as process,
    ):
        try:
            yield process
        except Failed as error:
            said.seek(0)
            raise Failed(f"{error}\n{said.read()}") from error
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def line_of(process: subprocess.Popen) -> str:
    """The next line that a process prints; raises Failed when it ends first, or takes too long."""
    late = threading.Timer(PATIENCE, process.kill)
    late.start()
    try:
        line = process.stdout.readline()
    finally:
        late.cancel()
    if not line:
        raise Failed(f"{shlex.join(process.args)} ended with {process.wait(PATIENCE)} and gave no answer.")
    return line


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def wait_until_it_answers(port: int, path: str, process: subprocess.Popen) -> None:
    """Until a server answers with 200; raises Failed when it ends first, or takes too long."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection.request("GET", path)
            if connection.getresponse().status == 200:
                return
        connection.close()
        time.sleep(0.1)
    raise Failed(f"{shlex.join(process.args)} does not answer on port {port}.")


def cores() -> int:
    """The cores that this process may use, and those that it starts."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def peak_memory(process: subprocess.Popen) -> float | None:
    """Megabytes (10^6 bytes) that a process and its children had at most, each; None where the system does not say."""
    try:
        return sum(map(_peak, _family(process.pid))) * 1024 / 1e6
    except (OSError, TypeError):
        return None


def _family(pid: int) -> Iterator[int]:
    yield pid
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield from _family(int(child))


def _peak(pid: int) -> int:
    return int(re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())[1])
