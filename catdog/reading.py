"""A photo in any of the forms that callers have -> RGB image, within the limits of the settings."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import IO

from PIL import Image

from .config import Settings
from .errors import ImageTooLarge, InvalidImage
from .preprocessing import decode, from_pillow
from .spec import ModelSpec

# A large photo is reduced to no less than this many times the size that the largest model asks for: with
# less, probabilities move; with more, a photo of 12 megapixels takes longer.
OVERSAMPLING = 4

Photo = bytes | str | os.PathLike | IO[bytes] | Image.Image


@dataclass(frozen=True)
class Reader:
    """Reads photos for a set of models; may be sent to another process.

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
        enough = OVERSAMPLING * max(spec.image_size for spec in specs)
        return cls(settings.max_upload_bytes, settings.max_pixels, enough)

    def __call__(self, photo: Photo) -> Image.Image:
        """Encoded bytes, a path, a binary file or a Pillow image -> upright RGB image.

        Raises InvalidImage or ImageTooLarge.
        """
        if isinstance(photo, Image.Image):
            return from_pillow(photo, max_pixels=self.max_pixels, enough=self.enough)
        data = _read_bytes(photo, self.max_bytes + 1)
        if len(data) > self.max_bytes:
            raise ImageTooLarge(
                f"The file is larger than the {self.max_bytes / 2**20:g} MB that are accepted. Send a smaller copy."
            )
        return decode(data, max_pixels=self.max_pixels, enough=self.enough)


def _read_bytes(photo: Photo, limit: int) -> bytes:
    """At most `limit` bytes of a photo's file."""
    if isinstance(photo, (bytes, bytearray, memoryview)):
        return bytes(photo)
    is_path = isinstance(photo, (str, os.PathLike))
    try:
        with open(photo, "rb") if is_path else contextlib.nullcontext(photo) as stream:
            data = stream.read(limit) if hasattr(stream, "read") else None
    except (OSError, ValueError) as error:  # ValueError: a closed file, or a NUL in a path
        name = repr(os.fspath(photo)) if is_path else "The file"
        raise InvalidImage(f"{name} cannot be read: {getattr(error, 'strerror', None) or error}.") from error
    if not isinstance(data, bytes):
        raise InvalidImage(
            "A photo is bytes, a path, a file opened in binary mode or a Pillow image. "
            f"Received: {type(photo).__name__}."
        )
    return data
