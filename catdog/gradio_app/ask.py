"""How every part of the page asks the models, and how many may do so at a time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from catdog.errors import InvalidImage

Answer = TypeVar("Answer")

JUDGING = "judge"  # the events of the page and of the API that judge one photo share one limit
RUNNING = 16  # photos given to the models at a time, which judge together what comes together
WAITING = 32  # events in the queue before further ones are turned away


def judge(ask: Callable[..., Answer], photo: bytes | Path | None, **options: bool) -> Answer:
    """What `Comparator.compare` or `look` says of a photo, and InvalidImage when none was sent."""
    if photo is None:
        raise InvalidImage("No photo was sent. Choose one, paste one, or take one with the camera.")
    return ask(photo, **options)
