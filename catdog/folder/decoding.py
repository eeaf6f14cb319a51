"""Files -> the pixels that models see, a chunk of photos at a time."""

from __future__ import annotations

import os
import signal
import stat
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from catdog.errors import InvalidImage, OutOfMemory
from catdog.folder.walk import Found
from catdog.models.spec import ModelSpec
from catdog.photo.array import resized
from catdog.photo.reader import Read

# The slowest photos that the limits allow take a few seconds.
PATIENCE = 60

Shape = tuple[int, str]  # image_size and resize of a spec


def shape_of(spec: ModelSpec) -> Shape:
    """What models have in common whose pixels are the same but for scaling."""
    return spec.image_size, spec.resize


class Decoded(NamedTuple):
    """A chunk of photos.

    errors   one sentence per photo, empty for one that was decoded
    reduced  per photo, whether it has more pixels than were looked at
    pixels   shape -> uint8 (photos, image_size, image_size, 3), RGB, not scaled; black for a photo with an
             error, so that batches stay of one size, for which engines keep memory
    """

    errors: list[str]
    reduced: list[bool]
    pixels: dict[Shape, np.ndarray]


@dataclass(frozen=True)
class Decoder:
    """What a worker does with each photo; sent to it when it starts.

    folder    where the paths begin
    read      binary file and `whole` -> RGB image, as `Reader`
    shapes    what the models want
    patience  seconds that one photo may take, after which it ends the process
    """

    folder: str
    read: Callable[..., Read]
    shapes: tuple[Shape, ...]
    patience: float = PATIENCE

    def decode(self, chunk: Sequence[Found], *, whole: bool = False) -> Decoded:
        """Decode a few photos, one after the other; when `whole`, large ones are not reduced."""
        decoded = black(len(chunk), self.shapes)
        for i, found in enumerate(chunk):
            signal.setitimer(signal.ITIMER_REAL, self.patience)  # not handled here: no loop in a decoder holds it up
            try:
                image, decoded.reduced[i] = self._read(found, whole)
                for shape, pixels in decoded.pixels.items():
                    pixels[i] = resized(image, *shape)
            except (OutOfMemory, MemoryError):  # the photo is tried once more, alone
                os._exit(1)
            except OSError as error:
                decoded.errors[i] = f"The file cannot be read: {error.strerror or error}."
            except Exception as error:  # whatever it is, the photo's row says it
                decoded.errors[i] = str(error) or type(error).__name__
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
        return decoded

    def _read(self, found: Found, whole: bool) -> Read:
        if found.problem:
            raise InvalidImage(found.problem)
        path = os.path.join(self.folder, found.path)
        if not stat.S_ISREG(os.stat(path).st_mode):  # opening a pipe would wait for somebody to write to it
            raise InvalidImage("It is not a regular file.")
        with open(path, "rb") as stream:
            return self.read(stream, whole=whole)


def black(photos: int, shapes: Iterable[Shape], error: str = "") -> Decoded:
    """So many photos, none decoded yet."""
    pixels = {shape: np.zeros((photos, shape[0], shape[0], 3), np.uint8) for shape in shapes}
    return Decoded([error] * photos, [False] * photos, pixels)
