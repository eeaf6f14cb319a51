"""The drawings of the report: figures from its JSON in, a matplotlib Figure out.

Draw and save within `style()`. A model keeps its colour, that of its place among the models, on all of them.
"""

import contextlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from PIL import Image, ImageOps
from sklearn.metrics import ConfusionMatrixDisplay

from catdog.files import whole
from catdog.verdict import REFUSED
from train.measure.faithfulness import CURVES
from train.measure.statistics import wilson

WIDTH, GALLERY_DPI = 8.0, 130
THUMBNAIL = 260
INK, MUTED, GRID, PALE = "#1f2937", "#6b7280", "#e5e7eb", "#f3f4f6"
RIGHT, WRONG = "#15803d", "#b91c1c"
MARKERS = "osD^v"
DASHED = {"color": MUTED, "ls": "--", "lw": 1.1}

Models = Sequence[Mapping[str, Any]]  # what report.json says of each


def style() -> contextlib.AbstractContextManager:
    """The look of all drawings, inside the block."""
    return matplotlib.style.context(Path(__file__).with_name("plots.mplstyle"))


def save(figure: Figure, path: Path) -> None:
    """Write a figure as `.png` or `.jpg`, whole or not at all, with the same bytes for the same data."""
    with whole(path) as partial:
        figure.savefig(partial, pil_kwargs={"quality": 82})


def confusion(models: Models, classes: Sequence[str]) -> Figure:
    """Confusion matrices side by side: rows are labels, columns answers, shades shares of the row."""
    few = len(classes) <= 4 and len(classes) * len(models) * max(7, *map(len, classes)) <= 72
    columns, rows = (len(models), 1) if few else (1, len(models))
    figure, grid = _panels(columns, 2.3 if few else 1 + 0.35 * len(classes), rows)
    for axes, model in zip(grid.flat, models, strict=True):
        counts = np.array(model["figures"]["confusion"])
        shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        shown = ConfusionMatrixDisplay(shares, display_labels=classes).plot(
            ax=axes, cmap="Blues", colorbar=False, xticks_rotation=0 if few else 90,
            im_kw={"vmin": 0, "vmax": 1.15, "aspect": "auto"}, text_kw={"size": 10 if few else 7},
        )  # fmt: skip
        for text, count, share in zip(shown.text_.flat, counts.flat, shares.flat, strict=True):
            text.set_text(f"{count:,}\n{share:.1%}" if few else f"{count:,}")
        axes.set(title=model["title"], xlabel="answer", ylabel="label")
        axes.grid(False)
    return figure


def reliability(models: Models, classes: int) -> Figure:
    """Accuracy against confidence (reliability diagram) of each model, without and with its temperature."""
    figure, grid = _panels(len(models), height=3.4, sharey=True)
    low = 1 / classes
    for number, (axes, model) in enumerate(zip(grid[0], models, strict=True)):
        bins = model["calibration_bins"]
        axes.plot([low, 1], [low, 1], **DASHED)
        x, y, _ = _points(bins["without_temperature"])
        axes.plot(x, y, "o", color=MUTED, mfc="white", label="without temperature")
        x, y, intervals = _points(bins["with_temperature"])
        label = "with temperature, as served"
        axes.errorbar(x, y, intervals, fmt="o", color=f"C{number}", elinewidth=1.2, label=label)
        for found in bins["with_temperature"]:
            place = (found["confidence"], -0.05)
            axes.text(*place, f"{found['total']}", ha="center", va="top", size=6.5, color=f"C{number}")
        axes.set(title=model["title"], xlabel="confidence", xlim=(low - 0.02, 1.02), ylim=(-0.13, 1.04))
        axes.set_yticks(np.linspace(0, 1, 6))
        _percents(axes.xaxis, axes.yaxis)
    grid[0, 0].set_ylabel("share that is right")
    _legend(figure, grid[0, 0])
    return figure


def _points(bins: Sequence[Mapping[str, float]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Confidence, accuracy, and how far the interval of the accuracy reaches below and above it, (2, bins)."""
    confidence, right, total = (np.array([found[key] for found in bins]) for key in ("confidence", "right", "total"))
    ends = np.array([wilson(*counts) for counts in zip(right, total, strict=True)]).T
    return confidence, right / total, np.abs(ends - right / total)


def curves(models: Models) -> Figure:
    """Accuracy and loss by epoch through all runs of each model, on training and validation photos."""
    figure, grid = _panels(len(models), height=2.1, rows=2, sharex="col", sharey="row")
    for number, model in enumerate(models):
        rows = [row for run in model["runs"] for row in run["epochs"]]
        epochs, ends = range(1, len(rows) + 1), list(accumulate(len(run["epochs"]) for run in model["runs"]))
        marker = "." if len(rows) <= 40 else ""
        for axes, name in zip(grid[:, number], ("accuracy", "loss"), strict=True):
            axes.plot(epochs, _series(rows, f"val_{name}"), f"C{number}", marker=marker, label="validation photos")
            axes.plot(epochs, _series(rows, name), marker=marker, label="training photos, augmented", **DASHED)
            for end in ends[:-1]:
                axes.axvline(end + 0.5, color=MUTED, lw=0.8, ls=":")
        axes.set(xlabel="epoch", xlim=(0.5, len(rows) + 0.5))
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        grid[0, number].set_title(model["title"], pad=18)
        _name_runs(grid[0, number], [run["title"] for run in model["runs"]], ends, WIDTH / len(models))
    grid[0, 0].set_ylabel("accuracy")
    grid[1, 0].set_ylabel("loss")
    _percents(grid[0, 0].yaxis)
    _legend(figure, grid[0, 0])
    return figure


def _series(rows: Sequence[Mapping[str, float]], key: str) -> list[float]:
    return [row.get(key, math.nan) for row in rows]


def _name_runs(axes: Axes, titles: Sequence[str], ends: Sequence[int], width: float) -> None:
    """Write what each run was above its epochs, if there is more than one and `width` inches have room for it."""
    for title, (start, end) in zip(titles, pairwise([0, *ends]), strict=True):
        if len(titles) > 1 and (end - start) / ends[-1] * width >= 0.09 * len(title):
            place = {"xy": ((start + end + 1) / 2, 1.0), "xycoords": ("data", "axes fraction")}
            axes.annotate(title, **place, ha="center", va="bottom", size=7, color=MUTED)


def convergence(models: Models) -> Figure:
    """Validation accuracy of all models by minutes of training, all runs of a model together."""
    figure, grid = _panels(1, height=3.2)
    axes, lasts = grid[0, 0], []
    for number, model in enumerate(models):
        rows = [row for run in model["runs"] for row in run["epochs"]]
        minutes = np.cumsum([row["seconds"] for row in rows]) / 60
        axes.plot(minutes, _series(rows, "val_accuracy"), marker=_marker(number), ms=4, label=model["title"])
        lasts.append(minutes[-1])
    if max(lasts) > 8 * min(lasts):
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:g}")
    _percents(axes.yaxis)
    axes.set(xlabel="minutes of training", ylabel="validation accuracy")
    axes.legend(loc="lower right")
    return figure


def robustness(models: Models, conditions: Mapping[str, str]) -> Figure:
    """Accuracy of each model on the photos as they are, under key "", and under each condition: key -> title."""
    figure, grid = _panels(1, height=0.9 + 0.42 * len(conditions))
    axes, rows = grid[0, 0], np.arange(len(conditions))
    for number, model in enumerate(models):
        figures = model["figures"]
        found = {"": figures | {"interval": figures["accuracy_interval"]}} | model["conditions"]
        accuracy = np.array([found[key]["accuracy"] for key in conditions])
        ends = np.array([found[key]["interval"] for key in conditions]).T
        places = rows + (number - (len(models) - 1) / 2) * 0.22
        axes.errorbar(
            accuracy, places, xerr=np.abs(ends - accuracy), fmt=_marker(number), elinewidth=1.4, label=model["title"]
        )
    axes.set(xlabel="accuracy, with its 95 % interval", ylim=(len(conditions) - 0.5, -0.5))
    axes.set_yticks(rows, conditions.values())
    axes.set_yticks(rows[1:] - 0.5, minor=True)
    axes.grid(False, axis="y")
    axes.grid(True, axis="y", which="minor")
    axes.tick_params(axis="y", which="both", length=0, labelcolor=INK)
    _percents(axes.xaxis)
    _legend(figure, axes)
    return figure


def faithfulness(measured: Mapping[str, Mapping[str, Any]]) -> Figure:
    """The mean curves of deletion and insertion: model -> figures of `faithfulness.measure`."""
    figure, grid = _panels(len(measured), height=2.2, rows=len(CURVES), sharey=True)
    for number, (name, model) in enumerate(measured.items()):
        for axes, curve in zip(grid[:, number], CURVES, strict=True):
            own, random = model[curve]["curves"]["map"], model[curve]["curves"]["random"]
            axes.plot(np.linspace(0, 1, len(own)), own, f"C{number}", label="own map")
            axes.plot(np.linspace(0, 1, len(random)), random, label="random map", **DASHED)
            axes.set(title=f"{name}: {curve}", ylim=(0, 1), xlabel="pixels")
            _percents(axes.xaxis)
    for axes in grid[:, 0]:
        axes.set_ylabel("probability of the label")
    _legend(figure, grid[0, 0])
    return figure


def error_rates(levels: Mapping[str, Sequence[Mapping[str, Any]]]) -> Figure:
    """Promised and found error rates: model -> levels with `promised`, `share` and `interval`."""
    figure, grid = _panels(1, height=4.5)
    axes = grid[0, 0]
    axes.plot([1e-3, 1], [1e-3, 1], **DASHED)
    for number, (name, found) in enumerate(levels.items()):
        promised, rates, ends = (np.array([level[key] for level in found]) for key in ("promised", "share", "interval"))
        look = {"fmt": _marker(number), "color": f"C{number}", "elinewidth": 1.2}
        axes.errorbar(promised, rates, np.abs(ends.T - rates), label=name, **look)
    axes.set(xlabel="promised share of wrong answers", ylabel="share that was wrong", xscale="log")
    axes.set_yscale("symlog", linthresh=1e-3)  # shows zero too
    axes.set_ylim(-1e-4, 1)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:g}")
    _legend(figure, axes)
    return figure


def refusals(values: Mapping[str, Sequence[float]], model: str) -> Figure:
    """Histograms of `neither` of a model: kind -> values; "" are photos of the classes."""
    figure, grid = _panels(1, height=4.5)
    axes = grid[0, 0]
    for number, (kind, found) in enumerate(values.items()):
        label = kind.replace("_", " ") or "photos of the classes"
        look = {"histtype": "step", "lw": 1.5, "color": f"C{number}"} if kind else {"color": GRID}
        share, bins = np.full(len(found), 1 / len(found)), np.linspace(0, 1, 51)
        axes.hist(found, bins, weights=share, label=f"{label} ({len(found):,})", **look)
    axes.set_xlabel(f"how likely none of the classes, by {model}; above {REFUSED} it refuses the photo")
    axes.set_ylabel("share of photos per bin")
    _legend(figure, axes)
    return figure


@dataclass(frozen=True)
class Tile:
    """A photo with its title above and lines of text below, each with a colour."""

    photo: Image.Image
    title: str
    lines: tuple[tuple[str, str], ...] = ()


def gallery(tiles: Sequence[Tile], columns: int = 4) -> Figure:
    """Photos in a grid, not cropped but padded to squares, with a text each; long texts are shortened."""
    margin, title, line, size = 0.06, 0.2, 0.165, 6.5  # inches, except the size of the letters
    side = WIDTH / columns
    step = title + side + 0.08 + line * max(len(tile.lines) for tile in tiles)
    width, height = side * min(columns, len(tiles)), step * math.ceil(len(tiles) / columns)
    figure = Figure(figsize=(width, height), dpi=GALLERY_DPI, layout="none")
    room = int(72 * (side - 2 * margin) / (0.65 * size))  # letters of the font, all equally wide

    def write(x: float, y: float, text: str, colour: str) -> None:
        if len(text) > room:
            text = f"{text[: room - room // 2 - 1]}…{text[-(room // 2) :]}"
        figure.text(x / width, 1 - y / height, text, size=size, color=colour, va="top", family="monospace")

    # Placed by hand, from the upper left: constrained layout takes no account of text below photos.
    for index, tile in enumerate(tiles):
        row, column = divmod(index, columns)
        left, top, edge = column * side + margin, row * step + title + margin, side - 2 * margin
        axes = figure.add_axes((left / width, 1 - (top + edge) / height, edge / width, edge / height))
        axes.imshow(ImageOps.pad(tile.photo, (THUMBNAIL, THUMBNAIL), color=PALE))
        axes.set_axis_off()
        write(left, top - 0.18, tile.title, MUTED)
        for number, (text, colour) in enumerate(tile.lines):
            write(left, top + edge + 0.05 + number * line, text, colour)
    return figure


def _panels(count: int, height: float, rows: int = 1, **options) -> tuple[Figure, np.ndarray]:
    """A figure with equal axes in `rows` rows of `count`, together as wide as it is, and the axes (rows, count)."""
    figure = Figure(figsize=(WIDTH, height * rows))
    return figure, figure.subplots(rows, count, squeeze=False, **options)


def _percents(*axes: Axis) -> None:
    for axis in axes:
        axis.set_major_formatter(PercentFormatter(1, decimals=0))


def _marker(number: int) -> str:
    return MARKERS[number % len(MARKERS)]


def _legend(figure: Figure, axes: Axes) -> None:
    """What is on the axes, in one line above all of them."""
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper left", ncols=9)
