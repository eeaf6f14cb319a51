"""Photos of neither cats nor dogs, out of a package of Debian: the same ones everywhere."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from catdog.errors import InvalidSettings

from .files import require_writable, whole
from .qt_resources import files

# The package, and for each kind the photos, FILE/PATH, with the beginnings of their sha256. Each photo is free;
# the package's own list says under which licence, by whom, and from where.
LIST = Path(__file__).with_name("strangers.json")


def assemble(package: Path, out: Path) -> dict[str, int]:
    """Write the listed photos to `out`, a folder per kind, and return how many of each there are.

    package  folder of the `.rcc` files of gcompris-qt-data, version 3.1

    Raises InvalidSettings when a photo is missing or another one than is listed.
    """
    listed = json.loads(LIST.read_text(encoding="utf-8"))
    require_writable(out)
    contents: dict[str, dict[str, bytes]] = {}
    for kind, photos in listed["photos"].items():
        folder = out / kind
        folder.mkdir(exist_ok=True)
        for photo, digest in photos.items():
            name, _, path = photo.partition("/")
            if name not in contents:
                contents[name] = dict(_read(package / f"{name}.rcc"))
            content = contents[name].get(f"gcompris/src/activities/{name}/resource/{path}", b"")
            if not hashlib.sha256(content).hexdigest().startswith(digest):
                raise InvalidSettings(
                    f"{package / name}.rcc does not hold the photo {path} that is listed: install {listed['package']}, "
                    "or point --package to its files."
                )
            with whole(folder / f"{name}-{Path(path).name}") as partial:
                partial.write_bytes(content)
    return {kind: len(photos) for kind, photos in listed["photos"].items()}


def _read(path: Path) -> Iterator[tuple[str, bytes]]:
    if not path.is_file():
        raise InvalidSettings(f"{path} is missing: install Debian's gcompris-qt-data, or point --package to its files.")
    return files(path.read_bytes())
