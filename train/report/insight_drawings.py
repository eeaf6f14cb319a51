"""The drawings beside insight.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from catdog.comparator import Comparator
from catdog.pages.overlay import overlay, scale_of
from train.folders import save_all, whole
from train.measure.faithfulness import CURVES

SHOWN = 4  # photos with their maps
CLIP = 2.0  # strangeness at the right end of the drawing


def draw(
    figures: Mapping[str, Any],
    strangeness: Mapping[str, Sequence[float]],
    comparator: Comparator,
    photos: Sequence[Path],
    out: Path,
) -> None:
    """Write maps.png, faithfulness.png, sureness.png and neither.png.

    Those that there is nothing to draw for are removed: they would be an earlier report's.
    """
    drawings = {
        "maps.png": _maps(comparator, photos),
        "faithfulness.png": _faithfulness(figures) if figures["heat_maps"] else None,
        "sureness.png": _sureness(figures) if figures["sureness"] else None,
        "neither.png": _neither(strangeness, figures) if figures["neither"]["rules"] else None,
    }
    save_all(drawings.items(), out, _save)


def _maps(comparator: Comparator, photos: Sequence[Path]) -> Figure:
    """Photos, and every model's map of each on one scale; those that the models disagree on first."""
    compared = [comparator.look(path, explain=True) for path in photos]
    chosen = sorted(compared, key=lambda pair: pair[0].agree)[:SHOWN]
    figure, grid = _grid(len(chosen), 1 + len(comparator.models), 2.3)
    for row, (comparison, image) in zip(grid, chosen, strict=True):
        scale = scale_of(verdict.heatmap for verdict in comparison.models)
        row[0].imshow(image)
        for axes, verdict in zip(row[1:], comparison.models, strict=True):
            resize = comparator.models[verdict.model].spec.resize
            axes.imshow(overlay(image, verdict.heatmap, scale, resize=resize) if verdict.heatmap else image)
            axes.set_title(f"{verdict.model}: {verdict.label}, {verdict.confidence:.0%}", fontsize=8)
        for axes in row:
            axes.set_axis_off()
    return figure


def _faithfulness(figures: Mapping[str, Any]) -> Figure:
    measured = figures["heat_maps"]
    figure, grid = _grid(len(CURVES), len(measured), 2.6)
    for curve, row in zip(CURVES, grid, strict=True):
        for axes, name in zip(row, measured, strict=True):
            for kind, style in (("map", "-"), ("random", ":")):
                values = measured[name][curve]["curves"][kind]
                axes.plot(np.linspace(0, 100, len(values)), values, style, label=kind)
            axes.set(ylim=(0, 1), xlabel="pixels, %")
            axes.set_title(f"{name}: {curve}", fontsize=9)
            axes.legend(fontsize=8)
        row[0].set_ylabel("probability of the label")
    return figure


def _sureness(figures: Mapping[str, Any]) -> Figure:
    figure, ((axes,),) = _grid(1, 1, 4.5)
    axes.plot([1e-3, 1], [1e-3, 1], color="grey", linewidth=1)
    for name, levels in figures["sureness"].items():
        promised, found = ([level[key] for level in levels] for key in ("promised", "rate"))
        errors = np.abs(np.array([level["interval"] for level in levels]).T - found)
        axes.errorbar(promised, found, errors, fmt="o", capsize=3, label=name)
    axes.set(xscale="log", xlabel="promised share of wrong answers", ylabel="share that was wrong")
    axes.set_yscale("symlog", linthresh=1e-3)  # shows zero too
    axes.set_ylim(-1e-4, 1)
    axes.legend()
    return figure


def _neither(strangeness: Mapping[str, Sequence[float]], figures: Mapping[str, Any]) -> Figure:
    figure, ((axes,),) = _grid(1, 1, 4.5)
    bins = np.linspace(0, CLIP, 51)
    _histogram(axes, strangeness[""], bins, "photos of the classes", histtype="stepfilled", alpha=0.4)
    for kind in figures["neither"]["others"]:
        _histogram(axes, strangeness[kind], bins, kind.replace("_", " "), histtype="step", linewidth=1.5)
    axes.set(xlabel=f"strangeness, as {figures['neither']['decided_by']} sees it", ylabel="share of photos per bin")
    axes.legend(fontsize=8)
    return figure


def _histogram(axes: Axes, values: Sequence[float], bins: np.ndarray, label: str, **style: Any) -> None:
    weights = np.full(len(values), 1 / len(values))
    axes.hist(np.clip(values, 0, CLIP), bins, weights=weights, label=f"{label} ({len(values)})", **style)


def _grid(rows: int, columns: int, size: float) -> tuple[Figure, np.ndarray]:
    figure = Figure(figsize=(size * 1.25 * columns, size * rows), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False)


def _save(figure: Figure, path: Path) -> None:
    with whole(path) as partial:
        figure.savefig(partial, dpi=100)
