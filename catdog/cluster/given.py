"""Photos by address or as bytes, and how processes decode them, which import little."""

from __future__ import annotations

from typing import IO, NamedTuple

from catdog.cluster.schemes import is_remote, local_path
from catdog.folder.decoding import Decoder, open_regular
from catdog.photo.reader import Read


class Given(NamedTuple):
    """A photo.

    path     how its rows call it
    address  of its file
    content  or else its bytes
    problem  or else why there are none, in one sentence
    """

    path: str
    address: str = ""
    content: bytes | None = None
    problem: str = ""


class AddressDecoder(Decoder):
    """Decodes photos that are Given."""

    def _read(self, found: Given, whole: bool) -> Read:
        return self.read(found.content, whole=whole) if found.content is not None else super()._read(found, whole)

    def opened(self, found: Given) -> IO[bytes]:
        if not is_remote(found.address):
            return open_regular(local_path(found.address))
        from catdog.cluster.addresses import opened  # slow to import

        return opened(found.address)
