"""Photos -> what the models say of each, several at a time."""

import random
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextvars import copy_context
from dataclasses import dataclass

from PIL import Image

from catdog.collection.intake import NamedPhoto
from catdog.comparator import Comparator
from catdog.errors import Busy, CatDogError
from catdog.verdict import Comparison

WORKERS = 4  # photos that are read and judged at a time
THUMBNAIL = 192  # pixels, largest side
PATIENCE, PAUSE = 60.0, 0.2  # seconds to wait for a free place, and between two tries


@dataclass(frozen=True)
class Judged:
    """A photo and what became of it: a comparison and a thumbnail, or an error in a sentence.

    place  its number among the photos that `judge` was given; None for a file that was refused before
    """

    name: str
    label: str | None
    comparison: Comparison | None = None
    thumbnail: Image.Image | None = None
    error: str = ""
    place: int | None = None


def judge(comparator: Comparator, photos: Sequence[NamedPhoto]) -> Iterator[Judged]:
    """Ask all models about each photo; yields photos as they are done, failed ones with their error.

    The order is random, but always the same, so that a stopped run is a fair sample of all photos.
    Closing the iterator drops the photos that are still waiting, and does not wait for the others.
    """
    stopped = threading.Event()
    # Not a `with`, which would wait: a server may close the iterator on its event loop.
    pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="catdog-many")
    # With a context each, so that what is logged of a photo names the request that it came with.
    mixed = random.Random(0).sample(range(len(photos)), len(photos))
    jobs = [pool.submit(copy_context().run, _judge_one, comparator, photos[i], i, stopped) for i in mixed]
    try:
        for future in as_completed(jobs):
            yield future.result()
    finally:
        stopped.set()
        pool.shutdown(wait=False, cancel_futures=True)


def doubt(comparison: Comparison) -> float:
    """How doubtful a verdict is, 0 to 1, for sorting.

    It is 1 minus the smallest probability that any model gives to the verdict: above one half if models of two classes
    disagree, and 1 for `neither`.
    """
    return 1 - min(verdict.probabilities.get(comparison.verdict, 0.0) for verdict in comparison.models)


def _judge_one(comparator: Comparator, photo: NamedPhoto, place: int, stopped: threading.Event) -> Judged:
    try:
        comparison, thumbnail = _patiently(comparator, photo.read(), stopped)
    except CatDogError as error:
        return Judged(photo.name, photo.label, error=str(error), place=place)
    thumbnail.thumbnail((THUMBNAIL, THUMBNAIL))
    return Judged(photo.name, photo.label, comparison, thumbnail, place=place)


def _patiently(comparator: Comparator, data: bytes, stopped: threading.Event) -> tuple[Comparison, Image.Image]:
    """Judge a photo as soon as the comparator is not Busy; raises Busy after PATIENCE seconds."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return comparator.look(data)
        except Busy:
            if time.monotonic() > end or stopped.wait(PAUSE):
                raise
