"""Which drawings a report has, made from its answers and its figures."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from catdog.wording import percent
from train.data.dataset import read
from train.fit import lineage
from train.folders import save_all
from train.measure import mistakes
from train.measure.answers import Answers
from train.measure.robustness import AS_THEY_ARE, CONDITIONS
from train.measure.statistics import calibration_bins
from train.report import plots

SHOWN = 12  # photos of a kind


def draw(answers: Answers, found: dict[str, Any], out: Path) -> list[str]:
    """Write all drawings to `out`; return their file names. `found` is what `findings` made of the answers.

    A drawing that there is nothing for is removed: it would be an earlier report's.
    """
    return save_all(_drawings(answers, found), out, plots.save)


def _drawings(answers: Answers, found: dict[str, Any]) -> Iterator[tuple[str, Figure | None]]:
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

    under = {title: dict(_under_conditions(model)) for title, model in models.items()}
    yield "robustness.png", plots.robustness(under)
    photo = read(answers.split.paths[0])
    changed = (plots.Tile(condition.change(photo), condition.title) for condition in CONDITIONS.values())
    yield "conditions.jpg", plots.gallery([plots.Tile(photo, AS_THEY_ARE.title), *changed], columns=1 + len(CONDITIONS))

    chains = {answers.titles[spec.name]: lineage.runs(spec.training) for spec in answers.specs}
    known = all(chains.values())
    yield "curves.png", plots.curves(chains) if known else None
    yield "convergence.png", plots.convergence(chains) if known else None

    spread = np.unique(np.linspace(0, len(labels) - 1, SHOWN).astype(int))
    yield "samples.jpg", plots.gallery(list(_tiles(answers, spread)))
    suspected = mistakes.suspected(answers.probabilities, labels)
    worst = mistakes.worst(answers.probabilities, labels)
    for name, chosen in (("suspected-labels.jpg", suspected[worst]), ("mistakes.jpg", ~suspected[worst])):
        yield name, plots.gallery(list(_tiles(answers, worst[chosen][:SHOWN]))) if chosen.any() else None


def _under_conditions(model: dict[str, Any]) -> Iterator[tuple[str, tuple[float, float, float]]]:
    """Title of a condition and accuracy with interval, first of the photos as they are."""
    figures = model["figures"]
    yield AS_THEY_ARE.title, (figures["accuracy"], *figures["accuracy_interval"])
    for name, measured in model["conditions"].items():
        yield CONDITIONS[name].title, (measured["accuracy"], *measured["interval"])


def _tiles(answers: Answers, photos: Iterable[int]) -> Iterator[plots.Tile]:
    classes = answers.split.classes
    for index in photos:
        label = int(answers.split.labels[index])
        lines = [(f"label: {classes[label]}", plots.INK)]
        for name, rows in answers.probabilities.items():
            best = int(rows[index].argmax())
            mark, colour = ("✓", plots.RIGHT) if best == label else ("✗", plots.WRONG)
            said = f"{mark} {answers.titles[name]}: {classes[best]} {percent(rows[index, best])}"
            lines.append((said, colour))
        path = answers.split.paths[index]
        name = os.fsencode(path.name).decode(errors="replace")  # a byte of it may be no character
        yield plots.Tile(read(path), name, tuple(lines))
