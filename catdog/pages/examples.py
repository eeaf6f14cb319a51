"""Example photos that come with the project."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image, ImageOps

from catdog.files import bundled
from catdog.models.spec import ModelSpec, classes_of
from catdog.pages.pictures import lasting_url

FOLDER = bundled("examples")
THUMBNAIL = 144  # pixels; twice the size on screen, for dense displays


def find(folder: Path = FOLDER) -> dict[str, Path]:
    """Name -> file of every example, a cat and a dog first; empty when there is no such folder."""
    found = sorted(folder.glob("*.jpg"), key=lambda path: (path.stem not in ("cat", "dog"), path))
    return {path.stem: path for path in found}


def fitting(specs: Sequence[ModelSpec]) -> dict[str, Path]:
    """As `find`, but empty if the models know none of the examples' classes."""
    known = {name.casefold() for name in classes_of(specs)}
    found = find()
    return found if any({name, f"{name}s"} & known for name in found) else {}


def thumbnails(found: Mapping[str, Path]) -> dict[str, str]:
    """Name -> small square of every example, as a data: URL."""
    return {name: _thumbnail(path) for name, path in found.items()}


def _thumbnail(path: Path) -> str:
    with Image.open(path) as image:
        return lasting_url(ImageOps.fit(image.convert("RGB"), (THUMBNAIL, THUMBNAIL)))
