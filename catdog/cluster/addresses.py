"""Files and folders by address: a local path, or whatever pyarrow or fsspec opens, such as s3://, gs:// and hf://."""

import fnmatch
import functools
import os
import re
import uuid
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from pyarrow import ArrowException, fs

from catdog.cluster.schemes import has_scheme, is_remote, local_path
from catdog.errors import InvalidSettings, NotWritten
from catdog.files import whole

_OPTIONS = re.compile(r"((?:s3|gs|gcs)://[^?]*(?:\?(?!\w+=)[^?]*)*)(\?\w+=.*)", re.DOTALL)
PARTIAL = ".partial-"  # how files begin that are not yet whole; readers of Parquet folders leave hidden files out


class Listed(NamedTuple):
    """A file in a folder."""

    path: str  # relative to the folder, with `/`
    size: int  # bytes
    modified: int = 0  # in whole seconds since 1970, as some services tell no more; 0 if it is not known


def at(address: str) -> tuple[fs.FileSystem, str]:
    """The file system of an address, and the path on it. Raises InvalidSettings for one that nothing opens."""
    if not _is_text(address):
        raise InvalidSettings(f"The name of a file or folder must be text. Received: {address!r}.")
    if not is_remote(address):
        return fs.LocalFileSystem(), os.path.abspath(local_path(address))
    address, options = _without_options(address)
    scheme, _, rest = address.partition("://")
    place, _, path = rest.partition("/")
    system, root = _system(f"{scheme}://{place}{options}")
    return system, f"{root.rstrip('/')}/{path}".rstrip("/") if path else root


def _without_options(address: str) -> tuple[str, str]:
    """An address of a bucket, and its options such as `?region=eu-central-1`; they hold for all that is in it."""
    found = _OPTIONS.fullmatch(address)
    return (found[1], found[2]) if found else (address, "")


def _is_text(address: str) -> bool:
    """Whether a path is valid UTF-8 without NUL, as pyarrow requires."""
    return "\0" not in address and address == address.encode(errors="replace").decode()


@functools.cache
def _system(address: str) -> tuple[fs.FileSystem, str]:
    """A client for a bucket or server is made once per process."""
    try:
        return fs.FileSystem.from_uri(address)
    except (ArrowException, ValueError, OSError, NotImplementedError):  # a scheme that pyarrow lacks
        try:
            return fs.FileSystem.from_uri(f"fsspec+{address}")
        except Exception as error:  # what it needs is not installed, or its own
            raise InvalidSettings(f"Neither pyarrow nor fsspec opens {without_secrets(address)}: {error}") from error


def join(base: str, path: str) -> str:
    """The address of a path that is relative to a base, or has an address of its own."""
    if has_scheme(path) or os.path.isabs(path) or not base:
        return path
    base, options = _without_options(base)
    return f"{base.rstrip('/')}/{path}{options}"


def parent(address: str) -> str:
    """The folder of a file."""
    if not is_remote(address):
        return os.path.dirname(os.path.abspath(local_path(address)))
    address, options = _without_options(address)
    return address.rpartition("/")[0] + options


def name_of(address: str) -> str:
    """The name of a file or folder, the last part of its address."""
    return PurePosixPath(_without_options(address)[0]).name


def without_secrets(address: str) -> str:
    """An address without its options and without a name before `@`, which may hold keys: it can be recorded."""
    return re.sub(r"(?<=://)[^/@]*@", "", _without_options(address)[0])


def absolute(address: str) -> str:
    """The address as processes in other folders need it: local paths become absolute."""
    return address if is_remote(address) else os.path.realpath(local_path(address))


def opened(address: str) -> IO[bytes]:
    """A file to read that can seek."""
    system, path = at(address)
    return system.open_input_file(path)


def is_folder(address: str) -> bool:
    system, path = at(address)
    return system.get_file_info(path).type == fs.FileType.Directory


def is_file(address: str) -> bool:
    system, path = at(address)
    return system.get_file_info(path).type == fs.FileType.File


def _as_listed(info: fs.FileInfo, path: str) -> Listed:
    return Listed(path, info.size or 0, (info.mtime_ns or 0) // 10**9)


def listed(address: str, *, recursive: bool = True) -> list[Listed]:
    """The files in a folder, by path, without hidden ones and those in hidden folders; none if it does not exist."""
    system, folder = at(address)
    found = system.get_file_info(fs.FileSelector(folder, allow_not_found=True, recursive=recursive))
    files = (
        _as_listed(info, str(PurePosixPath(info.path).relative_to(folder.rstrip("/"))))
        for info in found
        if info.type == fs.FileType.File
    )
    return sorted(file for file in files if not re.search(r"(^|/)\.", file.path))


def matching(address: str) -> list[Listed]:
    """The file at an address, or the files that its last part, a pattern with `*`, names."""
    system, path = at(address)
    info = system.get_file_info(path)
    name = PurePosixPath(path).name
    if info.type == fs.FileType.File:
        return [_as_listed(info, name)]
    return [file for file in listed(parent(address), recursive=False) if fnmatch.fnmatchcase(file.path, name)]


def put(folder: str, name: str, content: bytes) -> None:
    """Write a file that appears whole or not at all. Raises NotWritten."""
    system, path = at(folder)
    try:
        if not isinstance(system, fs.LocalFileSystem):  # an object appears when it is complete
            with system.open_output_stream(f"{path}/{name}") as stream:
                stream.write(content)
            return
        with whole(Path(path, name), partial=f"{PARTIAL}{uuid.uuid4().hex}") as partial, open(partial, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())  # a power cut must leave no empty file of this name
    except OSError as error:
        raise NotWritten(f"{join(folder, name)} cannot be written: {error.strerror or error}.") from error
