"""How much is measured, on which photos."""

import itertools
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from .processes import ROOT

Result = TypeVar("Result")

EXAMPLES = sorted((ROOT / "examples").glob("*.jpg"))


@dataclass(frozen=True)
class Plan:
    """Numbers of repetitions.

    rounds          turns of each side of a comparison; short ones, because a machine's speed changes by the minute
    photos          calls of compare() per turn, a multiple of the number of examples, so that turns are alike
    requests        HTTP requests per turn and client, likewise
    clients         how many ask a server at once
    starts          processes started per kind
    folder          photos that are classified per turn: many, as starting counts
    folder_rounds   turns of a folder
    ray             photos that are classified on Ray per turn
    ray_rounds      turns of them
    large           photos that are enlarged to compare ways to decode them: those whose answers may move most
    megapixels      of a large photo
    browser_photos  photos on which the static page is compared with Python
    """

    rounds: int = 6
    photos: int = 30
    requests: int = 10
    clients: tuple[int, ...] = (1, 4, 16)
    starts: int = 5
    folder: int = 1000
    folder_rounds: int = 5
    ray: int = 1000
    ray_rounds: int = 3
    large: int = 200
    megapixels: float = 12
    browser_photos: int = 100


QUICK = Plan(
    rounds=1, photos=2, requests=1, clients=(1, 2), starts=1, folder=8, folder_rounds=1, ray=8, ray_rounds=1, large=2,
    megapixels=2, browser_photos=2,
)  # fmt: skip


def in_turns(rounds: int, sides: Mapping[str, Callable[[], Result]]) -> dict[str, list[Result]]:
    """What each side returned in each round. Other work on the machine hits all sides alike."""
    results: dict[str, list[Result]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, run in sides.items():
            results[name].append(run())
    return results


def versus(values: Sequence[float], others: Sequence[float]) -> dict[str, float]:
    """Values divided by the others, turn by turn: the median as `ratio`, the `lowest` and the `highest`."""
    ratios = [value / other for value, other in zip(values, others, strict=True)]
    return {"ratio": statistics.median(ratios), "lowest": min(ratios), "highest": max(ratios)}


def milliseconds(seconds: Sequence[float]) -> dict[str, float]:
    """Percentiles of durations."""
    p50, p95, p99 = (float(value) * 1000 for value in np.percentile(seconds, [50, 95, 99]))
    return {"p50": p50, "p95": p95, "p99": p99, "count": len(seconds)}


def times(judge: Callable[[bytes], Any], photos: Sequence[bytes], count: int) -> list[float]:
    """Seconds that each of `count` photos took, one after the other, encoded bytes to answer; repeated if too few."""
    seconds = []
    for photo in itertools.islice(itertools.cycle(photos), count):
        start = time.perf_counter()
        judge(photo)
        seconds.append(time.perf_counter() - start)
    return seconds


def some(photos: Sequence[Path], count: int) -> list[str]:
    """So many photos, evenly spaced; repeated if there are too few."""
    if len(photos) >= count:
        return [str(photos[i * len(photos) // count]) for i in range(count)]
    return [str(path) for path in itertools.islice(itertools.cycle(photos), count)]
