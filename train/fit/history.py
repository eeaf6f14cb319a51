"""The runs behind a model, first to last, from the provenance that its spec records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from catdog.models.training_runs import origins_of, runs_behind

# Within so much of its last validation accuracy a training counts as converged.
CONVERGED = 0.01
# As `provenance.base_provenance` calls it.
RANDOM = "random weights"
FIGURES = ("accuracy", "loss", "val_accuracy", "val_loss")
# What `distill` calls the loss of the labels alone, without what the student owes the teacher.
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
    """The runs with a history that led to a model, as `runs_behind` finds them in its `training`.

    Those up to the last one on many more or fewer photos than the model's own are left out: their accuracies are of
    another task.
    """
    behind = list(runs_behind(training))
    # What is behind a file stands in a record once, maybe in another run than the one that went on from it.
    files = [origin for run in behind for origin in origins_of(run) if isinstance(origin, dict) and "sha256" in origin]
    trained = [file["sha256"] for file in files if _has_epochs(file)]
    found = [(run, rows) for run in behind if (rows := _rows(run))]
    first = max((i for i, (run, _) in enumerate(found, 1) if _is_of_others(run, found[-1][0])), default=0)
    return [Run(_title(run, trained), rows, str(run.get("hardware", ""))) for run, rows in found[first:]]


def _is_of_others(run: dict[str, Any], own: dict[str, Any]) -> bool:
    """Whether a run learned from more than a fifth more, or fewer, photos than another; not where one is unknown."""
    counts = [photos.get("train") for photos in (run.get("photos"), own.get("photos")) if isinstance(photos, dict)]
    known = [count for count in counts if isinstance(count, (int, float)) and count > 0]
    return len(known) == 2 and max(known) > 1.2 * min(known)


def convergence(chain: list[Run]) -> Convergence | None:
    """How long a chain of runs took and when it was near its end; None without validation accuracies."""
    rows = [row for run in chain for row in run.epochs]
    if not rows or "val_accuracy" not in rows[-1]:
        return None
    last = rows[-1]["val_accuracy"]
    near = next(i for i, row in enumerate(rows) if row.get("val_accuracy", 0.0) >= last - CONVERGED) + 1
    return Convergence(
        epochs=len(rows),
        seconds=sum(row["seconds"] for row in rows),
        last_accuracy=last,
        near_after_epochs=near,
        near_after_seconds=sum(row["seconds"] for row in rows[:near]),
    )


def _rows(run: dict[str, Any]) -> tuple[dict[str, float], ...]:
    """The epochs of a run; empty where none is recorded."""
    history = run.get("history")
    if not isinstance(history, list) or not all(map(_is_row, history)):
        return ()
    return tuple(_row(row, "teacher" in run) for row in history)


def _is_row(row: Any) -> bool:
    return isinstance(row, dict) and isinstance(row.get("seconds"), (int, float))


def _row(row: dict[str, Any], taught: bool) -> dict[str, float]:
    """Figures by their plain names: a model with two outputs has `probabilities_accuracy` and the like.

    The losses are those of the labels; that of training is left out where only its sum with the teacher's
    was recorded.
    """
    figures = {name: row.get(_of_labels(name), row.get(name)) for name in FIGURES}
    if taught and _of_labels("loss") not in row:
        figures |= {"loss": row.get(LABEL_LOSS), "val_loss": row.get(f"val_{LABEL_LOSS}", row.get("val_loss"))}
    numbers = {name: value for name, value in figures.items() if isinstance(value, (int, float))}
    return {"seconds": row["seconds"], "size": row.get("size", 0)} | numbers


def _of_labels(name: str) -> str:
    return f"val_probabilities_{name[4:]}" if name.startswith("val_") else f"probabilities_{name}"


def _has_epochs(origin: dict[str, Any]) -> bool:
    return any(map(_rows, runs_behind(origin)))


def _title(run: dict[str, Any], trained: list[str]) -> str:
    """In a few words; `trained` are the sha256 of files that came from epochs, as the record says elsewhere."""
    if "teacher" in run:
        return "distilled"
    base = run.get("base", RANDOM)
    if isinstance(base, dict) and (_has_epochs(base) or base.get("sha256") in trained):
        return "went on"
    return "trained" if base == RANDOM else "fine-tuned"
