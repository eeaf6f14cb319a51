"""What `classify` was given -> its kind and files, and the parts of it that have no rows yet."""

import functools
import itertools
import json
import posixpath
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import NamedTuple, Self

import numpy as np
import pyarrow
from pyarrow import csv, fs, ipc, parquet

from catdog.cluster.addresses import (
    PARTIAL,
    Listed,
    absolute,
    at,
    is_file,
    is_folder,
    join,
    listed,
    matching,
    name_of,
    opened,
    parent,
    put,
    without_secrets,
)
from catdog.cluster.schemes import is_remote
from catdog.cluster.source_parts import (
    PART,
    Part,
    footer_of,
    image_column,
    part_size,
    parts_of_list,
    parts_of_parquet,
    parts_of_tar,
)
from catdog.errors import CatDogError, InvalidSettings
from catdog.folder import walk
from catdog.folder.journal import digest_of, require_same
from catdog.folder.rows import ADVICE, to_text
from catdog.folder.walk import Found
from catdog.photo.decode import EXTENSIONS

STATE = "_catdog"  # folder in OUT with what a later run needs; readers of Parquet folders leave it out
RECORD = f"{STATE}/run.json"  # what the answers in OUT are of
LIST = 2**20  # paths in one file of a list
AT_A_TIME = 16  # footers that are read at a time
_FILES = {".parquet": "Parquet files", ".tar": "tars", ".csv": "lists"}  # kinds of files that hold many photos


class Source(NamedTuple):
    """Where photos come from.

    kind   `photos` in a folder, `manifest` with their paths, `parquet` with their bytes, or `tar`
    base   address of the folder that holds them, where relative paths begin
    files  the manifests, Parquet files or tars, relative to the base; none for `photos`
    """

    kind: str
    base: str
    files: list[Listed]

    @classmethod
    def of(cls, address: str) -> Self:
        """Find out what an address holds. Raises InvalidSettings if that is no source."""
        try:
            return _of_folder(address) if is_folder(address) else _of_files(parent(address), matching(address), address)
        except CatDogError:
            raise
        except (OSError, ValueError, pyarrow.ArrowException) as error:  # ValueError: names that are not text
            raise InvalidSettings(f"{address} cannot be read: {error}") from error

    def paths(self) -> Iterator[Found]:
        """The photos of a folder or of manifests, in order; raises InvalidSettings for a damaged manifest."""
        if self.kind == "manifest":
            for file in self.files:
                place = posixpath.dirname(file.path)
                for found in _of_manifest(join(self.base, file.path)):
                    yield found if found.problem else Found(join(place, found.path))
        elif is_remote(self.base):
            yield from (Found(file.path) for file in listed(self.base) if _ending(file.path) in EXTENSIONS)
        else:
            yield from walk.find(Path(self.base))

    def check(self) -> None:
        """Raise InvalidSettings if the first or last bytes of a file show that it is not of this kind."""
        if self.kind == "manifest":
            for file in self.files:
                next(_of_manifest(join(self.base, file.path)), None)
        elif self.kind != "photos":
            self._parts_of_files()

    def parts(self, out: str) -> list[Part]:
        """All parts, including those that have rows. The paths of a list are recorded in `out` first."""
        if self.kind in ("photos", "manifest"):
            return _recorded(self, out)
        return self._parts_of_files()

    def _parts_of_files(self) -> list[Part]:
        cut = parts_of_parquet if self.kind == "parquet" else parts_of_tar
        with ThreadPoolExecutor(AT_A_TIME) as pool:
            return list(itertools.chain.from_iterable(pool.map(lambda file: cut(self.base, file), self.files)))


def prepare(out: str, identity: dict, source: Source, *, restart: bool) -> None:
    """Make a folder for results, and record what they are of. Raises InvalidSettings for one that holds others.

    Files with photos in them must stay as they are, as their parts are places in them. Lists may grow.
    """
    files = source.files if source.kind in ("parquet", "tar") else []
    versions = {file.path: [file.size, file.modified] for file in files}
    about = identity | {"folder": without_secrets(source.base), "kind": source.kind}
    system, folder = at(out)
    try:
        present, ours = listed(out, recursive=False), is_file(join(out, RECORD))
        before = None if restart and ours else _state(out)
        known = dict(before["files"]) if before else {}
    except CatDogError:
        raise
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InvalidSettings(f"{out} cannot be used ({error}). {ADVICE}") from error
    if present and not ours:
        raise InvalidSettings(f"{out} holds files that this command did not write. Choose another --out.")
    if restart and ours:
        source.check()  # answers are not given up for a source without any
        _empty(system, folder, present)
    if before:
        require_same(out, before, about)
    if changed := [path for path, version in versions.items() if known.get(path, version) != version]:
        raise InvalidSettings(f"{out} holds answers to {changed[0]} as it was before it changed. {ADVICE}")
    try:
        system.create_dir(f"{folder}/{STATE}")
        _remove_leftovers(system, folder)
    except OSError as error:
        raise InvalidSettings(f"--out must be a folder that can be made. Received: {out} ({error}).") from error
    state = about | {"files": known | versions}
    put(out, RECORD, json.dumps(state, indent=1).encode())


def counted(out: str, names: Iterable[str]) -> tuple[int, int]:
    """How many photos the files of rows hold, and how many of them failed. Raises InvalidSettings for other files."""

    def counts(name: str) -> tuple[int, int]:
        metadata = footer_of(join(out, name)).metadata or {}
        try:
            return int(metadata[b"photos"]), int(metadata[b"failed"])
        except (KeyError, ValueError) as error:
            raise InvalidSettings(f"{join(out, name)} is not as this command wrote it. Remove it.") from error

    with ThreadPoolExecutor(AT_A_TIME) as pool:
        totals = list(pool.map(counts, names))
    return sum(photos for photos, _ in totals), sum(failed for _, failed in totals)


def _state(out: str) -> dict | None:
    try:
        with opened(join(out, RECORD)) as stream:
            return dict(json.loads(stream.read()))
    except FileNotFoundError:
        return None


def _remove_leftovers(system: fs.FileSystem, folder: str) -> None:
    """Remove what killed workers left of files that they were writing."""
    for place in (folder, f"{folder}/{STATE}"):
        for info in system.get_file_info(fs.FileSelector(place)):
            if PurePosixPath(info.path).name.startswith(PARTIAL):
                system.delete_file(info.path)


def _empty(system: fs.FileSystem, folder: str, present: Sequence[Listed]) -> None:
    """Remove what this command wrote, and nothing else."""
    system.delete_file(f"{folder}/{RECORD}")  # first: without it nothing is taken for complete
    system.delete_dir(f"{folder}/{STATE}")
    for file in present:
        if PART.fullmatch(file.path):
            system.delete_file(f"{folder}/{file.path}")


def _of_folder(address: str) -> Source:
    address = absolute(address)
    first = None if is_remote(address) else next(walk.find(Path(address)), None)
    if first and not first.path:
        raise InvalidSettings(f"{address}: {first.problem}")
    kinds = _kinds_in(address)
    if len(kinds) > 1:
        found = " and ".join(f"{kind} ({path})" for kind, path in kinds.items())
        raise InvalidSettings(f"{address} holds {found}. Name one kind, such as by a pattern, or move the others away.")
    if "photos" in kinds or (first and not kinds):  # all folders in it cannot be read, which their rows say
        return Source("photos", address, [])
    if not kinds:
        endings = ", ".join(EXTENSIONS)
        raise InvalidSettings(f"{address} holds no photo, list, Parquet file or tar; photos are {endings}.")
    return _of_files(address, [file for file in listed(address) if _ending(file.path) in _FILES], address)


def _kinds_in(address: str) -> dict[str, str]:
    """Kind of file -> the path of one, for the kinds in a folder.

    Beside photos, a .csv file may be anything, such as their labels, and answers of this command are no source.
    """
    are_answers = functools.cache(lambda place: is_file(join(address, posixpath.join(place, RECORD))))
    kinds: dict[str, str] = {}
    for path in _paths_in(address):
        if kind := "photos" if _ending(path) in EXTENSIONS else _FILES.get(_ending(path)):
            is_answer = _ending(path) == ".parquet" and are_answers(posixpath.dirname(path))
            kinds.setdefault("answers" if is_answer else kind, path)
    answer = kinds.pop("answers", None)
    if "photos" in kinds:
        kinds.pop(_FILES[".csv"], None)
    elif answer:
        kinds.setdefault(_FILES[".parquet"], answer)
    return kinds


def _paths_in(address: str) -> Iterator[str]:
    """The files in a folder; on this machine only the first of the photos, as there may be millions."""
    if is_remote(address):
        yield from (file.path for file in listed(address))
        return
    for endings, most in ((EXTENSIONS, 1), (_FILES, None)):
        found = (found.path for found in walk.find(Path(address), endings) if not found.problem)
        yield from itertools.islice(found, most)


def _of_files(base: str, files: list[Listed], address: str) -> Source:
    endings = {_ending(file.path) for file in files}
    if endings == {".tar"}:
        return Source("tar", base, files)
    if endings == {".csv"}:
        return Source("manifest", base, files)
    if endings != {".parquet"}:
        what = "There is nothing at" if not files else "A folder, or .parquet, .csv or .tar files are needed, not"
        raise InvalidSettings(f"{what} {address}.")
    schemas = [footer_of(join(base, file.path)).schema.to_arrow_schema() for file in (files[0], files[-1])]
    if all(image_column(schema) for schema in schemas):
        return Source("parquet", base, files)
    if all("path" in schema.names for schema in schemas):
        return Source("manifest", base, files)
    raise InvalidSettings(
        f"{address} has neither a column `path` nor one with the bytes of photos. Its columns: "
        f"{', '.join(schemas[0].names)}."
    )


def _of_manifest(address: str) -> Iterator[Found]:
    try:
        with opened(address) as stream:
            if _ending(name_of(address)) == ".csv":
                only = csv.ConvertOptions(include_columns=["path"], column_types={"path": pyarrow.string()})
                batches = csv.open_csv(stream, convert_options=only)
            else:
                batches = parquet.ParquetFile(stream).iter_batches(columns=["path"])
            number = 0
            for batch in batches:
                for path in batch.column("path").to_pylist():
                    number += 1
                    yield Found(str(path)) if path else Found(f"row {number}", "The manifest has no path here.")
    except (OSError, KeyError, pyarrow.ArrowException) as error:
        raise InvalidSettings(f"{address} cannot be read as a manifest with a column `path`: {error}") from error


def _recorded(source: Source, out: str) -> list[Part]:
    """Write the paths that the lists in OUT lack into further lists; returns the parts of all."""
    state = join(out, STATE)
    lists = [join(state, file.path) for file in listed(state) if _ending(file.path) == ".arrow"]
    known = _Known(lists)
    missing = (found for found in source.paths() if not known.take(found.path))
    number = itertools.count(len(lists))
    while paths := list(itertools.islice(missing, LIST)):
        name = f"photos-{next(number):05}.arrow"
        put(state, name, _as_list(paths))
        lists.append(join(state, name))
    return [part for file in lists for part in parts_of_list(file, source.base)]


class _Known:
    """The paths of lists, as 64-bit digests, and how often each is still to be found."""

    def __init__(self, lists: Sequence[str]):
        digests = (digest_of(text) for file in lists for text in _texts(file))
        self._digests, self._left = np.unique(np.fromiter(digests, np.uint64), return_counts=True)

    def take(self, path: str) -> bool:
        digest = digest_of(to_text(path))
        place = np.searchsorted(self._digests, digest)
        if place == len(self._digests) or self._digests[place] != digest or not self._left[place]:
            return False
        self._left[place] -= 1
        return True


def _texts(file: str) -> Iterator[str]:
    with ipc.open_file(opened(file)) as reader:
        for i in range(reader.num_record_batches):
            yield from reader.get_batch(i).column("path").to_pylist()


def _as_list(paths: Sequence[Found]) -> bytes:
    """An Arrow file whose batches are parts: small at the start of a list, so that a short one has many."""
    sink, schema = pyarrow.BufferOutputStream(), pyarrow.schema({"path": "string", "problem": "string"})
    with ipc.new_file(sink, schema, options=ipc.IpcWriteOptions(compression="zstd")) as writer:
        start = 0
        while start < len(paths):
            some = paths[start : start + part_size(start)]
            columns = [[to_text(found.path) for found in some], [found.problem for found in some]]
            writer.write(pyarrow.record_batch([pyarrow.array(c, pyarrow.string()) for c in columns], schema=schema))
            start += len(some)
    return sink.getvalue().to_pybytes()


def _ending(path: str) -> str:
    return PurePosixPath(path).suffix.lower()
