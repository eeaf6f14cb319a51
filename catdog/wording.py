"""What every page says about models and their verdicts, in plain text: the same words on all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .spec import ModelSpec

if TYPE_CHECKING:
    from .compare import Comparison, Verdict

SURE = 0.7  # confidence of the default model below which a verdict is worded as a leaning

# Share of wrong answers up to which a verdict is called so.
CERTAINTIES = ((0.01, "very sure"), (0.05, "sure"), (0.2, "fairly sure"), (1.0, "unsure"))


def introduction(specs: Sequence[ModelSpec]) -> str:
    """One sentence at the top of a page."""
    if len(specs) == 1:
        return "One neural network looks at your photo and says how sure it is."
    count = {2: "Two", 3: "Three", 4: "Four"}.get(len(specs), str(len(specs)))
    return f"{count} neural networks look at your photo and answer side by side."


def agreement(comparison: Comparison, specs: Sequence[ModelSpec]) -> str:
    """Whether the models agree and on what, without a full stop."""
    verdicts = comparison.models
    if not comparison.agree:
        return "The models disagree"
    firm, label = comparison.confidence >= SURE, verdicts[0].label
    if len(verdicts) == 1:
        title = next(spec.title for spec in specs if spec.name == verdicts[0].model)
        return f"{title} {'says' if firm else 'leans towards'} {label}"
    everyone = "Both models" if len(verdicts) == 2 else f"All {len(verdicts)} models"
    return f"{everyone} {'say' if firm else 'lean towards'} {label}"


def leading(comparison: Comparison, default: ModelSpec) -> str:
    """One sentence that adds to `agreement` what the default model says; empty when it stands alone."""
    if len(comparison.models) == 1:
        return ""
    best = "Best on validation photos" if default.validation_accuracy > 0 else "Asked first"
    label = next(verdict.label for verdict in comparison.models if verdict.model == default.name)
    says = "," if comparison.agree else f" says {label},"
    return f"{best}: {default.title}{says} {percent(comparison.confidence)} sure."


def certainty(verdict: Verdict) -> str:
    """How sure a model is, in a word or two, measured by how often it errs when it is this sure."""
    error_rate = 1 - verdict.confidence if verdict.error_rate is None else verdict.error_rate
    return next(word for limit, word in CERTAINTIES if error_rate <= limit)


def sureness(verdict: Verdict) -> str:
    """One sentence on what a model's confidence is worth; empty when it was never measured."""
    if verdict.error_rate is None:
        return ""
    if verdict.error_rate > 0.4:
        return "About half of its answers this sure are wrong."
    return f"About 1 in {_rough(1 / max(verdict.error_rate, 1e-6)):,} answers this sure is wrong."


def neither(specs: Sequence[ModelSpec]) -> str:
    """What is said of a photo that is too strange for all models, without a full stop."""
    classes = list(dict.fromkeys(name for spec in specs for name in spec.classes))
    if len(classes) > 4:
        return "Probably nothing that the models know"
    names = [f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}" for name in classes]
    return f"Probably neither {' nor '.join(names)}"


def usually_right(comparison: Comparison, specs: Sequence[ModelSpec]) -> str:
    """One sentence on whom to believe when the models disagree; empty when they agree or nothing is known."""
    known = comparison.usually_right
    if known is None:
        return ""
    title = next(spec.title for spec in specs if spec.name == known["model"])
    return (
        f"When they disagree like this, {title} is most often right: on {percent(known['rate'])} "
        f"of {known['photos']:,} validation photos."
    )


def _rough(count: float) -> int:
    """A whole number to two significant digits."""
    return int(float(f"{count:.2g}"))


def facts(spec: ModelSpec) -> list[str]:
    """What is known of a model before it sees a photo, each in a few words."""
    return [*_measured(spec), readable_size(spec.bytes), f"{spec.image_size} × {spec.image_size} px"]


def percent(probability: float) -> str:
    """0..1 -> text with one decimal; what is not certain is never rounded to 0 or 100 %."""
    if 0 < probability < 0.0005:
        return "<0.1%"
    if 0.9995 <= probability < 1:
        return ">99.9%"
    return f"{probability:.1%}"


def milliseconds(value: float) -> str:
    """A duration as text, e.g. `3.1 ms`, `12 ms`."""
    return f"{value:.1f} ms" if value < 10 else f"{value:,.0f} ms"


def readable_size(size: int) -> str:
    """A size in bytes as text, e.g. `19 kB`, `1.3 MB`, `83 MB`."""
    if size < 1e6:
        return f"{size / 1e3:.0f} kB"
    return f"{size / 1e6:.0f} MB" if size >= 1e7 else f"{size / 1e6:.1f} MB"


def _measured(spec: ModelSpec) -> list[str]:
    """How often the model was right, on the first split of test and val that was measured."""
    for split, name in (("test", "test"), ("val", "validation")):
        figures = spec.metrics.get(split, {})
        if "accuracy" in figures:
            count = f"{figures['images']:,} " if isinstance(figures.get("images"), int) else ""
            return [f"Right on {percent(figures['accuracy'])} of {count}{name} photos"]
    return []
