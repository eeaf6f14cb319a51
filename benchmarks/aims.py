"""What the figures should be, and which of them are."""

from collections.abc import Mapping
from typing import Any, NamedTuple


class Aim(NamedTuple):
    """One figure beside what it should be; `value` is None where it was not measured.

    turns  of a ratio, the lowest and the highest of single turns
    """

    what: str
    wanted: str
    value: float | None
    unit: str
    met: bool | None
    turns: tuple[float, float] | None = None


def check(results: Mapping[str, Any]) -> list[Aim]:
    """Every aim that there is, in the order of the page."""
    most = max(results["serving"]["clients"], key=int)
    http, memory = results["serving"]["clients"][most], results["serving"]["peak_megabytes"]
    classify, large = results["folder"], results["large"]
    page = results["browser"] or {}
    on_ray = results.get("ray") or {"to_classify": None}
    same = page.get("agreement", {})
    changes = [figures for by_model in large["agreement"].values() for figures in by_model.values()]
    return [
        _at_least(8, "compare(), relative to the plain way", results["compare"]),
        _at_least(6, f"Flask with {most} clients, photos/s relative to the plain way", http["flask"]),
        _at_least(6, f"Gradio with {most} clients, photos/s relative to the plain way", http["gradio"]),
        _at_least(2, "classify, photos/s relative to TensorFlow in batches", classify["to_tensorflow"]),
        _at_least(0.8, "classify, photos/s relative to bare OpenVINO on decoded photos", classify["to_bare"]),
        _at_least(0.85, "classify on Ray, photos/s relative to classify on the same two cores", on_ray["to_classify"]),
        _at_most(1.5, " s", "first answer of the command line, warm start", results["start"]["warm"]),
        _at_most(500, " MB", "peak memory, Flask", memory["flask"]),
        _at_most(500, " MB", "peak memory, Gradio", memory["gradio"]),
        _at_most(60, " ms", "compare() of a photo of 12 megapixels, median", large["compare"]["catdog"]["p50"]),
        _at_most(0.02, "", "probability moved by reduced decoding", max(row["largest_change"] for row in changes)),
        _at_most(0, "", "labels changed by reduced decoding", sum(row["labels_changed"] for row in changes)),
        _at_most(3, " s", "static page, first answer after opening it with an empty cache", page.get("first")),
        _at_most(10, " s", "static page, answers of all models", page.get("all")),
        _at_most(600, " ms", "static page, a further photo on one thread", page.get("photo")),
        _at_most(200, " kB", "static page without models and runtime", _times(1e-3, page.get("page_bytes"))),
        _at_most(28, " MB", "models of the static page", _times(1e-6, page.get("models_bytes"))),
        _at_most(0.02, "", "static page, difference of a probability from Python's", same.get("largest_change")),
        _at_most(0, "", "static page, labels and verdicts that differ", same.get("labels_changed")),
    ]


def _times(factor: float, value: float | None) -> float | None:
    return None if value is None else factor * value


def _at_least(least: float, what: str, figures: Mapping[str, float] | None) -> Aim:
    if figures is None:
        return Aim(what, f"at least {least:g}×", None, "×", None)
    ratio, turns = figures["ratio"], (figures["lowest"], figures["highest"])
    return Aim(what, f"at least {least:g}×", ratio, "×", ratio >= least, turns)


def _at_most(most: float, unit: str, what: str, value: float | None) -> Aim:
    return Aim(what, f"at most {most:g}{unit}", value, unit, None if value is None else value <= most)
