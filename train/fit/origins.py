"""What a model is and where its weights come from, in sentences, from what `provenance` wrote into its spec."""

from __future__ import annotations

import textwrap
from typing import Any

from catdog.models.spec import ModelSpec
from train.fit.history import runs

WIDTH = 120


def described(spec: ModelSpec) -> str:
    """A section of Markdown on one model: its facts, then each step that made its weights, the first one first."""
    training = spec.training
    facts = [
        spec.title,
        f"{count(training['parameters'])} parameters" if "parameters" in training else "",
        f"{spec.bytes / 1e6:.1f} MB",
        f"weights rounded to {training['significant_bits']} significant bits" if "significant_bits" in training else "",
    ]
    lines = [f"### {spec.name}", "", f"{', '.join(filter(None, facts))}.", ""]
    for number, (step, command) in enumerate(_steps(training), 1):
        lines.append(prose(f"{number}. {step}.", "   "))
        lines += [f"   `{command}`"] if command else []
    return "\n".join(lines)


def _steps(training: dict[str, Any]) -> list[tuple[str, str]]:
    """What was done, and with which command."""
    steps: list[tuple[str, str]] = []
    _add_steps(training, steps, {})
    return steps


def _add_steps(training: dict[str, Any], steps: list[tuple[str, str]], told: dict[str, int]) -> int:
    """Append what made a model to `steps`; return the number of the last one.

    `told` is the number of the last step of each file, by its sha256, that a mean may share with others.
    """
    others = training.get("averaged_with")
    numbers = [_add_origin(other, steps, told) for other in others] if isinstance(others, list) else []
    base = _add_origin(training.get("base"), steps, told)
    if numbers:
        mean = f"The mean of the weights after the steps {', '.join(map(str, numbers))} and {base}"
        steps.append((mean, str(training.get("command") or "")))
    else:
        steps.append(_run(training))
    return len(steps)


def _add_origin(origin: Any, steps: list[tuple[str, str]], told: dict[str, int]) -> int:
    """As `_add_steps`, for what a run began with."""
    match origin:
        case {"sha256": str(sha256)} if sha256 in told:
            return told[sha256]
        case {"training": dict(earlier)} if earlier:
            last = _add_steps(earlier, steps, told)
            if isinstance(origin.get("sha256"), str):
                told[origin["sha256"]] = last
            return last
        case {"teacher": _} as distilled:  # base weights alone, as `distill` once made them
            steps.append(_run(distilled))
        case {"file": name, **rest} | {"went_on_from": name, **rest}:
            steps.append((f"Weights from {name}{_sha256(rest)}, of which nothing else is recorded", ""))
        case str(name):
            steps.append((f"{name[:1].upper()}{name[1:]}", ""))
        case _:
            steps.append(("Weights of which nothing is recorded", ""))
    return len(steps)


def _run(run: dict[str, Any]) -> tuple[str, str]:
    """One run of `fit` or `distill`; what a spec does not say is left out."""
    photos = run.get("photos")
    parts = [
        _taught(run),
        f"{count(run['epochs'])} epoch{'' if run['epochs'] == 1 else 's'}" if "epochs" in run else "",
        f"{count(photos['train'])} training photos" if isinstance(photos, dict) and "train" in photos else "",
        str(run.get("dataset") or ""),
        _methods(run),
        _duration(run),
        f"Keras {run['keras']} with {run.get('backend')}" if "keras" in run else "",
        *(str(run[key]) for key in ("precision", "date") if key in run),
    ]
    return "; ".join(filter(None, parts)) or "A run of which nothing is recorded", str(run.get("command") or "")


def _duration(run: dict[str, Any]) -> str:
    """How long it took, as the report has it, to the minute; the record of the whole is rounded to seconds."""
    epochs = runs({"history": run.get("history")})
    seconds = epochs[0].seconds if epochs else run.get("seconds")
    return f"{seconds / 60:.0f} minutes on {run.get('hardware', 'one machine')}" if is_number(seconds) else ""


def _methods(run: dict[str, Any]) -> str:
    """How it learned, as far as its recipe says: what each number means is in `trainer.Recipe`."""
    recipe = run.get("recipe")
    recipe = recipe if isinstance(recipe, dict) else {}

    def said(name: str, text: str, factor: float = 1) -> str:
        """`text` with the number of a setting, where there is one that is not 0."""
        value = recipe.get(name)
        return text.format(factor * value) if is_number(value) and value else ""

    parts = [
        _crops(recipe),
        said("learning_rate", "AdamW with warm-up to {:g} and cosine to zero"),
        said("weight_decay", "weight decay {:g}"),
        said("batch_size", "batches of {:g}"),
        said("jitter", "mirroring and colour jitter of {:g} %", 100),
        said("cutmix", "CutMix of {:g} % of the photos", 100),
        said("label_smoothing", "label smoothing {:g}"),
        said("ema", "moving average of the weights ({:g} per step)"),
        said("frozen_stages", "the base frozen in the first {:g} of its stages"),
    ]
    seed = f"seed {recipe['seed']}" if is_number(recipe.get("seed")) else ""  # 0 is one
    return ", ".join(filter(None, [*parts, seed]))


def _crops(recipe: dict[str, Any]) -> str:
    match recipe:
        case {"stages": [*stages], "scale": [least, *_]} if is_number(least):
            sizes = [f"{stage[0]} px" for stage in stages if isinstance(stage, list | tuple) and stage]
            if sizes:
                return f"random crops of {100 * least:g} % and more at {', then '.join(dict.fromkeys(sizes))}"
    return ""


def _taught(run: dict[str, Any]) -> str:
    match run.get("teacher"):
        case {"file": name, **rest}:
            return f"Distilled from {name}{_sha256(rest)}"
        case str(name):
            return f"Distilled from {name}{_sha256({'sha256': run.get('teacher_sha256')})}"
    return ""


def _sha256(origin: dict[str, Any]) -> str:
    return f" (sha256 `{origin['sha256'][:12]}`)" if isinstance(origin.get("sha256"), str) else ""


def prose(text: str, indent: str = "") -> str:
    """Text in lines of at most WIDTH characters, those after the first indented."""
    return textwrap.fill(text, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def count(value: Any) -> str:
    """A number with commas; a question mark for what is none."""
    return f"{value:,}" if is_number(value) else "?"


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
