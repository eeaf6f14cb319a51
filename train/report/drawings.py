"""Which drawings the reports have, made from answers and figures by `plots`.

A drawing that there is nothing for is removed from the folder: it would be an earlier report's.
"""

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
from train.measure import across_models
from train.measure.answers import Answers
from train.measure.robustness import AS_THEY_ARE, CONDITIONS
from train.report import plots
from train.report.markdown import SHOWN

MAPPED = 4  # photos with their heat maps


def of_report(answers: Answers, found: Mapping[str, Any], out: Path) -> list[str]:
    """Write the drawings of `report` to `out` and return their names; `found` are the figures of these answers."""
    with plots.style():
        return _save(_of_report(answers, found), out)


def of_insight(
    figures: Mapping[str, Any],
    refusals: Mapping[str, Sequence[float]],
    comparator: Comparator,
    mapped: Sequence[Path],
    out: Path,
) -> None:
    """Write the drawings of `insight` to `out`.

    refusals  kind of photo -> the field `neither` of the deciding model for each photo
    mapped    paths of the photos to show with their heat maps
    """
    measured, levels, neither = figures["heat_maps"], figures["sureness"], figures["neither"]
    with plots.style():
        drawings = {
            "maps.png": plots.gallery(list(_maps(comparator, mapped)), columns=1 + len(comparator.models)),
            "faithfulness.png": plots.faithfulness(measured) if measured else None,
            "sureness.png": plots.error_rates(levels) if levels else None,
            "neither.png": plots.refusals(refusals, neither["decided_by"]) if neither["rules"] else None,
        }
        _save(drawings.items(), out)


def _save(drawings: Iterable[tuple[str, Figure | None]], out: Path) -> list[str]:
    """Write each drawing, delete the file of one that is None, and return the names written."""
    names = []
    for name, figure in drawings:
        if figure is None:
            (out / name).unlink(missing_ok=True)
        else:
            plots.save(figure, out / name)
            names.append(name)
    return names


def _of_report(answers: Answers, found: Mapping[str, Any]) -> Iterator[tuple[str, Figure | None]]:
    """All that a report may have, with None for what this one has nothing to draw for."""
    models, classes = list(found["models"].values()), answers.split.classes
    yield "confusion.png", plots.confusion(models, classes)
    yield "reliability.png", plots.reliability(models, len(classes))
    every = {"": AS_THEY_ARE} | CONDITIONS
    yield "robustness.png", plots.robustness(models, {key: condition.title for key, condition in every.items()})
    recorded = all(model["runs"] for model in models)
    yield "curves.png", plots.curves(models) if recorded else None
    yield "convergence.png", plots.convergence(models) if recorded else None

    photo, labels = read(answers.split.paths[0]), answers.split.labels
    changed = [plots.Tile(c.change(photo) if c.change else photo, c.title) for c in every.values()]
    yield "conditions.jpg", plots.gallery(changed, columns=len(every))
    spread = np.unique(np.linspace(0, len(labels) - 1, SHOWN).astype(int))
    yield "samples.jpg", plots.gallery(list(_answered(answers, spread)))
    suspected = across_models.suspected(answers.probabilities, labels)
    worst = across_models.worst(answers.probabilities, labels)
    for name, chosen in (("suspected-labels.jpg", suspected[worst]), ("mistakes.jpg", ~suspected[worst])):
        yield name, plots.gallery(list(_answered(answers, worst[chosen][:SHOWN]))) if chosen.any() else None


def _answered(answers: Answers, photos: Iterable[int]) -> Iterator[plots.Tile]:
    """Photos with their labels and the answer of every model."""
    for index in photos:
        found = answers.to(index)
        lines = [(f"label: {found['label']}", plots.INK)]
        for name, said in found["answers"].items():
            mark, colour = ("✓", plots.RIGHT) if said["answer"] == found["label"] else ("✗", plots.WRONG)
            answer = f"{said['answer']} {percent(said['confidence'])}"
            lines.append((f"{mark} {answers.titles[name]}: {answer}", colour))
        path = answers.split.paths[index]
        yield plots.Tile(read(path), _printable(path), tuple(lines))


def _maps(comparator: Comparator, mapped: Sequence[Path]) -> Iterator[plots.Tile]:
    """Photos, each with every model's map on one scale."""
    for path in mapped:
        comparison, image = comparator.look(path, explain=True)
        yield plots.Tile(image, _printable(path))
        scale = scale_of(verdict.heatmap for verdict in comparison.models)
        for verdict in comparison.models:
            wanted, heatmap = comparator.models[verdict.model].spec.input, verdict.heatmap
            drawn = overlay(image, heatmap, scale, resize=wanted.resize, aspect=wanted.aspect) if heatmap else image
            yield plots.Tile(drawn, f"{verdict.model}: {verdict.label} {percent(verdict.confidence)}")


def _printable(path: Path) -> str:
    """The name of a file; a byte of it that is no character becomes a question mark in a box."""
    return os.fsencode(path.name).decode(errors="replace")
