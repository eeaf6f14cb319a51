"""A run: walk a folder, decode its photos in other processes, judge them and write the rows."""

import itertools
import os
import sys
import threading
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Self

from tqdm import tqdm

from catdog.classifier import Classifier
from catdog.comparator import Answer, Batch, Comparator
from catdog.engine import FOLDER_BATCH as BATCH
from catdog.errors import CatDogError, FolderLost, InvalidSettings
from catdog.folder import parquet
from catdog.folder.decoding import Decoder
from catdog.folder.journal import Journal, writing
from catdog.folder.walk import Found, find
from catdog.folder.workers import Workers
from catdog.photo.decode import EXTENSIONS

# By default there is one worker per core, but no more than this.
DEFAULT_WORKERS = 16
ENDINGS = (".csv", ".parquet")


class Summary(NamedTuple):
    """What a run did, in numbers."""

    photos: int  # that have rows now
    failed: int  # those among them with an error
    judged: int  # that this run added
    finished: bool  # whether none is left
    seconds: float  # from the start of the walk to the last row
    photos_per_second: float  # of those judged
    out: str  # the file of answers

    @classmethod
    def of(cls, photos: int, failed: int, judged: int, *, finished: bool, seconds: float, out: object) -> Self:
        speed = judged / seconds if seconds else 0.0
        return cls(photos, failed, judged, finished, round(seconds, 3), round(speed, 1), str(out))


def check(folder: Path, out: Path) -> None:
    """Raise InvalidSettings for a folder without photos or a file of results that cannot be written."""
    if os.path.isdir(out) or not os.path.isdir(out.parent):  # these raise nothing, whatever the name
        raise InvalidSettings(f"--out must be a file in a folder that exists. Received: {out}.")
    if out.suffix.lower() not in ENDINGS:
        raise InvalidSettings(f"--out must end in {' or '.join(ENDINGS)}. Received: {out}.")
    if out.suffix.lower() == ".parquet":
        parquet.require_pyarrow()
    first = next(find(folder), None)
    if first is None:
        raise InvalidSettings(f"{folder} holds no photo; accepted are {', '.join(EXTENSIONS)}.")
    if not first.path:
        raise InvalidSettings(f"{folder}: {first.problem}")


def classify(
    folder: Path,
    out: Path,
    comparator: Comparator,
    *,
    models: Collection[str] = (),
    workers: int | None = None,
    restart: bool = False,
    stop: threading.Event | None = None,
) -> Summary:
    """Ask all models, or those named, about every photo in a folder and the folders in it.

    The answers go to `out`, a .csv or .parquet file. Photos that have rows there are skipped, unless `restart` empties
    it first. A photo that cannot be read gets a row with its error. Progress is shown on stderr. Setting `stop` ends
    the run early.

    Raises InvalidSettings or UnknownModel before anything is written, and NotWritten, NoWorker or FolderLost, after
    which a later run continues.
    """
    start = time.perf_counter()
    check(folder, out)
    classifiers, workers = comparator.chosen(models), workers or min(cores(), DEFAULT_WORKERS)
    stop = stop or threading.Event()
    csv = out if out.suffix.lower() == ".csv" else out.with_name(out.name + ".csv")
    with Journal(csv, folder, [classifier.spec for classifier in classifiers], restart=restart) as journal:
        before = journal.photos
        _add_missing(journal, folder, comparator, classifiers, workers, stop)
        journal.sync()
        if out != csv and not stop.is_set():
            with writing(out):
                parquet.write(csv, out, journal.columns)
    judged, seconds = journal.photos - before, time.perf_counter() - start
    return Summary.of(journal.photos, journal.failed, judged, finished=not stop.is_set(), seconds=seconds, out=out)


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _add_missing(
    journal: Journal,
    folder: Path,
    comparator: Comparator,
    classifiers: Sequence[Classifier],
    workers: int,
    stop: threading.Event,
) -> None:
    def missing() -> Iterator[Found]:
        wanted = itertools.takewhile(lambda _: not stop.is_set(), find(folder))
        return (found for found in wanted if found.path not in journal)

    place = _place(folder)
    total = journal.photos + sum(1 for _ in missing())
    shapes = {classifier.spec.input.shape for classifier in classifiers}
    decoder = Decoder(str(folder), comparator.read, tuple(shapes))
    with progress_of(journal.photos, total) as progress, Workers(decoder, workers) as decoding:
        for photos in answers(decoding, chunks_of(missing()), comparator, classifiers):
            if any(isinstance(answer, CatDogError) for _, answer in photos):
                _require_there(folder, place)
            journal.append(photos)
            progress.update(len(photos))
            if stop.is_set():
                return
    _require_there(folder, place)  # a folder that is gone looks like one without further photos


def progress_of(done: int, total: int | None = None) -> tqdm:
    """Shows on stderr how many photos are done, how many a second, and the time that is left."""
    every = 0.5 if sys.stderr.isatty() else 30  # seconds; in a log, now and then
    return tqdm(total=total, initial=done, unit=" photos", mininterval=every, maxinterval=2 * every, smoothing=0.1)


def answers(
    workers: Workers, chunks: Iterable[Sequence[Found]], comparator: Comparator, classifiers: Sequence[Classifier]
) -> Iterator[list[tuple[str, Answer]]]:
    """Decode and judge chunks; yields the photos of each by path, in order.

    Besides Found, a photo may be anything with a `path` and a `problem` that the decoder of the workers opens.
    """
    chunks, ours = itertools.tee(chunks)

    def batches() -> Iterator[Batch]:
        for chunk, decoded in workers.decode(chunks):
            yield Batch(decoded, lambda places, chunk=chunk: workers.whole([chunk[i] for i in places]))

    for answers, chunk in zip(comparator.compare_batches(batches(), classifiers), ours, strict=True):
        yield [(found.path, answer) for found, answer in zip(chunk, answers, strict=True)]


def _require_there(folder: Path, place: tuple[int, int] | None) -> None:
    """Raise FolderLost unless this is still the same folder."""
    if place is None or _place(folder) != place:
        raise FolderLost(
            f"{folder} is gone or was replaced. Bring it back, and the same command, without --restart, goes on."
        )


def _place(folder: Path) -> tuple[int, int] | None:
    """Device and inode of a folder, which change when its disk or share is lost; None if it is gone."""
    try:
        status = os.stat(folder)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def chunks_of(photos: Iterable[Found]) -> Iterator[list[Found]]:
    photos = iter(photos)
    while chunk := list(itertools.islice(photos, BATCH)):
        yield chunk
