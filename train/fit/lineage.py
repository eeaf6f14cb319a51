"""The trainings behind a model, from the record in its spec: curves for the report, sentences for the model card."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import Any

from catdog.models.spec import ModelSpec
from catdog.models.training_runs import Step, steps_to

# Training counts as converged once the validation accuracy is this close to its last value.
CONVERGED = 0.01
# As `provenance.base_provenance` records it.
RANDOM = "random weights"
FIGURES = ("accuracy", "loss", "val_accuracy", "val_loss")
# The loss of the labels alone, which `distill` records beside its total loss.
LABEL_LOSS = "label_loss"
WIDTH = 120


@dataclass(frozen=True)
class Run:
    """One `fit` or `distill`.

    title     what was done, in a word or two
    epochs    one row per epoch: seconds, size of the crops in pixels and, where recorded, FIGURES
    hardware  what it ran on
    """

    title: str
    epochs: tuple[dict[str, float], ...]
    hardware: str = ""

    @property
    def seconds(self) -> float:
        return sum(row["seconds"] for row in self.epochs)


@dataclass(frozen=True)
class Convergence:
    """Epochs and seconds of all runs together, and up to the point of convergence."""

    epochs: int
    seconds: float
    last_accuracy: float
    near_after_epochs: int
    near_after_seconds: float


def runs(training: Any) -> list[Run]:
    """The runs with recorded epochs behind a model, first to last, from the `training` of its spec.

    Runs before the last one on a data set of another size are left out: their accuracies cannot be compared.
    """
    steps = steps_to(training)
    rows = [_rows(step.record) if step.is_run else () for step in steps]
    trained: list[bool] = []  # for each step, whether it or one behind it has epochs
    for step, own in zip(steps, rows, strict=True):
        trained.append(bool(own) or any(trained[part] for part in step.parts))
    found = [(step, own) for step, own in zip(steps, rows, strict=True) if own]
    others = [i for i, (step, _) in enumerate(found, 1) if _is_other_data(step.record, found[-1][0].record)]
    return [
        Run(_title(step, bool(step.parts) and trained[step.parts[-1]]), own, str(step.record.get("hardware", "")))
        for step, own in found[max(others, default=0) :]
    ]


def convergence(chain: list[Run]) -> Convergence | None:
    """When a chain of runs converged; None without validation accuracies."""
    rows = [row for run in chain for row in run.epochs]
    if not rows or "val_accuracy" not in rows[-1]:
        return None
    last = rows[-1]["val_accuracy"]
    near = next(i for i, row in enumerate(rows) if row.get("val_accuracy", 0.0) >= last - CONVERGED) + 1
    seconds = [row["seconds"] for row in rows]
    return Convergence(len(rows), sum(seconds), last, near, sum(seconds[:near]))


def _is_other_data(run: dict[str, Any], own: dict[str, Any]) -> bool:
    """Whether the numbers of training photos of two runs differ by more than a fifth; False where one is unknown."""
    counts = [photos.get("train") for photos in (run.get("photos"), own.get("photos")) if isinstance(photos, dict)]
    known = [count for count in counts if is_number(count) and count > 0]
    return len(known) == 2 and max(known) > 1.2 * min(known)


def _title(step: Step, continued: bool) -> str:
    if "teacher" in step.record:
        return "distilled"
    if continued:
        return "went on"
    return "trained" if step.record.get("base", RANDOM) == RANDOM else "fine-tuned"


def _rows(run: dict[str, Any]) -> tuple[dict[str, float], ...]:
    """The recorded epochs of a run."""
    history = run.get("history")
    if not isinstance(history, list) or not all(
        isinstance(row, dict) and is_number(row.get("seconds")) for row in history
    ):
        return ()
    return tuple(_row(row, "teacher" in run) for row in history)


def _row(row: dict[str, Any], distilled: bool) -> dict[str, float]:
    """One epoch by the names in FIGURES; Keras calls them `probabilities_accuracy` etc. for a model with two outputs.

    Losses are those of the labels. The training loss is left out where only its sum with the teacher's is recorded.
    """
    figures = {name: row.get(_of_labels(name), row.get(name)) for name in FIGURES}
    if distilled and _of_labels("loss") not in row:
        figures |= {"loss": row.get(LABEL_LOSS), "val_loss": row.get(f"val_{LABEL_LOSS}", row.get("val_loss"))}
    numbers = {name: value for name, value in figures.items() if is_number(value)}
    return {"seconds": row["seconds"], "size": row.get("size", 0)} | numbers


def _of_labels(name: str) -> str:
    return f"val_probabilities_{name[4:]}" if name.startswith("val_") else f"probabilities_{name}"


# In sentences


def described(spec: ModelSpec) -> str:
    """A section of Markdown on one model: its facts, then the steps that made its weights, first to last."""
    training = spec.training
    facts = [
        spec.title,
        f"{count(training['parameters'])} parameters" if "parameters" in training else "",
        f"{spec.bytes / 1e6:.1f} MB",
        f"weights rounded to {training['significant_bits']} significant bits" if "significant_bits" in training else "",
    ]
    lines = [f"### {spec.name}", "", f"{', '.join(filter(None, facts))}.", ""]
    for number, step in enumerate(steps_to(training), 1):
        lines.append(prose(f"{number}. {_sentence(step)}.", "   "))
        if step.is_run and step.record.get("command"):
            lines.append(f"   `{step.record['command']}`")
    return "\n".join(lines)


def _sentence(step: Step) -> str:
    if step.is_run and "averaged_with" in step.record:
        *others, last = (part + 1 for part in step.parts)
        return f"The mean of the weights after the steps {', '.join(map(str, others))} and {last}"
    if step.is_run:
        return _run(step.record)
    match step.record:
        case {"file": name, **rest} | {"went_on_from": name, **rest}:
            return f"Weights from {name}{_sha256(rest)}, of which nothing else is recorded"
        case str(name):
            return f"{name[:1].upper()}{name[1:]}"
    return "Weights of which nothing is recorded"


def _run(run: dict[str, Any]) -> str:
    """One run of `fit` or `distill`, as far as it is recorded."""
    photos = run.get("photos")
    parts = [
        _distilled_from(run),
        f"{count(run['epochs'])} epoch{'' if run['epochs'] == 1 else 's'}" if "epochs" in run else "",
        f"{count(photos['train'])} training photos" if isinstance(photos, dict) and "train" in photos else "",
        str(run.get("dataset") or ""),
        _recipe(run),
        _duration(run),
        f"Keras {run['keras']} with {run.get('backend')}" if "keras" in run else "",
        *(str(run[key]) for key in ("precision", "date") if key in run),
    ]
    return "; ".join(filter(None, parts)) or "A run of which nothing is recorded"


def _duration(run: dict[str, Any]) -> str:
    """How long a run took, in minutes: the sum of its epochs, or else the recorded total."""
    rows = _rows(run)
    seconds = sum(row["seconds"] for row in rows) if rows else run.get("seconds")
    return f"{seconds / 60:.0f} minutes on {run.get('hardware', 'one machine')}" if is_number(seconds) else ""


def _recipe(run: dict[str, Any]) -> str:
    """How a run was trained, as far as its recipe is recorded; `Recipe` explains each number."""
    recipe = run.get("recipe")
    recipe = recipe if isinstance(recipe, dict) else {}

    def setting(name: str, text: str, factor: float = 1) -> str:
        """`text` with the number of a setting; empty where that is 0 or not recorded."""
        value = recipe.get(name)
        return text.format(factor * value) if is_number(value) and value else ""

    parts = [
        _crops(recipe),
        setting("learning_rate", "AdamW with warm-up to {:g} and cosine to zero"),
        setting("weight_decay", "weight decay {:g}"),
        setting("batch_size", "batches of {:g}"),
        setting("jitter", "mirroring and colour jitter of {:g} %", 100),
        setting("cutmix", "CutMix of {:g} % of the photos", 100),
        setting("degrade", "{:g} % of the photos degraded", 100),
        setting("label_smoothing", "label smoothing {:g}"),
        setting("ema", "moving average of the weights ({:g} per step)"),
        setting("frozen_stages", "the base frozen in the first {:g} of its stages"),
    ]
    seed = f"seed {recipe['seed']}" if is_number(recipe.get("seed")) else ""  # which may be 0
    return ", ".join(filter(None, [*parts, seed]))


def _crops(recipe: dict[str, Any]) -> str:
    match recipe:
        case {"stages": [*stages], "scale": [least, *_]} if is_number(least):
            sizes = [f"{stage[0]} px" for stage in stages if isinstance(stage, list | tuple) and stage]
            if sizes:
                return f"random crops of {100 * least:g} % and more at {', then '.join(dict.fromkeys(sizes))}"
    return ""


def _distilled_from(run: dict[str, Any]) -> str:
    match run.get("teacher"):
        case {"file": name, **rest}:
            return f"Distilled from {name}{_sha256(rest)}"
        case str(name):
            return f"Distilled from {name}{_sha256({'sha256': run.get('teacher_sha256')})}"
    return ""


def _sha256(origin: dict[str, Any]) -> str:
    return f" (sha256 `{origin['sha256'][:12]}`)" if isinstance(origin.get("sha256"), str) else ""


def prose(text: str, indent: str = "") -> str:
    """Text in lines of at most WIDTH characters; lines after the first are indented."""
    return textwrap.fill(text, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def count(value: Any) -> str:
    """A number with commas; a question mark for anything else."""
    return f"{value:,}" if is_number(value) else "?"


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
