"""`classify --on ray` beside plain `classify` on the same two cores, and one worker beside two."""

import datetime
import itertools
import os
import statistics
import tempfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from .folder_speed import classify, copied
from .plan import Plan, in_turns, versus


def measure(plan: Plan, photos: list[Path], environment: Mapping[str, str]) -> dict[str, Any] | None:
    """Photos per second, from the first photo to the last row; None where Ray or a second core is missing.

    classify  plain, on two cores
    two       workers on Ray, of one thread each, on the same two cores
    one       worker, of one thread, on one of them

    The medians of all turns, and `versus`: `to_classify` of two workers, `scaling` from one to two.
    """
    cores = sorted(os.sched_getaffinity(0))[:2] if hasattr(os, "sched_getaffinity") else []
    if find_spec("ray") is None or len(cores) < 2:
        return None
    with tempfile.TemporaryDirectory() as folder:
        files = copied(photos, plan.ray, Path(folder) / "photos")
        runs = itertools.count()

        def side(cores: list[int], *options: str) -> float:
            out = Path(folder) / f"{next(runs)}{'' if options else '.csv'}"
            return classify(files[0].parent, out, environment, len(files), *options, cores=cores)

        turns = in_turns(plan.ray_rounds, {
            "classify": lambda: side(cores),
            "two": lambda: side(cores, "--on", "ray"),
            "one": lambda: side(cores[:1], "--on", "ray"),
        })  # fmt: skip
    return {
        **{name: statistics.median(rates) for name, rates in turns.items()},
        "to_classify": versus(turns["two"], turns["classify"]),
        "scaling": versus(turns["two"], turns["one"]),
        "photos": len(files),
        "turns": plan.ray_rounds,
        "date": datetime.date.today().isoformat(),
    }
