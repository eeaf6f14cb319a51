"""A fixed set of photos of neither cats nor dogs, from a Debian package."""

import hashlib
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

from catdog.errors import InvalidSettings
from catdog.files import whole
from train.folders import require_writable

# Name of the package, and for each kind its photos: FILE/PATH -> the first 16 digits of the sha256, and licence, author
# and source from the package's own lists. All are in the public domain or CC0.
LIST = Path(__file__).with_name("neither_photos.json")
# Name of a file beside the photos that says where they come from.
ABOUT = "ABOUT.md"


def assemble(package: Path, out: Path) -> dict[str, int]:
    """Write the photos of LIST to `out`, a folder for each kind, and the file ABOUT; return kind -> number of photos.

    package  folder of the `.rcc` files of gcompris-qt-data, version 3.1

    Raises InvalidSettings when a photo is missing or differs from the list.
    """
    listed = json.loads(LIST.read_text(encoding="utf-8"))
    require_writable(out)
    contents: dict[str, dict[str, bytes]] = {}
    for kind, photos in listed["photos"].items():
        folder = out / kind
        folder.mkdir(exist_ok=True)
        for photo, known in photos.items():
            name, _, path = photo.partition("/")
            if name not in contents:
                contents[name] = _photos(package / f"{name}.rcc")
            if known["sha256"] not in contents[name]:
                raise InvalidSettings(
                    f"{package / name}.rcc does not hold the photo {path} that is listed: install {listed['package']}, "
                    "or point --package to its files."
                )
            with whole(folder / f"{name}-{Path(path).name}") as partial:
                partial.write_bytes(contents[name][known["sha256"]])
    with whole(out / ABOUT) as partial:
        partial.write_text(_about(listed), encoding="utf-8")
    return {kind: len(photos) for kind, photos in listed["photos"].items()}


def _about(listed: dict[str, Any]) -> str:
    licences = Counter(known["licence"] for photos in listed["photos"].values() for known in photos.values())
    counts = " and ".join(f"{count} under {licence}" for licence, count in licences.most_common())
    return (
        f"The photos of other things are from {listed['package']}: {counts}, by that package's own lists. "
        "Authors and sources of all are in train/data/neither_photos.json.\n"
    ).replace("under public domain", "in the public domain")


def _photos(path: Path) -> dict[str, bytes]:
    """The WebP files in a resource file of Qt, which holds them as they are: first digits of the sha256 -> content."""
    if not path.is_file():
        raise InvalidSettings(f"{path} is missing: install Debian's gcompris-qt-data, or point --package to its files.")
    data = path.read_bytes()
    starts = re.finditer(rb"RIFF(?=(....)WEBP)", data, re.DOTALL)  # the number in between is that of the bytes after it
    found = (data[at.start() : at.start() + 8 + int.from_bytes(at[1], "little")] for at in starts)
    return {hashlib.sha256(content).hexdigest()[:16]: content for content in found}
