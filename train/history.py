"""The runs behind a model, first to last, from the provenance that its spec records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

# Within so much of its last validation accuracy a training counts as converged.
NEAR = 0.01
# As `provenance.base_provenance` calls it.
RANDOM = "random weights"
FIGURES = ("accuracy", "loss", "val_accuracy", "val_loss")
# What `distill` calls the loss of the labels alone, without that of the teacher's features.
LABEL_LOSS = "label_loss"


@dataclass(frozen=True)
class Run:
    """One `fit` or `distill`.

    title    what was done, in a few words
    epochs   one row per epoch with seconds, size of the crops and, where recorded, FIGURES
    """

    title: str
    epochs: tuple[dict[str, float], ...]
    hardware: str = ""

    @property
    def seconds(self) -> float:
        return sum(row["seconds"] for row in self.epochs)


@dataclass(frozen=True)
class Convergence:
    """Epochs and seconds of all runs together, and those until validation accuracy was near its last value."""

    epochs: int
    seconds: float
    last_accuracy: float
    near_after_epochs: int
    near_after_seconds: float


def runs(training: Any) -> list[Run]:
    """The chain of runs that led to a model, first to last; empty where none is recorded.

    `training` is that of a spec. What a run began with is its `base`: a file with the `training`
    behind it, or the record of a run itself. Of a mean of several models, the runs of all of them,
    each once.
    """
    return _runs(training, set())


def _runs(training: Any, seen: set[str]) -> list[Run]:
    """As `runs`, without those behind files whose sha256 was `seen`, to which these are added."""
    if not isinstance(training, dict):
        return []
    base = training.get("base")
    others = training.get("averaged_with")
    earlier: list[Run] = []
    for origin in [*(others if isinstance(others, list) else []), base]:
        if isinstance(origin, dict) and origin.get("sha256") not in seen:
            seen |= {sha256} if isinstance(sha256 := origin.get("sha256"), str) else set()
            earlier += _runs(origin.get("training", origin), seen)
    history = training.get("history")
    is_history = isinstance(history, list) and all(map(_is_row, history))
    rows = tuple(_row(row, "teacher" in training) for row in history) if is_history else ()
    went_on = isinstance(base, dict) and bool(_runs(base.get("training", base), set()))
    return [*earlier, Run(_title(training, went_on), rows, str(training.get("hardware", "")))] if rows else earlier


def convergence(chain: list[Run]) -> Convergence | None:
    """How long a chain of runs took and when it was near its end; None without validation accuracies."""
    rows = [row for run in chain for row in run.epochs]
    if not rows or "val_accuracy" not in rows[-1]:
        return None
    last = rows[-1]["val_accuracy"]
    near = next(i for i, row in enumerate(rows) if row.get("val_accuracy", 0.0) >= last - NEAR) + 1
    return Convergence(
        epochs=len(rows),
        seconds=sum(row["seconds"] for row in rows),
        last_accuracy=last,
        near_after_epochs=near,
        near_after_seconds=sum(row["seconds"] for row in rows[:near]),
    )


def _is_row(row: Any) -> bool:
    return isinstance(row, dict) and isinstance(row.get("seconds"), (int, float))


def _row(row: dict[str, Any], taught: bool) -> dict[str, float]:
    """Figures by their plain names: a model with two outputs has `probabilities_accuracy` and the like.

    The loss is that of the labels, and left out where only its sum with the teacher's was recorded.
    """
    figures = {name: row.get(_of_labels(name), row.get(name)) for name in FIGURES}
    if taught and _of_labels("loss") not in row:
        figures["loss"] = row.get(LABEL_LOSS)
    numbers = {name: value for name, value in figures.items() if isinstance(value, (int, float))}
    return {"seconds": row["seconds"], "size": row.get("size", 0)} | numbers


def _of_labels(name: str) -> str:
    return f"val_probabilities_{name[4:]}" if name.startswith("val_") else f"probabilities_{name}"


def _title(training: dict[str, Any], goes_on: bool) -> str:
    if "teacher" in training:
        return "distilled"
    if goes_on:
        return "went on"
    return "trained" if training.get("base", RANDOM) == RANDOM else "fine-tuned"
