"""The steps that led to a model's weights, from the record of its training in its spec."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Step:
    """One step on the way to a model's weights."""

    record: Any  # of a training run or an averaging of weights; else what is known of weights from elsewhere
    is_run: bool  # whether it is a run or an averaging
    # Positions of the steps whose weights went into it: those averaged, if any, then those it started from.
    parts: tuple[int, ...] = ()


def steps_to(training: Any) -> list[Step]:
    """All steps, each after those that it builds on. A file, identified by its sha256, is listed once."""
    steps: list[Step] = []
    if isinstance(training, dict):
        _add_run(training, steps, {})
    return steps


def _add_run(run: dict[str, Any], steps: list[Step], files: dict[str, int]) -> int:
    """Append a run after all that went into it; return its position. `files` are the positions of files by sha256."""
    others = run.get("averaged_with")
    origins = [*(others if isinstance(others, list) else ()), run.get("base")]
    parts = [_add_origin(origin, steps, files) for origin in origins]
    steps.append(Step(run, True, tuple(parts)))
    return len(steps) - 1


def _add_origin(origin: Any, steps: list[Step], files: dict[str, int]) -> int:
    """As `_add_run`, for a file with the training behind it, a name, or the record of a run itself."""
    match origin:
        case {"sha256": str(sha256)} if sha256 in files:
            return files[sha256]
        case {"training": dict(run)} if run:
            position = _add_run(run, steps, files)
        case {"teacher": _} if "base" not in origin:  # distilled base weights, as they were once recorded
            steps.append(Step(origin, True))
            position = len(steps) - 1
        case dict(run) if not {"file", "went_on_from"} & run.keys():
            position = _add_run(run, steps, files)
        case weights:
            steps.append(Step(weights, False))
            return len(steps) - 1
    if isinstance(origin.get("sha256"), str):
        files[origin["sha256"]] = position
    return position
