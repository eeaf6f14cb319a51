"""Read files from Qt's binary resource files (.rcc), in which Debian's educational packages keep photos."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from catdog.errors import CatDogError

FOLDER, COMPRESSED = 2, 1 | 4  # flags of a node


class ResourceError(CatDogError, ValueError):
    """A file that is no Qt resource file, or a damaged one."""

    code = "invalid_resource"


def files(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield path and content of each uncompressed file, which photos are; raises ResourceError.

    The format is that of Qt's `rcc --binary`: a header with a version and the offsets of a tree of nodes, of contents
    and of names. Numbers are big-endian.
    """
    if data[:4] != b"qres":
        raise ResourceError(f"This is no Qt resource file: it begins with {data[:4]!r}.")
    try:
        version, tree, contents, names = struct.unpack_from(">IIII", data, 4)
        yield from _walk(data, (tree, contents, names, 14 if version < 2 else 22), 0, "", 0)
    except (struct.error, UnicodeDecodeError) as error:
        raise ResourceError(f"The Qt resource file is damaged: {error}.") from error


def _walk(
    data: bytes, places: tuple[int, int, int, int], index: int, parent: str, depth: int
) -> Iterator[tuple[str, bytes]]:
    tree, contents, names, size = places
    if depth > 32:
        raise ResourceError("The Qt resource file is damaged: its folders have no end.")
    at = tree + index * size
    name_at, flags = struct.unpack_from(">IH", data, at)
    path = f"{parent}/{_name(data, names + name_at)}" if index else ""
    if flags & FOLDER:
        count, first = struct.unpack_from(">II", data, at + 6)
        for child in range(first, first + min(count, len(data))):
            yield from _walk(data, places, child, path, depth + 1)
    elif not flags & COMPRESSED:
        (offset,) = struct.unpack_from(">I", data, at + 10)
        (length,) = struct.unpack_from(">I", data, contents + offset)
        start = contents + offset + 4
        yield path.lstrip("/"), data[start : start + length]


def _name(data: bytes, at: int) -> str:
    """The name at an offset: its length in characters, a hash of four bytes, and the characters in UTF-16."""
    (length,) = struct.unpack_from(">H", data, at)
    return data[at + 6 : at + 6 + 2 * length].decode("utf-16-be")
