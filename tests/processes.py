"""Python in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.conftest import PATIENCE, ROOT


def python(code: str, *arguments: object, **variables: object) -> subprocess.CompletedProcess[str]:
    """Run code to its good end, with arguments and further environment variables; the result has what it wrote."""
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=ROOT, env=os.environ | {name: str(value) for name, value in variables.items()},
        capture_output=True, text=True, timeout=3 * PATIENCE,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done
