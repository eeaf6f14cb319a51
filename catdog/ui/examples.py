"""Example photos as a row of buttons."""

from __future__ import annotations

import base64
import io
from html import escape
from pathlib import Path

from PIL import Image, ImageOps

from ..bundled import bundled

FOLDER = bundled("examples")
THUMBNAIL = 144  # pixels; twice the size on screen, for dense displays

# Sent as a click of the whole component, with the name of the example.
ON_LOAD = """
element.addEventListener('click', (event) => {
  const button = event.target.closest('button[data-example]');
  if (button) trigger('click', {example: button.dataset.example});
});
"""


def find(folder: Path = FOLDER) -> dict[str, Path]:
    """Name -> file of every example, a cat and a dog first; empty when there is no such folder."""
    found = {path.stem: path for path in sorted(folder.glob("*.jpg"))}
    first = [name for name in ("cat", "dog") if name in found]
    return {name: found[name] for name in [*first, *(name for name in found if name not in first)]}


def buttons(examples: dict[str, Path]) -> str:
    """One button per example, with its thumbnail inside as a data: URL."""
    items = "".join(
        f'<button type="button" data-example="{escape(name)}" aria-label="Try the {escape(name)} photo">'
        f'<img src="{_thumbnail(path)}" alt="" width="72" height="72"><span>{escape(name.capitalize())}</span></button>'
        for name, path in examples.items()
    )
    return (
        '<p class="cd-hint" id="cd-examples-label">Or try one of these</p>'
        f'<div class="cd-examples" role="group" aria-labelledby="cd-examples-label">{items}</div>'
    )


def _thumbnail(path: Path) -> str:
    stream = io.BytesIO()
    with Image.open(path) as image:
        ImageOps.fit(image.convert("RGB"), (THUMBNAIL, THUMBNAIL)).save(stream, "JPEG", quality=80)
    return f"data:image/jpeg;base64,{base64.b64encode(stream.getvalue()).decode()}"
