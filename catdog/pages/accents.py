"""The accents of the pages: names for the colours in verdicts.css and for the drawings in templates/icons."""

from __future__ import annotations

from collections.abc import Sequence

from catdog.models.spec import ModelSpec, classes_of
from catdog.verdict import Comparison
from catdog.wording import is_neither


def accent(label: str, classes: Sequence[str]) -> str:
    """The accent of a class: its own for cats and dogs, one of three for others."""
    known = {"cat": "cat", "cats": "cat", "dog": "dog", "dogs": "dog"}
    return known.get(label.lower()) or f"other-{list(classes).index(label) % 3}"


def accent_of(comparison: Comparison, specs: Sequence[ModelSpec]) -> str:
    """The accent of a comparison: `neither`, the accent of the class, or `split` when the models disagree."""
    if is_neither(comparison):
        return "neither"
    return accent(comparison.models[0].label, classes_of(specs)) if comparison.agree else "split"
