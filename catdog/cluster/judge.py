"""Judges batches of photos for engines that hand out tables: Ray Data, Daft, Spark, Dask."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import functools
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pyarrow

from catdog import Settings, load
from catdog.cluster.given import AddressDecoder, Given
from catdog.comparator import Answer
from catdog.engine import cache as conversions
from catdog.folder.parquet import batch_of, schema_of
from catdog.folder.rows import Columns
from catdog.folder.run import answers, chunks_of
from catdog.folder.workers import Workers
from catdog.models.locate import locate
from catdog.settings import BUNDLED_WEIGHTS

if TYPE_CHECKING:
    import pandas

Batch = TypeVar("Batch", pyarrow.Table, "pandas.DataFrame", Mapping[str, Any])


class Judge:
    """Models in this process that answer batches of photos; make one per process, and keep it.

    A batch is a pyarrow.Table, a pandas.DataFrame or a mapping of columns, and the result is of the same type. Its
    column `path` has the names or addresses of photos, its column `bytes`, if there is one, their files: without
    `bytes`, photos are read from `path`. The result has the rows and columns of `classify`: one row per photo and
    model, or for a photo that cannot be read one row with its `error`.

        judge = Judge(threads=4)
        judge({"path": ["cat.jpg", "s3://bucket/dog.heic"]})["label"]

    settings  by default those of the environment
    models    names of the models to ask, by default all
    threads   cores to use: OpenVINO threads, and decoding processes. If the workers of a machine have more threads in
              total than it has cores, they are many times slower.

    A Judge can be pickled: only its arguments are sent, and each process loads the models once. `schema` is the Arrow
    schema of a result. A script must make and use a Judge under `if __name__ == "__main__":`, because the processes
    that decode import the script. Raises ModelUnavailable or UnknownModel, and KeyError for a batch without `path`.
    """

    def __init__(self, settings: Settings | None = None, *, models: Collection[str] = (), threads: int = 1):
        settings = dataclasses.replace(settings or Settings.from_env(), threads=threads)
        self._arguments = settings_to_send(settings), tuple(models), threads
        with _converting_once(settings):
            self.comparator = load(settings)
        self.classifiers = self.comparator.chosen(models)
        specs = [classifier.spec for classifier in self.classifiers]
        self.columns = Columns(specs)
        self.schema = schema_of(self.columns)
        shapes = {spec.input.shape for spec in specs}
        self._workers = Workers(AddressDecoder("", self.comparator.read, tuple(shapes)), threads)

    def __reduce__(self):
        return made_once, self._arguments

    def __call__(self, batch: Batch) -> Batch:
        given = batch if isinstance(batch, pyarrow.Table) else _as_table(batch)
        contents = given["bytes"].to_pylist() if "bytes" in given.column_names else [None] * given.num_rows
        photos = map(_given, given["path"].to_pylist(), contents)
        rows = [row for path, answer in self.answers(photos) for row in self.columns.rows(path, answer)]
        table = pyarrow.Table.from_batches([batch_of(rows, self.schema)])
        if isinstance(batch, pyarrow.Table):
            return table
        return table.to_pandas() if hasattr(batch, "to_parquet") else table.to_pydict()

    def answers(self, photos: Iterable[Given]) -> Iterator[tuple[str, Answer]]:
        """The answer to each photo by its path, in order; photos are taken as they are needed."""
        for chunk in answers(self._workers, chunks_of(photos), self.comparator, self.classifiers):
            yield from chunk

    def close(self) -> None:
        """End the processes that decode, which otherwise end with this one."""
        self._workers.__exit__()
        self.comparator.close()


@functools.lru_cache(maxsize=1)
def made_once(settings: tuple[tuple[str, Any], ...], models: tuple[str, ...], threads: int) -> Judge:
    """The Judge of this process, from `settings_to_send`."""
    return Judge(Settings(**dict(settings)), models=models, threads=threads)


def settings_to_send(settings: Settings) -> tuple[tuple[str, Any], ...]:
    """The settings that differ from the defaults, which every machine has: name and value, with absolute paths."""
    default = Settings(weights=str(BUNDLED_WEIGHTS))
    sources = [os.path.abspath(one) if isinstance(one, Path) else "@".join(one) for one in settings.sources]
    cache = Path(os.path.abspath(settings.cache))
    settings = dataclasses.replace(settings, weights=os.pathsep.join(sources), cache=cache)
    names = [field.name for field in dataclasses.fields(settings)]
    return tuple((n, getattr(settings, n)) for n in names if getattr(settings, n) != getattr(default, n))


def _given(path: str | None, content: bytes | None) -> Given:
    if path is None and content is None:
        return Given("", problem="There is neither a path nor bytes.")
    return Given(str(path or ""), str(path), content)


def _as_table(batch: Mapping[str, Any] | pandas.DataFrame) -> pyarrow.Table:
    """The columns `path` and `bytes`, whether they are lists, arrays or series."""
    columns = {name: batch[name] for name in ("path", "bytes") if name in batch}
    return pyarrow.table({name: pyarrow.array(list(column), from_pandas=True) for name, column in columns.items()})


@contextlib.contextmanager
def _converting_once(settings: Settings) -> Iterator[None]:
    """Let other processes of this machine wait while one converts models, which takes more than a gigabyte."""
    if all(conversions.find(settings.cache, model.spec.sha256) for model in locate(settings).models):
        yield
        return
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # no folder can be written, or a file system has no locks
            settings.cache.mkdir(parents=True, exist_ok=True)
            fcntl.flock(stack.enter_context(open(settings.cache / "converting.lock", "w")), fcntl.LOCK_EX)
        yield
