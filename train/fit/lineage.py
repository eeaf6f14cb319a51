"""The trainings behind a model, from the record in its spec: curves for the report, sentences for the model card."""

import textwrap
from collections.abc import Iterator
from typing import Any

from catdog.models.spec import ModelSpec
from catdog.models.training_runs import Step, steps_to

# Training counts as converged once the validation accuracy is this close to its last value.
CONVERGED = 0.01
# As `provenance.beginning` records it.
RANDOM = "random weights"
FIGURES = ("accuracy", "loss", "val_accuracy", "val_loss")
# The loss of the labels alone, which `distill` records beside its total loss.
LABEL_LOSS = "label_loss"


def runs(training: Any) -> list[dict[str, Any]]:
    """Each `fit` and `distill` with recorded epochs behind a model, first to last, from the `training` of its spec.

    title     what was done, in a word or two
    epochs    one row per epoch: seconds, size of the crops in pixels and, where recorded, FIGURES
    hardware  what it ran on; empty where that is not recorded

    Runs before the last one on a data set of another size are left out: their accuracies cannot be compared.
    """
    trained: list[bool] = []  # for each step, whether it or one behind it has epochs
    found: list[tuple[dict[str, Any], dict[str, Any]]] = []
    for step in steps_to(training):
        epochs = _epochs(step.record) if step.is_run else []
        continued = bool(step.parts) and trained[step.parts[-1]]
        trained.append(bool(epochs) or any(trained[part] for part in step.parts))
        if epochs:
            run = {"title": _title(step.record, continued), "hardware": str(step.record.get("hardware", ""))}
            found.append((step.record, run | {"epochs": epochs}))
    others = [i for i, (record, _) in enumerate(found, 1) if _is_other_data(record, found[-1][0])]
    return [run for _, run in found[max(others, default=0) :]]


def convergence(chain: list[dict[str, Any]]) -> dict[str, float] | None:
    """Epochs and seconds of a chain of runs, and up to where it converged; None without validation accuracies."""
    rows = [row for run in chain for row in run["epochs"]]
    if not rows or "val_accuracy" not in rows[-1]:
        return None
    last, seconds = rows[-1]["val_accuracy"], [row["seconds"] for row in rows]
    near = next(i for i, row in enumerate(rows, 1) if row.get("val_accuracy", 0.0) >= last - CONVERGED)
    return {
        "epochs": len(rows),
        "seconds": sum(seconds),
        "last_accuracy": last,
        "near_after_epochs": near,
        "near_after_seconds": sum(seconds[:near]),
    }


def _is_other_data(run: dict[str, Any], own: dict[str, Any]) -> bool:
    """Whether the numbers of training photos of two runs differ by more than a fifth; False where one is unknown."""
    fewer, more = sorted(number(_part(one, "photos").get("train")) for one in (run, own))
    return 0 < 1.2 * fewer < more


def _title(run: dict[str, Any], continued: bool) -> str:
    if "teacher" in run:
        return "distilled"
    if continued:
        return "continued"
    return "trained" if run.get("base", RANDOM) == RANDOM else "fine-tuned"


def _epochs(run: dict[str, Any]) -> list[dict[str, float]]:
    """The recorded epochs of a run, by the names in FIGURES.

    Losses are those of the labels. The training loss is left out where only its sum with the teacher's is recorded.
    """
    history = run.get("history")
    history = history if isinstance(history, list) else []
    if not all(isinstance(row, dict) and is_number(row.get("seconds")) for row in history):
        return []
    return [_epoch(row, "teacher" in run) for row in history]


def _epoch(row: dict[str, Any], distilled: bool) -> dict[str, float]:
    # Keras names figures like `val_probabilities_loss` for a model with two outputs, which `distill` once had.
    of_labels = {key.replace("probabilities_", ""): value for key, value in row.items() if "probabilities_" in key}
    row = row | of_labels
    if distilled and "loss" not in of_labels:
        row |= {"loss": row.get(LABEL_LOSS), "val_loss": row.get(f"val_{LABEL_LOSS}", row.get("val_loss"))}
    return {"size": 0} | {name: row[name] for name in ("seconds", "size", *FIGURES) if is_number(row.get(name))}


def described(spec: ModelSpec) -> str:
    """A section of Markdown on one model: its facts, then the steps that made its weights, first to last.

    For an adopted model, whose steps nobody knows: where it is from, and how it is asked.
    """
    training = spec.training
    facts = [
        spec.title,
        f"{_count(training['parameters'])} parameters" if "parameters" in training else "",
        f"{spec.bytes / 1e6:.1f} MB",
        f"weights rounded to {training['significant_bits']} significant bits" if "significant_bits" in training else "",
    ]
    lines = [f"### {spec.name}", "", f"{', '.join(filter(None, facts))}.", ""]
    if spec.adopted:
        return "\n".join([*lines, *map(_wrapped, _adopted(training))])
    for place, step in enumerate(steps_to(training), 1):
        lines.append(_wrapped(f"{place}. {_sentence(step)}."))
        if step.is_run and step.record.get("command"):
            lines.append(f"   `{step.record['command']}`")
    return "\n".join(lines)


def _wrapped(text: str) -> str:
    return textwrap.fill(text, 120, subsequent_indent="   ", break_long_words=False, break_on_hyphens=False)


def _adopted(training: dict[str, Any]) -> Iterator[str]:
    """Where an adopted model is from, and how its input and the order of its classes were chosen."""
    file = _file({"file": training["adopted_from"], "sha256": training.get("adopted_sha256")})
    version = f"Keras {training['keras_version']}" if training.get("keras_version") else "an unknown version of Keras"
    yield (
        f"- Somebody else's model, adopted from {file}, which {version} wrote; {training.get('date', 'no date')}. Who "
        "trained it, on which photos, and under which licence it may be used is not recorded."
    )
    chosen, assumed = _part(training, "chosen_on"), training.get("assumed")
    if "photos" in chosen:
        shares = [f"{WORDS.get(name, name)} {number(share):.0%}" for name, share in _part(chosen, "agreement").items()]
        yield (
            f"- Its input and the order of its classes were chosen by the log loss on {_count(chosen['photos'])} "
            f"labelled photos. Share of resamples of these photos with the same choice: {', '.join(shares)}."
        )
    elif isinstance(assumed, list):
        yield f"- Assumed, as no labelled photos were given: {', '.join(WORDS.get(name, name) for name in assumed)}."
    if training.get("head") == "sigmoids":
        yield "- It has a sigmoid for each class. These need not add up to 1, so they are divided by their sum."


def _sentence(step: Step) -> str:
    if step.is_run and "averaged_with" in step.record:
        *others, last = (part + 1 for part in step.parts)
        return f"The mean of the weights after the steps {', '.join(map(str, others))} and {last}"
    if step.is_run:
        return _run(step.record)
    if name := _file(step.record):
        return f"Weights from {name}, of which nothing else is recorded"
    if isinstance(step.record, str):
        return step.record[:1].upper() + step.record[1:]
    return "Weights of which nothing is recorded"


def _file(origin: Any) -> str:
    """The name of a file of weights and how its sha256 begins; empty for anything else."""
    match origin:
        case {"file": name, **rest} | {"went_on_from": name, **rest}:
            sha256 = rest.get("sha256")
            return f"{name} (sha256 `{sha256[:12]}`)" if isinstance(sha256, str) else str(name)
    return ""


def _run(run: dict[str, Any]) -> str:
    """One run of `fit` or `distill`, as far as it is recorded."""
    teacher, photos, rows = run.get("teacher"), _part(run, "photos"), _epochs(run)
    if isinstance(teacher, str):
        teacher = {"file": teacher, "sha256": run.get("teacher_sha256")}
    seconds = sum(row["seconds"] for row in rows) if rows else run.get("seconds")
    parts = [
        f"Distilled from {_file(teacher)}" if _file(teacher) else "",
        f"{_count(run['epochs'])} epoch{'' if run['epochs'] == 1 else 's'}" if "epochs" in run else "",
        f"{_count(photos['train'])} training photos" if "train" in photos else "",
        str(run.get("dataset") or ""),
        _recipe(_part(run, "recipe")),
        f"{seconds / 60:.0f} minutes on {run.get('hardware', 'one machine')}" if is_number(seconds) else "",
        f"Keras {run['keras']} with {run.get('backend')}" if "keras" in run else "",
        *(str(run[key]) for key in ("precision", "date") if key in run),
    ]
    return "; ".join(filter(None, parts)) or "A run of which nothing is recorded"


# What `adopt` finds out about a model.
WORDS = {"scaling": "scaling of the pixels", "shape": "crop", "order": "order of the classes"}

# What each number of a recipe means, where it is not 0; shares as parts of a hundred.
SETTINGS = {
    "learning_rate": "AdamW with warm-up to {:g} and cosine to zero",
    "weight_decay": "weight decay {:g}",
    "batch_size": "batches of {:g}",
    "jitter": "mirroring and colour jitter of {:g} %",
    "cutmix": "CutMix of {:g} % of the photos",
    "degrade": "{:g} % of the photos degraded",
    "label_smoothing": "label smoothing {:g}",
    "ema": "moving average of the weights ({:g} per step)",
    "dropout": "dropout of {:g} before the last layer",
    "frozen_stages": "the base frozen in the first {:g} of its stages",
}


def _recipe(recipe: dict[str, Any]) -> str:
    """How a run was trained, as far as its recipe is recorded."""
    parts = []
    match recipe:
        case {"stages": [*stages], "scale": [least, *_]} if is_number(least):
            sizes = dict.fromkeys(f"{stage[0]} px" for stage in stages if isinstance(stage, list) and stage)
            parts += [f"random crops of {100 * least:g} % and more at {', then '.join(sizes)}"] if sizes else []
    for name, text in SETTINGS.items():
        if value := number(recipe.get(name)):
            parts.append(text.format(100 * value if "%" in text else value))
    parts += [f"{name} times {recipe[name]:g}" for name in ("width", "depth") if number(recipe.get(name)) not in (0, 1)]
    if is_number(recipe.get("seed")):  # which may be 0
        parts.append(f"seed {recipe['seed']}")
    return ", ".join(parts)


def _part(record: dict[str, Any], name: str) -> dict[str, Any]:
    """A part of a record that should be a dictionary; an empty one if it is not."""
    return record[name] if isinstance(record.get(name), dict) else {}


def _count(value: Any) -> str:
    """A number with commas; a question mark for anything else."""
    return f"{value:,}" if is_number(value) else "?"


def number(value: Any) -> float:
    return value if is_number(value) else 0


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
