"""A photo in any form that callers have -> RGB image, within the limits of the settings."""

from __future__ import annotations

import contextlib
import io
import math
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import IO, NamedTuple

from PIL import Image

from catdog.errors import InvalidImage
from catdog.photo.array import Input
from catdog.photo.decode import decode, from_pillow, pixels_of
from catdog.photo.unreadable import too_many_bytes
from catdog.settings import Settings

# A large photo keeps at least this many times the sides of the largest model's input. With 1.5, a confident answer to a
# test photo moved by 0.03; with more than 1.67, photos of 3,000 pixels a side would be reduced to a quarter instead of
# an eighth, for a model of 224 pixels.
OVERSAMPLING = 1.67
# If a model is less confident than this of a reduced photo, the whole photo is read: the nearer a probability is to 1,
# the less reducing moves it. Chosen on validation photos; docs/benchmarks.md has the effect on test photos.
CONFIDENT = 0.97

# A text is a path, or an address that begins with http:// or https://.
Photo = bytes | str | os.PathLike | IO[bytes] | Image.Image


def is_address(photo: object) -> bool:
    """Whether a photo is the address of one on the web, and no path."""
    return isinstance(photo, str) and photo[:8].lower().startswith(("http://", "https://"))


class Read(NamedTuple):
    """A photo for models to look at."""

    image: Image.Image  # upright, RGB
    reduced: bool  # whether it has fewer pixels than the file


@dataclass(frozen=True)
class Reader:
    """Reads photos for a set of models; can be pickled and sent to another process.

    Large photos are reduced, which saves most of the time to decode them. Where `needs_whole` says that an answer to a
    reduced photo is not certain enough, the caller reads it again with `whole`.
    """

    max_bytes: int  # of the largest accepted file
    max_pixels: int  # of the largest accepted photo, width x height
    min_side: int  # pixels that reduced photos keep at least on both sides, as in `decode`

    @classmethod
    def of(cls, inputs: Iterable[Input], settings: Settings) -> Reader:
        """For models with these inputs and the limits of the settings."""
        largest = max((max(wanted.array) for wanted in inputs), default=1)
        return cls(settings.max_upload_bytes, settings.max_pixels, min_side_for(largest))

    def __call__(self, photo: Photo, *, whole: bool = False) -> Read:
        """Read encoded bytes, a path, a binary file or a Pillow image; with `whole`, without reducing it.

        Raises InvalidImage, ImageTooLarge or OutOfMemory.
        """
        min_side = None if whole else self.min_side
        if isinstance(photo, Image.Image):
            pixels = photo.width * photo.height
            image = from_pillow(photo, max_pixels=self.max_pixels, min_side=min_side)
        else:
            data = self._bytes_of(photo)
            image = decode(data, max_pixels=self.max_pixels, min_side=min_side)
            # An image with a shorter side was not reduced: its header need not be read again.
            pixels = pixels_of(data) if min_side and min(image.size) >= min_side else 0
        return Read(image, reduced=image.width * image.height < pixels)

    def repeatable(self, photo: Photo) -> Photo:
        """The photo in a form that can be read twice: its bytes, for a pipe. Raises InvalidImage or ImageTooLarge."""
        if isinstance(photo, (str, os.PathLike)):
            once = not os.path.isfile(photo)  # such as a shell's <(...)
        else:
            once = hasattr(photo, "read") and not _can_seek(photo)
        return self._bytes_of(photo) if once else photo

    def _bytes_of(self, photo: Photo) -> bytes:
        data = _read_bytes(photo, self.max_bytes + 1)
        if len(data) > self.max_bytes:
            raise too_many_bytes(self.max_bytes)
        return data


def min_side_for(image_size: int) -> int:
    """Pixels a side that a reduced photo keeps for models of up to this input size."""
    return math.ceil(OVERSAMPLING * image_size)


def needs_whole(confidences: Iterable[float]) -> bool:
    """Whether a reduced photo must be read again as a whole: a confidence is below CONFIDENT, or NaN."""
    return not all(confidence >= CONFIDENT for confidence in confidences)


def _read_bytes(photo: Photo, limit: int) -> bytes:
    """At most `limit` bytes of a photo's file; an open file that can seek then stands where it stood."""
    if isinstance(photo, (bytes, bytearray, memoryview)):
        return bytes(photo)
    is_path = isinstance(photo, (str, os.PathLike))
    if not is_path and (not hasattr(photo, "read") or isinstance(photo, io.TextIOBase)):
        raise InvalidImage(
            "A photo is bytes, a path, a file opened in binary mode or a Pillow image. "
            f"Received: {type(photo).__name__}."
        )
    try:
        with open(photo, "rb") if is_path else contextlib.nullcontext(photo) as stream:
            start = stream.tell() if _can_seek(stream) else None
            parts = []
            while limit > 0 and (part := stream.read(limit)):  # a pipe gives what has arrived so far
                parts.append(part)
                limit -= len(part)
            if start is not None:
                stream.seek(start)
            return b"".join(parts)
    except (OSError, ValueError, TypeError) as error:  # a closed file, a NUL in a path, a file that gives text
        name = repr(os.fspath(photo)) if is_path else "The file"
        raise InvalidImage(f"{name} cannot be read: {getattr(error, 'strerror', None) or error}.") from error


def _can_seek(file: IO[bytes]) -> bool:
    try:
        return file.seekable()
    except (AttributeError, ValueError):  # a file that only reads, or is closed
        return False
