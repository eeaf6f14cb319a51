"""How every part of the page asks the models, and how many may do so at a time."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from ..errors import CatDogError, InvalidImage

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

JUDGING = "judge"  # the events of the page and of the API that judge one photo share one limit
RUNNING = 16  # photos given to the models at a time, which judge together what comes together
WAITING = 32  # events in the queue before further ones are turned away


def judge(ask: Callable[..., Answer], photo: bytes | Path | None, **options: bool) -> Answer:
    """What `Comparator.compare` or `look` says of a photo; whatever goes wrong is a CatDogError to act on."""
    if photo is None:
        raise InvalidImage("No photo was sent. Choose one, paste one, or take one with the camera.")
    try:
        return ask(photo, **options)
    except CatDogError:
        raise
    except Exception as error:
        log.exception("judging a photo failed")
        raise CatDogError("The models failed on this photo, which is our fault. Try again, or another one.") from error
