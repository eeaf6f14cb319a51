"""A check that a folder is writable."""

import tempfile
from pathlib import Path


def require_writable(folder: Path) -> None:
    """Make a folder and write to it, to raise OSError before hours of training rather than after."""
    folder.mkdir(parents=True, exist_ok=True)
    tempfile.TemporaryFile(dir=folder).close()
