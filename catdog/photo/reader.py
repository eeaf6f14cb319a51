"""A photo in any of the forms that callers have -> RGB image, within the limits of the settings."""

from __future__ import annotations

import contextlib
import io
import math
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import IO, NamedTuple

from PIL import Image

from catdog.errors import ImageTooLarge, InvalidImage
from catdog.models.spec import ModelSpec
from catdog.photo.decode import decode, from_pillow, pixels_of
from catdog.settings import Settings

# A large photo is reduced to no less than this many times the size that the largest model asks for: most of its time
# would go into resizing otherwise. At 1.5 a clear answer to a test photo moved by 0.03; with more than
# this, 3,000 pixels a side, as phones have, would not come down to an eighth for the shipped models.
OVERSAMPLING = 1.67
# That moves a probability the less, the nearer it is to 1. Chosen on validation photos; docs/benchmarks.md says how far
# the answers to test photos move where all models give their labels this much, and how often. Others are read again.
CLEAR = 0.97

Photo = bytes | str | os.PathLike | IO[bytes] | Image.Image


class Read(NamedTuple):
    """A photo as models are to see it.

    image    upright, RGB
    reduced  whether it has fewer pixels than the photo
    """

    image: Image.Image
    reduced: bool


@dataclass(frozen=True)
class Reader:
    """Reads photos for a set of models; may be sent to another process.

    A large photo is reduced, because what models see of it is small and hardly differs. Whoever is `in_doubt` of
    what they say of it reads it again, as a whole.

    max_bytes   largest accepted file
    max_pixels  largest accepted photo, width x height
    enough      pixels that large photos keep at least on both sides, as `decode` says
    """

    max_bytes: int
    max_pixels: int
    enough: int

    @classmethod
    def of(cls, specs: Iterable[ModelSpec], settings: Settings) -> Reader:
        """For these models and the limits of the settings."""
        return cls(settings.max_upload_bytes, settings.max_pixels, enough_for(spec.image_size for spec in specs))

    def __call__(self, photo: Photo, *, whole: bool = False) -> Read:
        """Encoded bytes, a path, a binary file or a Pillow image -> upright RGB image, not reduced when `whole`.

        Raises InvalidImage, ImageTooLarge or OutOfMemory.
        """
        enough = None if whole else self.enough
        if isinstance(photo, Image.Image):
            image, pixels = from_pillow(photo, max_pixels=self.max_pixels, enough=enough), photo.width * photo.height
        else:
            data = self._bytes_of(photo)
            image = decode(data, max_pixels=self.max_pixels, enough=enough)
            # What was reduced still has enough: others need no second look at their header.
            pixels = pixels_of(data) if enough and min(image.size) >= enough else 0
        return Read(image, reduced=image.width * image.height < pixels)

    def repeatable(self, photo: Photo) -> Photo:
        """A photo that can be read twice; of a file that cannot, its bytes. Raises InvalidImage or ImageTooLarge."""
        if isinstance(photo, (str, os.PathLike)):  # what is no file, such as a shell's <(...), can be read once
            return photo if os.path.isfile(photo) else self._bytes_of(photo)
        if not hasattr(photo, "read") or isinstance(photo, io.TextIOBase):  # reading says that it is no photo
            return photo
        try:
            return _FromTheStart(photo)
        except (AttributeError, OSError, ValueError):  # ValueError: it is closed
            return self._bytes_of(photo)

    def _bytes_of(self, photo: Photo) -> bytes:
        data = _read_bytes(photo, self.max_bytes + 1)
        if len(data) > self.max_bytes:
            raise ImageTooLarge(
                f"The file is larger than the {self.max_bytes / 2**20:g} MB that are accepted. Send a smaller copy."
            )
        return data


class _FromTheStart:
    """A binary file that begins anew, where it stands now, each time that it is read."""

    def __init__(self, file: IO[bytes]):
        self._file, self._start = file, file.tell()
        file.seek(self._start)  # raises OSError where only `tell` works

    def read(self, size: int) -> bytes:
        self._file.seek(self._start)
        return _up_to(size, self._file)


def enough_for(image_sizes: Iterable[int]) -> int:
    """Pixels a side that large photos keep for models of these sizes."""
    return math.ceil(OVERSAMPLING * max(image_sizes))


def in_doubt(confidences: Iterable[float]) -> bool:
    """Whether what models say of a reduced photo is not CLEAR: another answer might come of all its pixels."""
    return not all(confidence >= CLEAR for confidence in confidences)


def _read_bytes(photo: Photo, limit: int) -> bytes:
    """At most `limit` bytes of a photo's file."""
    if isinstance(photo, (bytes, bytearray, memoryview)):
        return bytes(photo)
    is_path = isinstance(photo, (str, os.PathLike))
    try:
        with open(photo, "rb") if is_path else contextlib.nullcontext(photo) as stream:
            binary = hasattr(stream, "read") and not isinstance(stream, io.TextIOBase)
            data = _up_to(limit, stream) if binary else None
    except (OSError, ValueError) as error:  # ValueError: a closed file, or a NUL in a path
        name = repr(os.fspath(photo)) if is_path else "The file"
        raise InvalidImage(f"{name} cannot be read: {getattr(error, 'strerror', None) or error}.") from error
    if not isinstance(data, bytes):
        raise InvalidImage(
            "A photo is bytes, a path, a file opened in binary mode or a Pillow image. "
            f"Received: {type(photo).__name__}."
        )
    return data


def _up_to(limit: int, stream: IO[bytes]) -> bytes:
    """The next bytes of a file: `limit`, or less at its end."""
    if not isinstance(stream, io.RawIOBase):
        return stream.read(limit)
    buffered = io.BufferedReader(stream)  # its own `read` gives what there is now, which of a pipe is a part
    try:
        return buffered.read(limit)
    finally:
        buffered.detach()  # or it would close the file
