"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path


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
