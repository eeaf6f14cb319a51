"""A CSV file of results that grows during a run, and that a later run continues.

- A killed run leaves the beginning of what it would have written. The next run cuts off an incomplete end.
- A small JSON file beside the CSV records which models judged which folder, so that rows of others are not mixed in.
- Each write is handed to the system at once and survives a kill. It is on disk when the run ends; what a power cut
  takes is judged again.
"""

import contextlib
import fcntl
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from catdog.comparator import Answer
from catdog.errors import CatDogError, InvalidSettings, NotWritten
from catdog.files import whole
from catdog.folder.rows import ADVICE, Columns, read_groups, to_csv, to_text
from catdog.models.spec import ModelSpec
from catdog.verdict import default_of

FORMAT = 3  # of the columns and of the state file


class Journal:
    """The rows so far; a context manager, which closes the file.

    photos  photos that have rows
    failed  those among them with an error

    Raises InvalidSettings for a file with other content or one that another process writes to, and NotWritten for one
    that cannot be opened or written.
    """

    def __init__(self, path: Path, folder: Path, specs: Sequence[ModelSpec], *, restart: bool = False):
        self.path, self.columns = path, Columns(specs)
        self.photos = self.failed = 0
        self._seen = np.array([], np.uint64)
        with writing(path):
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            self._lock()
            with writing(path):
                self._begin(identity_of(str(folder.resolve()), specs), restart)
        except BaseException:
            os.close(self._file)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception) -> None:
        os.close(self._file)

    def __contains__(self, path: str) -> bool:
        """Whether a photo had rows when the journal was opened.

        Only a 64-bit digest of each path is kept, 8 MB for a million. The chance that a new photo is taken for one of
        a million is 1 in 18 million million.
        """
        digest = digest_of(to_text(path))
        place = np.searchsorted(self._seen, digest)
        return place < len(self._seen) and self._seen[place] == digest

    def append(self, answers: Iterable[tuple[str, Answer]]) -> None:
        """Add photos by path, in one write."""
        answers = list(answers)
        self._write(to_csv(row for path, answer in answers for row in self.columns.rows(path, answer)))
        self.photos += len(answers)
        self.failed += sum(isinstance(answer, CatDogError) for _, answer in answers)

    def sync(self) -> None:
        """Wait until all rows are on disk."""
        with writing(self.path):
            os.fsync(self._file)

    def _begin(self, identity: dict, restart: bool) -> None:
        """Prepare the file for more rows: empty it, check it, or write its header."""
        state = self.path.with_name(self.path.name + ".state.json")
        if restart:
            os.truncate(self._file, 0)
        if os.fstat(self._file).st_size:
            require_same(self.path, _recorded(self.path, state), identity)
            self._recover()
        if not os.fstat(self._file).st_size:
            with whole(state) as partial:
                partial.write_text(json.dumps(identity, indent=1) + "\n", encoding="utf-8")
            self._write(to_csv([self.columns.names]))

    def _recover(self) -> None:
        """Read the rows of earlier runs and cut off an incomplete end."""
        end = 0

        def digests() -> Iterator[np.uint64]:
            nonlocal end
            for rows, read in read_groups(self.path, self.columns):
                end = read
                if rows:
                    self.photos += 1
                    self.failed += any(error for *_, error in rows)
                    yield digest_of(rows[0][0])

        self._seen = np.sort(np.fromiter(digests(), np.uint64))
        os.truncate(self._file, end)

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InvalidSettings(f"Another process is writing to {self.path}. Choose another --out.") from error
        except OSError:  # some network file systems have no locks
            pass

    def _write(self, data: bytes) -> None:
        with writing(self.path):
            while data:
                data = data[os.write(self._file, data) :]


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an OSError into NotWritten."""
    try:
        yield
    except OSError as error:
        raise NotWritten(
            f"{path} cannot be written: {error.strerror or error}. The same command, without --restart, goes on."
        ) from error


def digest_of(text: str) -> np.uint64:
    return np.frombuffer(hashlib.blake2b(text.encode(), digest_size=8).digest(), np.uint64)[0]


def identity_of(folder: str, specs: Sequence[ModelSpec]) -> dict:
    """What the rows depend on: folder, leader and models, but not the arithmetic and the limits of the settings."""
    fields = {"name", "sha256", "classes", "image_size", "resize", "scaling", "temperature"}
    rare = {"image_width": None, "channels": 3}
    models = [
        spec.model_dump(mode="json", include=fields | {key for key in rare if getattr(spec, key) != rare[key]})
        | {"refuses_by": hashlib.sha256(spec.model_dump_json(include={"neither"}).encode()).hexdigest()}
        for spec in specs
    ]
    return {"format": FORMAT, "folder": folder, "leader": default_of(specs).name, "models": models}


def require_same(out: object, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise InvalidSettings unless `before`, the identity recorded for the rows in `out`, equals `now`, this run's."""
    if differs := [name for name, value in now.items() if before.get(name) != value]:
        raise InvalidSettings(f"{out} holds answers of a run that differs in {', '.join(differs)}. {ADVICE}")


def _recorded(path: Path, state: Path) -> dict:
    """What the state file says of the rows in a file. Raises InvalidSettings where it cannot be read."""
    try:
        return dict(json.loads(state.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise InvalidSettings(
            f"{path} exists already, and {state.name}, which records what it holds, cannot be read. {ADVICE}"
        ) from error
