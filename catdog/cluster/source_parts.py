"""Parts of a source that are judged one after the other, each into a file of its own, and the photos of a part.

A part is named after where it begins, so that each run of the same source has the same parts.
"""

import functools
import hashlib
import itertools
import lzma
import math
import os
import posixpath
import re
import tarfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import pyarrow
from pyarrow import ipc, parquet

from catdog.cluster.addresses import Listed, join, name_of, opened, parent
from catdog.cluster.given import Given
from catdog.engine import FOLDER_BATCH
from catdog.errors import InvalidSettings
from catdog.folder.rows import to_path
from catdog.photo.decode import EXTENSIONS

# Photos and bytes of a part: a hundredth of a file, within these limits. A part is lost when its worker is. A worker
# begins to decode a part when it has judged the one before, so small parts are slow: 1,000 photos took a fifteenth
# longer in parts of 32 than of 128 (by hand). But a part is for one worker: 500 photos keep at most four busy.
PHOTOS, BYTES = (128, 1024), (2**22, 2**27)
ROWS_AT_ONCE = 16  # rows of encoded photos that are read at a time
PART = re.compile(r"(photos-\d{5}-\d{6}|.+-[0-9a-f]{12}-\d{12})\.parquet")  # names of their files
IMAGES = ("image", "bytes", "img", "photo", "content")  # columns of encoded photos, those tried first


@dataclass(frozen=True)
class Part:
    """Some photos of a source.

    name    of the file of their rows
    kind    of `file`: `list` of paths, `parquet` with encoded photos, or `tar`
    base    folder at which relative paths begin
    group   number of the row group, or of the batch of a list
    start   first row of a Parquet file, or first byte of a tar
    stop    the row or byte after the last one; None for the end
    photos  how many; None for a tar
    """

    name: str
    kind: str
    file: str
    base: str = ""
    group: int = 0
    start: int = 0
    stop: int | None = None
    photos: int | None = None

    def read(self, limit: int) -> Iterator[Given]:
        """The photos; of each in a tar, at most that many bytes.

        Raises OSError, or ArrowException for a damaged Parquet file.
        """
        if self.kind == "list":
            return _of_list(self)
        return _reader(self.kind, self.file, self.base, self.group, limit).between(self.start, self.stop)


Place = tuple[int, Callable[[], Given]]  # a row or byte, and what gives the photo there


class Reader:
    """A file that can only be read from its beginning, kept open at the end of the last part.

    Parts mostly follow each other, so a process reads the file once, and not again for each part.
    """

    def __init__(self, places: Callable[[], Iterator[Place]]):
        self._places, self._next = places, None
        self._passed: float = math.inf  # where the next part may begin; beyond all, the file is opened anew

    def between(self, start: int, stop: int | None) -> Iterator[Given]:
        """The photos from the place `start` up to `stop`, or to the end."""
        if start < self._passed:
            self._rest, self._next, self._passed = self._places(), None, 0
        try:
            while item := self._next or next(self._rest, None):
                place, photo = self._next = item
                if stop is not None and place >= stop:
                    return
                self._next, self._passed = None, place + 1
                if place >= start:
                    yield photo()
        except BaseException:  # another try must not find the rest of it empty
            self._passed = math.inf
            raise


@functools.lru_cache(maxsize=1)
def _reader(kind: str, file: str, base: str, group: int, limit: int) -> Reader:
    return Reader((lambda: _of_tar(file, limit)) if kind == "tar" else (lambda: _of_parquet(file, base, group)))


def parts_of_list(file: str, base: str) -> list[Part]:
    """A part for each batch of a list of paths, an Arrow file."""
    stem = PurePosixPath(name_of(file)).stem
    with ipc.open_file(opened(file)) as reader:
        counts = [reader.get_batch(i).num_rows for i in range(reader.num_record_batches)]
    return [Part(f"{stem}-{i:06}.parquet", "list", file, base, group=i, photos=count) for i, count in enumerate(counts)]


def parts_of_parquet(base: str, file: Listed) -> list[Part]:
    address, parts, first = join(base, file.path), [], 0
    footer = footer_of(address)
    if image_column(footer.schema.to_arrow_schema()) is None:
        raise InvalidSettings(f"{address} has no column with the bytes of photos, as others have.")
    size = part_size(footer.num_rows)
    for group in range(footer.num_row_groups):
        rows = footer.row_group(group).num_rows
        for start in range(first, first + rows, size):
            stop = min(start + size, first + rows)
            name = _name(file.path, start)
            parts.append(Part(name, "parquet", address, parent(address), group, start, stop, stop - start))
        first += rows
    return parts


def parts_of_tar(base: str, file: Listed) -> list[Part]:
    starts = range(0, max(file.size, 1), _within(BYTES, file.size // 100))
    return [
        # The last part has no end, as a compressed tar has more bytes than its file.
        Part(_name(file.path, start), "tar", join(base, file.path), base, start=start, stop=stop)
        for start, stop in zip(starts, [*starts[1:], None], strict=True)
    ]


def footer_of(address: str) -> parquet.FileMetaData:
    """Raises InvalidSettings for a file that is not Parquet."""
    try:
        with opened(address) as stream:
            return parquet.read_metadata(stream)
    except (OSError, pyarrow.ArrowException) as error:
        raise InvalidSettings(f"{address} cannot be read as a Parquet file: {error}") from error


def image_column(schema: pyarrow.Schema) -> str | None:
    """The column with encoded photos: bytes, or as the Hub has them, bytes and a path in one. None without one.

    Bytes beside a column `path` may be anything, unless their name says what they are.
    """
    known = [name for name in IMAGES if name in schema.names]
    others = [field.name for field in schema if "path" not in schema.names or pyarrow.types.is_struct(field.type)]
    return next((name for name in known + others if _is_image(schema.field(name).type)), None)


def _is_image(kind: pyarrow.DataType) -> bool:
    if pyarrow.types.is_struct(kind):
        return "bytes" in kind.names and _is_image(kind.field("bytes").type)
    return any(is_it(kind) for is_it in (
        pyarrow.types.is_binary, pyarrow.types.is_large_binary, pyarrow.types.is_binary_view,
    ))  # fmt: skip


def part_size(photos: int) -> int:
    """How many of these photos a part has: a hundredth, in whole batches of the models."""
    return _within(PHOTOS, photos // 100 // FOLDER_BATCH * FOLDER_BATCH)


def _within(limits: tuple[int, int], size: int) -> int:
    return min(max(size, limits[0]), limits[1])


def _name(path: str, start: int) -> str:
    """The name of the file, for people, and a digest, because files in different folders may have one name."""
    digest = hashlib.blake2b(os.fsencode(path), digest_size=6).hexdigest()
    return f"{PurePosixPath(path).stem[:100]}-{digest}-{start:012}.parquet"


def _of_list(part: Part) -> Iterator[Given]:
    with ipc.open_file(opened(part.file)) as reader:
        batch = reader.get_batch(part.group)
    for text, problem in zip(*(column.to_pylist() for column in batch.columns), strict=True):
        path = to_path(text)
        yield Given(path, join(part.base, path), problem=problem)


def _of_parquet(address: str, base: str, group: int) -> Iterator[Place]:
    with opened(address) as stream:
        # Buffered, as a column of a row group may be larger than memory.
        file = parquet.ParquetFile(stream, buffer_size=2**20, pre_buffer=False)
        image = image_column(file.schema_arrow)
        columns = [image] + ["path"] * ("path" in file.schema_arrow.names)
        number = itertools.count(sum(file.metadata.row_group(before).num_rows for before in range(group)))
        for batch in file.iter_batches(ROWS_AT_ONCE, row_groups=[group], columns=columns):
            for cells, row in zip(batch.to_pylist(), number, strict=False):
                name = f"{name_of(address)}#{row}"
                yield row, functools.partial(_of_cells, base, name, cells[image], cells.get("path"))


def _of_cells(base: str, name: str, image: Any, path: str | None) -> Given:
    if isinstance(image, dict):
        image, path = image["bytes"], path or image.get("path")
    name = str(path or name)
    if image is not None:
        return Given(name, content=image)
    return Given(name, join(base, name)) if path else Given(name, problem="The cell is empty.")


def _of_tar(address: str, limit: int) -> Iterator[Place]:
    """Each photo with the byte at which its header begins; a photo with a problem for what cannot be read."""
    tar = None
    with opened(address) as stream:
        try:
            with tarfile.open(fileobj=stream) as tar:
                files: dict[str, tarfile.TarInfo] = {}  # what links may lead to
                for member in tar:
                    tar.members = []  # which would hold all headers
                    if not _is_photo(member):
                        continue
                    name = posixpath.normpath(member.name)
                    file = member if member.isreg() else files.get(_target(member))
                    if file:
                        files[name] = file
                    yield member.offset, functools.partial(_of_member, tar, name, file, limit)
        except (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError) as error:  # those of compressed tars, too
            problem = f"The tar is damaged: {error}."
            yield tar.offset if tar else 0, lambda: Given(name_of(address), problem=problem)


def _of_member(tar: tarfile.TarFile, name: str, file: tarfile.TarInfo | None, limit: int) -> Given:
    if file is None:
        return Given(name, problem="It is a link to what is not before it in the tar.")
    try:
        return Given(name, content=tar.extractfile(file).read(limit))
    except (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError) as error:
        return Given(name, problem=f"The tar is damaged here: {error}.")


def _target(link: tarfile.TarInfo) -> str:
    """The name of what a link leads to: in the tar for a hard link, relative to itself for a symbolic one."""
    place = "" if link.islnk() else posixpath.dirname(link.name)
    return posixpath.normpath(posixpath.join(place, link.linkname))


def _is_photo(member: tarfile.TarInfo) -> bool:
    name = PurePosixPath(member.name)
    is_file = member.isreg() or member.islnk() or member.issym()
    return is_file and name.suffix.lower() in EXTENSIONS and not name.name.startswith(".")
