"""What a model is and where its weights come from, in sentences, from what `provenance` wrote into its spec."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

from catdog.spec import ModelSpec

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


def _steps(training: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What was done, and with which command."""
    match training.get("base"):
        case {"training": dict(earlier)} if earlier:
            yield from _steps(earlier)
        case {"teacher": _} as distilled:  # base weights alone, as `distill` once made them
            yield _run(distilled)
        case {"file": name, **rest} | {"went_on_from": name, **rest}:
            yield f"Weights from {name}{_sha256(rest)}, of which nothing else is recorded", ""
        case str(name):
            yield f"{name[:1].upper()}{name[1:]}", ""
        case _:
            yield "Weights of which nothing is recorded", ""
    yield _run(training)


def _run(run: dict[str, Any]) -> tuple[str, str]:
    """One run of `fit` or `distill`; what a spec does not say is left out."""
    photos = run.get("photos")
    parts = [
        _taught(run),
        f"{count(run['epochs'])} epoch{'' if run['epochs'] == 1 else 's'}" if "epochs" in run else "",
        f"{count(photos['train'])} training photos" if isinstance(photos, dict) and "train" in photos else "",
        str(run.get("dataset") or ""),
        f"{run['seconds'] / 60:.0f} minutes on {run.get('hardware', 'one machine')}"
        if is_number(run.get("seconds"))
        else "",
        f"Keras {run['keras']} with {run.get('backend')}" if "keras" in run else "",
        *(str(run[key]) for key in ("precision", "date") if key in run),
    ]
    return "; ".join(filter(None, parts)) or "A run of which nothing is recorded", str(run.get("command") or "")


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
