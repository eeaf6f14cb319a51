"""The figures of the report: plain data in, a matplotlib Figure out, in one calm style.

Figures are 8 inches wide, which at 160 dots per inch stay sharp where a page shows them at 800
pixels. A model keeps its colour, that of its place in the mappings, on all of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter
from PIL import Image, ImageOps

from train.fit.lineage import Run
from train.folders import whole
from train.measure.faithfulness import CURVES
from train.measure.metrics import Bin
from train.measure.statistics import wilson

WIDTH, DPI, GALLERY_DPI = 8.0, 160, 130
THUMBNAIL = 260
STRANGEST = 2.0  # the right end of the histograms
INK, MUTED, GRID, PALE = "#1f2937", "#6b7280", "#e5e7eb", "#f3f4f6"
RIGHT, WRONG = "#15803d", "#b91c1c"
# Told apart by people who confuse red and green, and in grey.
COLOURS = ("#2f6db3", "#d9781f", "#158a72", "#8e4fa8", "#7a6a53")
MARKERS = "osD^v"


def save(figure: Figure, path: Path) -> None:
    """Write a figure as `.png` or `.jpg`, whole or not at all, with the same bytes for the same data."""
    is_photo = path.suffix == ".jpg"
    options = {"pil_kwargs": {"quality": 82, "optimize": True}} if is_photo else {"metadata": {"Software": None}}
    with whole(path) as partial:
        figure.savefig(partial, dpi=GALLERY_DPI if is_photo else DPI, facecolor="white", **options)


def confusion(matrices: Mapping[str, Sequence[Sequence[int]]], classes: Sequence[str]) -> Figure:
    """Confusion matrices side by side: rows are labels, columns answers, shades shares of the row."""
    few = len(classes) <= 4 and len(classes) * len(matrices) * max(7, *map(len, classes)) <= 72
    columns, rows = (len(matrices), 1) if few else (1, len(matrices))
    figure, grid = _panels(columns, 2.3 if few else 1 + 0.35 * len(classes), rows)
    for axes, (title, counts) in zip(grid.flat, matrices.items(), strict=True):
        counts = np.array(counts)
        shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1.15, aspect="auto")
        for (row, column), share in np.ndenumerate(shares):
            colour = "white" if share > 0.6 else INK
            middle = {"ha": "center", "va": "center", "color": colour}
            size, above = (13, 0.14) if few else (7, 0)
            axes.text(column, row - above, f"{counts[row, column]:,}", size=size, weight="bold", **middle)
            if few:
                axes.text(column, row + 0.17, f"{share:.1%}", size=8.5, **middle)
        _plain(axes, title)
        axes.set_xticks(range(len(classes)), classes, rotation=0 if few else 90, parse_math=False)
        axes.set_yticks(range(len(classes)), classes, parse_math=False)
        axes.set_xlabel("answer", color=MUTED, size=8.5)
        if axes in grid[:, 0]:
            axes.set_ylabel("label", color=MUTED, size=8.5)
        axes.tick_params(length=0)
    return figure


def reliability(bins: Mapping[str, tuple[Sequence[Bin], Sequence[Bin]]], classes: int) -> Figure:
    """How often right against how sure, without and with the temperature, per model."""
    figure, grid = _panels(len(bins), height=3.4)
    for number, (axes, (title, (before, after))) in enumerate(zip(grid[0], bins.items(), strict=True)):
        colour = _colour(number)
        low = 1 / classes
        axes.plot([low, 1], [low, 1], color=MUTED, lw=1, ls=(0, (4, 3)))
        axes.plot(*_points(before), "o", ms=5, mfc="white", mec=MUTED, mew=1.2, zorder=2)
        intervals = np.array([wilson(b.right, b.total) for b in after]).T
        x, y = _points(after)
        axes.errorbar(x, y, np.abs(intervals - y), fmt="o", ms=5, color=colour, elinewidth=1.2, zorder=3)
        for b in after:
            axes.text(b.confidence, -0.05, f"{b.total}", ha="center", va="top", size=6.5, color=colour)
        _plain(axes, title, grid="both")
        axes.set_xlim(low - 0.02, 1.02)
        axes.set_ylim(-0.13, 1.04)
        axes.set_yticks(np.linspace(0, 1, 6))
        axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.set_xlabel("confidence", color=MUTED, size=8.5)
        if number == 0:
            axes.set_ylabel("share that is right", color=MUTED, size=8.5)
    points = [Line2D([], [], ls="", marker="o", ms=5, mec=MUTED, mfc=fill) for fill in ("white", MUTED)]
    _legend(figure, handles=points, labels=["without temperature", "with temperature, as served"])
    return figure


def curves(chains: Mapping[str, Sequence[Run]]) -> Figure:
    """Accuracy and loss by epoch through all runs of each model, on training and validation photos."""
    figure, grid = _panels(len(chains), height=2.1, rows=2, sharey="row")
    kinds = (("accuracy", PercentFormatter(1, decimals=0)), ("loss", None))
    for number, (title, runs) in enumerate(chains.items()):
        colour = _colour(number)
        rows = [row for run in runs for row in run.epochs]
        ends = list(accumulate(len(run.epochs) for run in runs))
        for line, (name, formatter) in enumerate(kinds):
            axes = grid[line][number]
            small = {"marker": ".", "ms": 5} if len(rows) <= 40 else {}
            for key, style in ((name, {"color": MUTED, "ls": "--", "lw": 1.1}), (f"val_{name}", {"color": colour})):
                epochs, values = _series(rows, key)
                axes.plot(epochs, values, **({"lw": 1.7} | small | style))
            for end in ends[:-1]:
                axes.axvline(end + 0.5, color=MUTED, lw=0.8, ls=":")
            _plain(axes, title if line == 0 else "", grid="y", pad=18)
            axes.set_xlim(0.5, len(rows) + 0.5)
            axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
            if formatter:
                axes.yaxis.set_major_formatter(formatter)
            if number == 0:
                axes.set_ylabel(name, color=MUTED, size=8.5)
        grid[1][number].set_xlabel("epoch", color=MUTED, size=8.5)
        _name_runs(grid[0][number], runs, ends, len(chains))
    lines = [Line2D([], [], color=MUTED, ls=style, lw=1.7) for style in ("-", "--")]
    _legend(figure, handles=lines, labels=["validation photos", "training photos, augmented"])
    return figure


def convergence(chains: Mapping[str, Sequence[Run]]) -> Figure:
    """Validation accuracy of all models by minutes of training, all runs of a model together."""
    figure, axes = _single(height=3.2)
    lasts = []
    for number, (title, runs) in enumerate(chains.items()):
        rows = [row for run in runs for row in run.epochs]
        minutes = np.cumsum([row["seconds"] for row in rows]) / 60
        points = [(m, row["val_accuracy"]) for m, row in zip(minutes, rows, strict=True) if "val_accuracy" in row]
        if points:
            style = {"color": _colour(number), "marker": MARKERS[number % len(MARKERS)]}
            axes.plot(*zip(*points, strict=True), lw=1.7, ms=4, label=title, **style)
            lasts.append(points[-1][0])
    _plain(axes, "", grid="both")
    if lasts and max(lasts) > 8 * min(lasts):
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set_xlabel("minutes of training", color=MUTED, size=8.5)
    axes.set_ylabel("validation accuracy", color=MUTED, size=8.5)
    axes.legend(loc="lower right", fontsize=8.5, frameon=False, labelcolor=INK)
    return figure


def robustness(accuracies: Mapping[str, Mapping[str, tuple[float, float, float]]]) -> Figure:
    """Accuracy of each model under each condition: model -> condition -> (accuracy, low, high)."""
    conditions = list(next(iter(accuracies.values())))
    figure, axes = _single(height=0.9 + 0.42 * len(conditions))
    middle = (len(accuracies) - 1) / 2
    for number, (title, found) in enumerate(accuracies.items()):
        values, low, high = np.array([found[name] for name in conditions]).T
        places = np.arange(len(conditions)) + (number - middle) * 0.22
        axes.errorbar(
            values,
            places,
            xerr=np.abs([values - low, high - values]),
            fmt=MARKERS[number % len(MARKERS)],
            ms=5.5,
            elinewidth=1.4,
            color=_colour(number),
            label=title,
        )
    _plain(axes, "", grid="x")
    axes.set_yticks(range(len(conditions)), conditions)
    axes.set_ylim(len(conditions) - 0.5, -0.5)
    for place in range(1, len(conditions)):
        axes.axhline(place - 0.5, color=GRID, lw=0.8)
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set_xlabel("accuracy, with its 95 % interval", color=MUTED, size=8.5)
    _legend(figure)
    return figure


def faithfulness(measured: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Curves of deletion and insertion with each model's maps and with random ones: model -> as `faithfulness`."""
    figure, grid = _panels(len(measured), height=2.2, rows=len(CURVES), sharey=True)
    for number, (name, model) in enumerate(measured.items()):
        for axes, curve in zip(grid[:, number], CURVES, strict=True):
            for kind, style in (("map", {"color": _colour(number)}), ("random", {"color": MUTED, "ls": "--"})):
                values = model[curve]["curves"][kind]
                axes.plot(np.linspace(0, 1, len(values)), values, lw=1.7, **style)
            _plain(axes, f"{name}: {curve}", grid="y")
            axes.set_ylim(0, 1)
            axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
            axes.set_xlabel("pixels", color=MUTED, size=8.5)
    for axes in grid[:, 0]:
        axes.set_ylabel("probability of the label", color=MUTED, size=8.5)
    lines = [Line2D([], [], color=MUTED, ls=style, lw=1.7) for style in ("-", "--")]
    _legend(figure, handles=lines, labels=["own map", "random map"])
    return figure


def error_rates(levels: Mapping[str, Sequence[Mapping[str, Any]]]) -> Figure:
    """Promised and found error rates: model -> levels with `promised`, `rate` and `interval`."""
    figure, axes = _single(height=4.5)
    axes.plot([1e-3, 1], [1e-3, 1], color=MUTED, lw=1, ls=(0, (4, 3)))
    for number, (name, found) in enumerate(levels.items()):
        promised, rates = (np.array([level[key] for level in found]) for key in ("promised", "rate"))
        errors = np.abs(np.array([level["interval"] for level in found]).T - rates)
        style = {"fmt": MARKERS[number % len(MARKERS)], "color": _colour(number), "ms": 5, "elinewidth": 1.2}
        axes.errorbar(promised, rates, errors, label=name, **style)
    _plain(axes, "", grid="both")
    axes.set_xscale("log")
    axes.set_yscale("symlog", linthresh=1e-3)  # shows zero too
    axes.set_ylim(-1e-4, 1)
    axes.set_xlabel("promised share of wrong answers", color=MUTED, size=8.5)
    axes.set_ylabel("share that was wrong", color=MUTED, size=8.5)
    _legend(figure)
    return figure


def refusals(values: Mapping[str, Sequence[float]], model: str) -> Figure:
    """Histograms of how strongly a model refuses photos: kind -> values; "" are photos of the classes."""
    figure, axes = _single(height=4.5)
    bins = np.linspace(0, STRANGEST, 51)
    for number, (kind, found) in enumerate(values.items()):
        label = kind.replace("_", " ") or "photos of the classes"
        style = {"histtype": "step", "lw": 1.5, "color": _colour(number)} if kind else {"color": GRID}
        share = np.full(len(found), 1 / len(found))
        axes.hist(np.clip(found, 0, STRANGEST), bins, weights=share, label=f"{label} ({len(found):,})", **style)
    _plain(axes, "", grid="y")
    axes.set_xlabel(f"how strongly {model} refuses a photo; more than 1 is a refusal", color=MUTED, size=8.5)
    axes.set_ylabel("share of photos per bin", color=MUTED, size=8.5)
    _legend(figure)
    return figure


@dataclass(frozen=True)
class Tile:
    """A photo with its title above and lines of text below, each with a colour."""

    photo: Image.Image
    title: str
    lines: tuple[tuple[str, str], ...] = ()


def gallery(tiles: Sequence[Tile], columns: int = 4) -> Figure:
    """Photos in a grid, whole and as squares, with what is said of them."""
    margin, title, line = 0.06, 0.2, 0.165  # inches
    side = WIDTH / columns
    step = title + side + 0.08 + line * max(len(tile.lines) for tile in tiles)
    width, height = side * min(columns, len(tiles)), step * math.ceil(len(tiles) / columns)
    figure = _figure(height, width)

    def write(x: float, y: float, text: str, colour: str) -> None:
        # In the name of a file, dollar signs enclose no mathematics.
        line = figure.text(x / width, 1 - y / height, text, size=8, color=colour, va="top", parse_math=False)
        room = len(text)
        while line.get_window_extent().width > (side - margin) * figure.dpi:
            room -= 1
            line.set_text(_shortened(text, room))

    # Placed by hand, from the upper left: constrained layout takes no account of text below photos.
    for index, tile in enumerate(tiles):
        row, column = divmod(index, columns)
        left, top, size = column * side + margin, row * step + title + margin, side - 2 * margin
        axes = figure.add_axes((left / width, 1 - (top + size) / height, size / width, size / height))
        axes.imshow(ImageOps.pad(tile.photo, (THUMBNAIL, THUMBNAIL), color=PALE))
        axes.set_axis_off()
        write(left, top - 0.18, tile.title, MUTED)
        for number, (text, colour) in enumerate(tile.lines):
            write(left, top + size + 0.05 + number * line, text, colour)
    return figure


def _colour(number: int) -> str:
    return COLOURS[number % len(COLOURS)]


def _figure(height: float, width: float = WIDTH, **options) -> Figure:
    figure = Figure(figsize=(width, height), **options)
    FigureCanvasAgg(figure)
    if options:  # room to the edge, which shows on dark pages
        figure.get_layout_engine().set(w_pad=0.1, h_pad=0.1)
    return figure


def _panels(count: int, height: float, rows: int = 1, **options) -> tuple[Figure, np.ndarray]:
    """A figure with equal axes in `rows` rows of `count`, together as wide as it is, and the axes (rows, count)."""
    figure = _figure(height * rows, layout="constrained")
    return figure, figure.subplots(rows, count, squeeze=False, **options)


def _single(height: float) -> tuple[Figure, Axes]:
    figure, grid = _panels(1, height)
    return figure, grid[0, 0]


def _plain(axes: Axes, title: str, grid: str = "", pad: float = 8) -> None:
    """Quiet axes: no box, grey numbers, a grid that stays behind the data."""
    axes.set_title(title, size=10, color=INK, weight="bold", loc="left", pad=pad)
    for side in ("top", "right", *(() if grid else ("left", "bottom"))):
        axes.spines[side].set_visible(False)
    for spine in axes.spines.values():
        spine.set_color(GRID)
    axes.tick_params(colors=MUTED, labelsize=8.5, length=3)
    axes.set_axisbelow(True)
    if grid:
        axes.grid(axis=grid, color=GRID, lw=0.8)


def _legend(figure: Figure, **what) -> None:
    """One line above all axes."""
    figure.legend(
        loc="outside upper left", ncols=9, fontsize=8.5, frameon=False, labelcolor=INK, handletextpad=0.4, **what
    )


def _shortened(text: str, room: int) -> str:
    """A longer text in so many letters: its beginning and its end."""
    end = room // 2
    return f"{text[: room - 1 - end]}…{text[len(text) - end :]}"


def _points(bins: Sequence[Bin]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([b.confidence for b in bins]), np.array([b.accuracy for b in bins])


def _series(rows: Sequence[Mapping[str, float]], key: str) -> tuple[list[int], list[float]]:
    """Epochs, from 1, and values of the rows that have a figure."""
    found = [(epoch, row[key]) for epoch, row in enumerate(rows, 1) if key in row]
    return [epoch for epoch, _ in found], [value for _, value in found]


def _name_runs(axes: Axes, runs: Sequence[Run], ends: Sequence[int], panels: int) -> None:
    """Write what each run was above its epochs, where there is more than one and room for it."""
    if len(runs) < 2:
        return
    for run, (start, end) in zip(runs, pairwise([0, *ends]), strict=True):
        if (end - start) / ends[-1] * WIDTH / panels < 0.09 * len(run.title):
            continue
        place = ((start + end + 1) / 2, 1.0)
        axes.annotate(
            run.title, place, xycoords=("data", "axes fraction"), ha="center", va="bottom", size=7, color=MUTED
        )
