"""A folder of photos: `python -m catdog classify` beside TensorFlow in batches and beside OpenVINO alone."""

import itertools
import json
import os
import shlex
import statistics
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .plan import Plan, in_turns, some, versus
from .processes import PATIENCE, Failed, python, started
from .worker import Worker


def measure(
    plan: Plan, catdog: Worker, plain: Worker, photos: list[Path], environment: Mapping[str, str]
) -> dict[str, Any]:
    """Photos per second of each way, all models asked about each photo; files to answers, but for the last two.

    The medians of all turns, and `versus` of classify to the others. Raises Failed when the command does.

    classify     the command, as it says itself: from the start of the walk to the last row
    tensorflow   in batches of 32, decoded by threads meanwhile; the models loaded before
    bare         the converted models as OpenVINO runs them by itself, on photos decoded before
    engines      what catdog runs first, on the same photos, none asked about again in float32
    """
    with tempfile.TemporaryDirectory() as folder:
        files = copied(photos, plan.folder, Path(folder) / "photos")
        paths, runs = [str(file) for file in files], itertools.count()

        def command() -> float:
            out = Path(folder) / f"{next(runs)}.csv"
            return classify(files[0].parent, out, environment, len(paths))

        # What takes longest comes last: the others are compared with classify, and follow it at once.
        sides = {
            "classify": command,
            "bare": lambda: len(paths) / catdog.ask("bare", photos=paths),
            "engines": lambda: len(paths) / catdog.ask("engines", photos=paths),
            "tensorflow": lambda: len(paths) / plain.ask("batches", photos=paths),
        }
        catdog.ask("bare", photos=paths)  # decodes, and warms up
        turns = in_turns(plan.folder_rounds, sides)
    figures = {name: statistics.median(rates) for name, rates in turns.items()}
    ratios = {f"to_{name}": versus(turns["classify"], rates) for name, rates in turns.items() if name != "classify"}
    return {**figures, **ratios, "photos": len(paths)}


def copied(photos: list[Path], count: int, folder: Path) -> list[Path]:
    """Copy so many of the photos, or some repeatedly, to a new folder."""
    chosen = some(photos, count)
    files = [folder / f"{i:06}{Path(photo).suffix}" for i, photo in enumerate(chosen)]
    folder.mkdir()
    for file, photo in zip(files, chosen, strict=True):
        file.write_bytes(Path(photo).read_bytes())
    return files


def classify(
    folder: Path, out: Path, environment: Mapping[str, str], count: int, *options: str, cores: Sequence[int] = ()
) -> float:
    """Photos per second as the command says, on some cores or all."""
    command = python("-m", "catdog", "classify", folder, "--out", out, "--json", *options)
    with started(command, environment, stdout=subprocess.PIPE) as process:
        if cores:  # before it has started a thread or process
            os.sched_setaffinity(process.pid, cores)
        printed, _ = process.communicate(timeout=PATIENCE)
    if process.returncode:
        raise Failed(f"{shlex.join(command)} ended with {process.returncode}.")
    summary = json.loads(printed.splitlines()[-1])
    if summary["photos"] != count:
        raise Failed(f"classify gave rows of {summary['photos']} photos, of {count}.")
    return summary["photos_per_second"]
