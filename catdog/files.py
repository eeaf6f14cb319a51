"""Files that appear whole or not at all, and the folders that are shipped with catdog."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def bundled(name: str) -> Path:
    """The folder `weights` or `examples`: inside the installed package, or beside it in the repository."""
    inside = _PACKAGE / "data" / name
    return inside if inside.is_dir() else _PACKAGE.parent / name


@contextlib.contextmanager
def whole(path: Path, *, partial: str | None = None) -> Iterator[Path]:
    """Yield a temporary path in the same folder, which replaces `path` if the block ends without an error.

    `partial` is its name; by default it keeps the suffixes, by which Keras recognises the format.
    """
    partial = path.with_name(partial or "partial-" + path.name)
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
