"""Which drawings the reports have, made from answers and figures by `plots`.

A drawing that there is nothing for is removed from the folder: it would be an earlier report's.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from catdog.comparator import Comparator
from catdog.pages.overlay import overlay, scale_of
from catdog.wording import percent
from train.data.photo_cache import read
from train.fit import lineage
from train.folders import save_all
from train.measure import across_models
from train.measure.answers import Answers
from train.measure.metrics import calibration_bins
from train.measure.robustness import AS_THEY_ARE, CONDITIONS
from train.report import plots
from train.report.report_files import SHOWN

MAPPED = 4  # photos with their heat maps


def of_report(answers: Answers, found: Mapping[str, Any], out: Path) -> list[str]:
    """Write the drawings of `report` to `out` and return their names; `found` are the figures of these answers."""
    return save_all(_of_report(answers, found), out, plots.save)


def of_insight(
    figures: Mapping[str, Any],
    refusals: Mapping[str, Sequence[float]],
    comparator: Comparator,
    sample: Sequence[Path],
    out: Path,
) -> None:
    """Write the drawings of `insight` to `out`; the arguments are those of `insight_figures` and what it returns."""
    measured, levels, neither = figures["heat_maps"], figures["sureness"], figures["neither"]
    drawings = {
        "maps.png": plots.gallery(list(_maps(comparator, sample)), columns=1 + len(comparator.models)),
        "faithfulness.png": plots.faithfulness(measured) if measured else None,
        "sureness.png": plots.error_rates(levels) if levels else None,
        "neither.png": plots.refusals(refusals, neither["decided_by"]) if neither["rules"] else None,
    }
    save_all(drawings.items(), out, plots.save)


def _of_report(answers: Answers, found: Mapping[str, Any]) -> Iterator[tuple[str, Figure | None]]:
    """All that a report may have, with None for what this one has nothing to draw for."""
    titles, labels = answers.titles, answers.split.labels
    models = {titles[name]: model for name, model in found["models"].items()}
    confusions = {title: model["figures"]["confusion"] for title, model in models.items()}
    yield "confusion.png", plots.confusion(confusions, answers.split.classes)

    bins = {
        title: (calibration_bins(answers.outputs[name], labels), calibration_bins(answers.probabilities[name], labels))
        for name, title in titles.items()
    }
    yield "reliability.png", plots.reliability(bins, len(answers.split.classes))

    yield "robustness.png", plots.robustness({title: dict(_under_conditions(model)) for title, model in models.items()})
    photo = read(answers.split.paths[0])
    changed = (plots.Tile(condition.change(photo), condition.title) for condition in CONDITIONS.values())
    yield "conditions.jpg", plots.gallery([plots.Tile(photo, AS_THEY_ARE.title), *changed], columns=1 + len(CONDITIONS))

    chains = {titles[spec.name]: lineage.runs(spec.training) for spec in answers.specs}
    known = all(chains.values())
    yield "curves.png", plots.curves(chains) if known else None
    yield "convergence.png", plots.convergence(chains) if known else None

    spread = np.unique(np.linspace(0, len(labels) - 1, SHOWN).astype(int))
    yield "samples.jpg", plots.gallery(list(_answered(answers, spread)))
    suspected = across_models.suspected(answers.probabilities, labels)
    worst = across_models.worst(answers.probabilities, labels)
    for name, chosen in (("suspected-labels.jpg", suspected[worst]), ("mistakes.jpg", ~suspected[worst])):
        yield name, plots.gallery(list(_answered(answers, worst[chosen][:SHOWN]))) if chosen.any() else None


def _under_conditions(model: Mapping[str, Any]) -> Iterator[tuple[str, tuple[float, float, float]]]:
    """Title of a condition and accuracy with interval, first of the photos as they are."""
    figures = model["figures"]
    yield AS_THEY_ARE.title, (figures["accuracy"], *figures["accuracy_interval"])
    for name, measured in model["conditions"].items():
        yield CONDITIONS[name].title, (measured["accuracy"], *measured["interval"])


def _answered(answers: Answers, photos: Iterable[int]) -> Iterator[plots.Tile]:
    """Photos with their labels and the answer of every model."""
    classes = answers.split.classes
    for index in photos:
        label = int(answers.split.labels[index])
        lines = [(f"label: {classes[label]}", plots.INK)]
        for name, rows in answers.probabilities.items():
            best = int(rows[index].argmax())
            mark, colour = ("✓", plots.RIGHT) if best == label else ("✗", plots.WRONG)
            lines.append((f"{mark} {answers.titles[name]}: {classes[best]} {percent(rows[index, best])}", colour))
        path = answers.split.paths[index]
        yield plots.Tile(read(path), _printable(path), tuple(lines))


def _maps(comparator: Comparator, sample: Sequence[Path]) -> Iterator[plots.Tile]:
    """Photos, each with every model's map on one scale; those on which the models disagree come first."""
    compared = [(comparator.look(path, explain=True), path) for path in sample]
    for (comparison, image), path in sorted(compared, key=lambda entry: entry[0][0].agree)[:MAPPED]:
        yield plots.Tile(image, _printable(path))
        scale = scale_of(verdict.heatmap for verdict in comparison.models)
        for verdict in comparison.models:
            resize = comparator.models[verdict.model].spec.resize
            drawn = overlay(image, verdict.heatmap, scale, resize=resize) if verdict.heatmap else image
            yield plots.Tile(drawn, f"{verdict.model}: {verdict.label} {percent(verdict.confidence)}")


def _printable(path: Path) -> str:
    """The name of a file; a byte of it that is no character becomes a question mark in a box."""
    return os.fsencode(path.name).decode(errors="replace")
