"""The drawings of a search for a recipe: finished trials in, a matplotlib Figure out. As in `plots`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from train.report.plots import GRID, INK, MUTED, WIDTH


class Tried(NamedTuple):
    """A finished trial.

    number    0 and more
    loss      log loss on val, or None for one that broke off before its first epoch
    finished  whether it was trained to its end
    values    option -> what it had
    """

    number: int
    loss: float | None
    finished: bool
    values: Mapping[str, Any]


class Axis(NamedTuple):
    """An option that was searched: its values from the lowest to the highest, or in the order of the space."""

    name: str
    values: Sequence[Any]
    log: bool = False

    def place(self, value: Any) -> float:
        """Where a value lies, 0 to 1."""
        if isinstance(self.values, tuple):
            low, high, found = ((math.log(x) if self.log else x) for x in (*self.values, value))
            return (found - low) / (high - low) if high > low else 0.5
        return self.values.index(value) / (len(self.values) - 1) if len(self.values) > 1 else 0.5


def history(trials: Sequence[Tried]) -> Figure:
    """The log loss of each trial in turn, those that were stopped, and the best so far."""
    figure = Figure(figsize=(WIDTH, 3.2))
    axes = figure.subplots()
    ended = [trial for trial in trials if trial.finished]
    stopped = [trial for trial in trials if not trial.finished and trial.loss is not None]
    look = {"color": MUTED, "mfc": "white", "label": "stopped early"}
    if stopped:
        axes.plot([t.number for t in stopped], [t.loss for t in stopped], "o", **look)
    axes.plot([t.number for t in ended], [t.loss for t in ended], "oC0", label="trained to the end")
    best = np.minimum.accumulate([trial.loss for trial in ended])
    axes.step([t.number for t in ended], best, "C1", where="post", label="best so far")
    axes.set(xlabel="trial", ylabel="log loss on validation photos")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if stopped:  # one that diverged would flatten all others
        losses = sorted(trial.loss for trial in ended)
        axes.set_ylim(top=min(axes.get_ylim()[1], losses[-1] + 2 * (losses[-1] - losses[0]) + 0.05))
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper left", ncols=3)
    return figure


def importance(shares: Mapping[str, tuple[float, float, float]]) -> Figure:
    """How much of the variance each option explains: option -> median and the ends of its interval, 0 to 1."""
    figure = Figure(figsize=(WIDTH, 0.7 + 0.3 * len(shares)))
    axes = figure.subplots()
    middle, low, high = np.array(list(shares.values())).T
    rows = np.arange(len(shares))
    axes.barh(rows, middle, 0.6, xerr=(middle - low, high - middle), error_kw={"ecolor": INK, "elinewidth": 1.2})
    axes.set_yticks(rows, shares)
    axes.invert_yaxis()
    axes.grid(False, axis="y")
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.set(xlabel="share of the variance of the log loss, with its 90 % interval", xlim=(0, 1))
    axes.xaxis.set_major_formatter("{x:.0%}")
    return figure


def parallel(trials: Sequence[Tried], searched: Sequence[Axis]) -> Figure:
    """Each trial that was trained to its end as a line through its values; the better, the darker."""
    ended = sorted((t for t in trials if t.finished), key=lambda trial: trial.loss, reverse=True)
    losses = [trial.loss for trial in ended]
    columns = [*searched, Axis("log loss", (losses[-1], losses[0]))]
    lines = [[axis.place({"log loss": t.loss, **t.values}[axis.name]) for axis in columns] for t in ended]
    figure = Figure(figsize=(WIDTH, 3.6))
    axes = figure.subplots()
    drawn = LineCollection([list(enumerate(line)) for line in lines], cmap="Blues_r", array=np.arange(len(lines))[::-1])
    drawn.set(linewidth=1.3, clim=(0, 1.2 * len(lines)))
    axes.add_collection(drawn)
    axes.plot(range(len(columns)), lines[-1], color="C1", lw=2.2)
    for place, axis in enumerate(columns):
        _mark(axes, place, axis)
    axes.set(xlim=(-0.2, len(columns) - 0.5), ylim=(-0.04, 1.04))
    axes.set_xticks(range(len(columns)), [axis.name.replace("_", "\n") for axis in columns])
    axes.tick_params(length=0, labelcolor=INK)
    axes.set_yticks([])
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.grid(False)
    return figure


def _mark(axes: Axes, place: int, axis: Axis) -> None:
    """An upright line with the values of an axis beside it."""
    axes.axvline(place, color=GRID, zorder=0)
    values = axis.values
    if isinstance(values, tuple):
        low, high = values
        values = (low, math.sqrt(low * high) if axis.log else (low + high) / 2, high)
    for value in values:
        text = f"{value:.3g}" if isinstance(value, float) else f"{value}"
        axes.annotate(
            text, (place, axis.place(value)), (3, 0), textcoords="offset points", size=6.5, color=MUTED, va="center"
        )
