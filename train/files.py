"""Files that appear whole or not at all, and where they go."""

from __future__ import annotations

import tempfile
from pathlib import Path

from catdog.files import whole

__all__ = ["require_writable", "whole"]


def require_writable(folder: Path) -> None:
    """Make a folder and try to write to it: better an OSError now than after hours of training."""
    folder.mkdir(parents=True, exist_ok=True)
    tempfile.TemporaryFile(dir=folder).close()
