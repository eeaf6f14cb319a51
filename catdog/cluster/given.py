"""Photos by address or as bytes, and the decoder for them. Worker processes import this, so it imports little."""

import signal
from concurrent.futures import ThreadPoolExecutor
from typing import IO, NamedTuple

from catdog.cluster.schemes import is_remote, local_path
from catdog.errors import NotFetched
from catdog.folder.decoding import Decoder, open_regular
from catdog.photo.reader import Read


class Given(NamedTuple):
    """A photo.

    path     its name in the rows
    address  of its file, unless there is `content`
    content  its bytes, if they are given
    problem  why there is neither, in one sentence
    """

    path: str
    address: str = ""
    content: bytes | None = None
    problem: str = ""


class AddressDecoder(Decoder):
    """Decodes photos that are Given."""

    def _read(self, found: Given, whole: bool) -> Read:
        if found.content is None and not found.problem and is_remote(found.address):
            found = found._replace(content=self._fetched(found))
        return self.read(found.content, whole=whole) if found.content is not None else super()._read(found, whole)

    def _fetched(self, found: Given) -> bytes:
        """The bytes at a remote address; of a file over the limit, one byte more than the limit.

        Raises NotFetched where a later try may succeed, such as after a network or a login failed.
        """
        signal.setitimer(signal.ITIMER_REAL, 0)  # a slow network must not look like a photo that takes too long
        thread = ThreadPoolExecutor(1)
        try:
            return thread.submit(self._content, found).result(self.patience)
        except (FileNotFoundError, IsADirectoryError, MemoryError):
            raise
        except Exception as error:  # of the network, or of the library for this address
            reason = str(error) or type(error).__name__
            raise NotFetched(f"{found.address} cannot be reached: {reason}.") from error
        finally:
            thread.shutdown(wait=False)
            signal.setitimer(signal.ITIMER_REAL, self.patience)

    def _content(self, found: Given) -> bytes:
        with self.opened(found) as stream:
            return stream.read(self.read.max_bytes + 1)

    def opened(self, found: Given) -> IO[bytes]:
        if not is_remote(found.address):
            return open_regular(local_path(found.address))
        from catdog.cluster.addresses import opened  # slow to import

        return opened(found.address)
