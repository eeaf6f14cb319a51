"""The training runs that led to a model, from the record in its spec."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def runs_behind(training: Any) -> Iterator[dict[str, Any]]:
    """Yield the record of each run that led to a model, the first run first, from the `training` of its spec.

    `origins_of` a run come before it. Each is a file with the `training` behind it, or itself the record of a run. A
    file, known by its sha256, counts once. The averaging of weights is a run too, and so is a file about which nothing
    else is known.
    """
    return _runs_behind(training, set())


def _runs_behind(origin: Any, seen: set[str]) -> Iterator[dict[str, Any]]:
    run = origin.get("training", origin) if isinstance(origin, dict) else None
    if not isinstance(run, dict):
        return
    if isinstance(sha256 := origin.get("sha256"), str):
        if sha256 in seen:
            return
        seen.add(sha256)
    for earlier in origins_of(run):
        yield from _runs_behind(earlier, seen)
    yield run


def origins_of(run: dict[str, Any]) -> list[Any]:
    """The models that a run averaged, if it did, and the weights that it started from."""
    others = run.get("averaged_with")
    return [*(others if isinstance(others, list) else ()), run.get("base")]
