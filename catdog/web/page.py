"""What the page says in words and numbers about models and their verdicts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..spec import ModelSpec

if TYPE_CHECKING:
    from ..compare import Comparison

SPLITS = {"test": "test", "val": "validation"}


def percent(probability: float) -> str:
    """A probability 0..1 with one decimal; what is not certain is never rounded to 0 or 100 %."""
    if 0 < probability < 0.0005:
        return "<0.1%"
    if 0.9995 <= probability < 1:
        return ">99.9%"
    return f"{probability:.1%}"


def readable_size(size: int) -> str:
    """A size in bytes for people, e.g. `83 MB`, `1.3 MB`, `19 kB`."""
    if size < 1e6:
        return f"{size / 1e3:.0f} kB"
    return f"{size / 1e6:.0f} MB" if size >= 1e7 else f"{size / 1e6:.1f} MB"


def facts(spec: ModelSpec) -> list[str]:
    """What is known of a model before it sees a photo, each in a few words."""
    return [
        *_measured(spec),
        readable_size(spec.bytes),
        f"{spec.image_size} × {spec.image_size} px",
    ]


def summary(comparison: Comparison, specs: tuple[ModelSpec, ...], default: ModelSpec) -> str:
    """One sentence or two: whether the models agree and on what."""
    titles = {spec.name: spec.title for spec in specs}
    verdicts = comparison.models
    if len(verdicts) == 1:
        return f"{titles[verdicts[0].model]} says {verdicts[0].label}."
    if comparison.agree:
        everyone = "Both models" if len(verdicts) == 2 else f"All {len(verdicts)} models"
        return f"{everyone} say {verdicts[0].label}."
    leading = next(verdict for verdict in verdicts if verdict.model == default.name)
    return f"The models disagree. {default.title}, which leads, says {leading.label}."


def _measured(spec: ModelSpec) -> list[str]:
    """Accuracy on the first split of SPLITS that was measured."""
    for split, title in SPLITS.items():
        figures = spec.metrics.get(split)
        if isinstance(figures, dict) and isinstance(figures.get("accuracy"), (int, float)):
            count = f"{figures['images']:,} " if isinstance(figures.get("images"), int) else ""
            return [f"{figures['accuracy']:.1%} right on {count}{title} photos"]
    return []
