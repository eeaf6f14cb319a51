"""Files -> the pixels that models take, a chunk of photos at a time."""

import os
import signal
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import IO

from catdog.errors import CatDogError, InvalidImage, OutOfMemory
from catdog.folder.walk import Found
from catdog.photo.array import Pixels, Shape
from catdog.photo.reader import Read

# Seconds for one photo. The slowest that the limits allow take a few.
PATIENCE = 60

# For each photo of a chunk its pixels, or why there are none.
Decoded = list[Pixels | CatDogError]


@dataclass(frozen=True)
class Decoder:
    """Decodes photos in a worker process, to which it is sent when that starts."""

    folder: str  # where the paths begin
    read: Callable[..., Read]  # binary file and `whole` -> RGB image, as `Reader`
    shapes: tuple[Shape, ...]  # that the models take
    patience: float = PATIENCE  # seconds that one photo may take, after which it ends the process

    def decode(self, chunk: Sequence[Found], *, whole: bool = False) -> Decoded:
        """Decode a few photos, one after the other; when `whole`, large ones are not reduced."""
        return [self._decode(found, whole) for found in chunk]

    def _decode(self, found: Found, whole: bool) -> Pixels | CatDogError:
        # Its signal ends the process: no handler would run while a decoder loops.
        signal.setitimer(signal.ITIMER_REAL, self.patience)
        try:
            image, reduced = self._read(found, whole)
            return Pixels.of(image, self.shapes, reduced=reduced)
        except (OutOfMemory, MemoryError):  # the photo is tried once more, alone
            os._exit(1)
        except CatDogError as error:
            return error
        except OSError as error:
            return InvalidImage(f"The file cannot be read: {error.strerror or error}.")
        except Exception as error:  # a decoder may raise anything
            return InvalidImage(str(error) or type(error).__name__)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)

    def _read(self, found: Found, whole: bool) -> Read:
        if found.problem:
            raise InvalidImage(found.problem)
        with self.opened(found) as stream:
            return self.read(stream, whole=whole)

    def opened(self, found: Found) -> IO[bytes]:
        return open_regular(os.path.join(self.folder, found.path))


def open_regular(path: str | os.PathLike[str]) -> IO[bytes]:
    """Open a file to read. Raises OSError, or InvalidImage for one that is not regular."""
    if not stat.S_ISREG(os.stat(path).st_mode):  # opening a pipe would wait for somebody to write to it
        raise InvalidImage("It is not a regular file.")
    return open(path, "rb")
