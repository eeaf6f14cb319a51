"""A study -> its table, its drawings and the command that trains the best recipe, in the folder of the study."""

import functools
import math
import os
import warnings
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import optuna
from matplotlib import pyplot
from matplotlib.figure import Figure
from optuna.distributions import FloatDistribution
from optuna.importance import FanovaImportanceEvaluator
from optuna.trial import FrozenTrial, TrialState
from optuna.visualization.matplotlib import plot_optimization_history, plot_parallel_coordinate

from catdog.files import whole
from catdog.plain_text import aligned
from train.report import markdown, plots
from train.tune.search import short
from train.tune.study_file import JOINED, PAGE, best_options, command

RESAMPLES = 30
LEAST = 8  # trials from which on an importance is computed
TREES = 16
SHOWN = 10  # of the trials in the terminal


def report(study: optuna.Study, folder: Path) -> dict[str, Any]:
    """Write the page of a study and its drawings; return the page's figures.

    Raises InvalidSettings where no trial was trained to its end.
    """
    options = best_options(study)
    trials = [trial for trial in study.get_trials(deepcopy=False) if trial.state in JOINED]
    trials.sort(
        key=lambda trial: (trial.state != TrialState.COMPLETE, math.inf if trial.value is None else trial.value)
    )
    ended = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    space = study.best_trial.distributions
    compared, percentage = comparable(trials)
    shares = importance(compared) if len(compared) >= LEAST else {}
    found = {
        "name": options["name"],
        "ended": len(ended),
        "stopped": len(trials) - len(ended),
        "photos": study.user_attrs["settings"]["validation photos"],
        "log_loss": study.best_value,
        "trial": study.best_trial.number,
        "command": command(options),
        "searched": list(space),
        "shares": shares,
        "percentage": percentage,
        "drawn": len(ended) > 1,
        "rows": [_row(trial, list(space)) for trial in trials],
    }
    header = ["trial", "log loss", "accuracy", "trained", "minutes", *space]
    table = aligned([header, *found["rows"][:SHOWN]], left=0)
    found["summary"] = "\n".join([*table, "", found["command"]])
    _draw(study, shares, folder, several=len(ended) > 1)
    _write(folder / PAGE, lambda path: path.write_text(markdown.render("study.md.j2", **found), encoding="utf-8"))
    return found


def _row(trial: FrozenTrial, searched: list[str]) -> list[str]:
    trained = "to the end"
    if trial.state == TrialState.PRUNED:
        trained = "failed" if "why" in trial.user_attrs else f"to {trial.last_step} %"
    accuracy = trial.user_attrs.get("accuracy")
    return [
        str(trial.number),
        "" if trial.value is None else f"{trial.value:.4f}",
        "" if accuracy is None else f"{accuracy:.1%}",
        trained,
        f"{trial.duration.total_seconds() / 60:.1f}",
        *(short(trial.params.get(name, "")) for name in searched),
    ]


def comparable(trials: list[FrozenTrial]) -> tuple[list[FrozenTrial], int]:
    """The finished trials, each with its log loss at one percentage of its training, and that percentage.

    It is the highest that all of them reached. If only trials that were trained to the end counted, the options that
    made the others bad would seem not to matter.
    """
    tried = [trial for trial in trials if trial.value is not None]
    stopped = [trial for trial in tried if trial.state == TrialState.PRUNED]
    common = set.intersection(*(set(trial.intermediate_values) for trial in tried)) if stopped else ()
    if not common:
        return [trial for trial in tried if trial not in stopped], 100
    percentage = max(common)
    alike = [
        optuna.create_trial(value=t.intermediate_values[percentage], params=t.params, distributions=t.distributions)
        for t in tried
    ]
    return alike, percentage


def importance(trials: list[FrozenTrial]) -> dict[str, tuple[float, float, float]]:
    """The share of the variance of the log loss that each option explains, largest first: median, 5 %, 95 %.

    fANOVA (Hutter et al. 2014, "An efficient approach for assessing hyperparameter importance") on resamples of the
    trials, drawn with replacement, so that the interval says what the choice of trials does. Options with a logarithmic
    range count by their logarithms.
    """
    random, found = np.random.default_rng(0), []
    for seed in range(RESAMPLES):
        drawn = random.integers(len(trials), size=len(trials))
        if len({trials[i].value for i in drawn}) == 1:
            continue
        study = optuna.create_study()
        study.add_trials([_linear(trials[i]) for i in drawn])
        evaluator = FanovaImportanceEvaluator(n_trees=TREES, seed=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found.append(optuna.importance.get_param_importances(study, evaluator=evaluator, normalize=False))
    if not found:
        return {}
    shares = {name: tuple(np.quantile([one[name] for one in found], (0.5, 0.05, 0.95)).tolist()) for name in found[0]}
    return dict(sorted(shares.items(), key=lambda item: -item[1][0]))


def _linear(trial: FrozenTrial) -> FrozenTrial:
    """A trial whose logarithmic ranges are plain ranges of logarithms."""
    params, distributions = dict(trial.params), dict(trial.distributions)
    for name, where in trial.distributions.items():
        if getattr(where, "log", False):
            distributions[name] = FloatDistribution(math.log(where.low), math.log(where.high))
            params[name] = min(max(math.log(params[name]), math.log(where.low)), math.log(where.high))
    return optuna.create_trial(value=trial.value, params=params, distributions=distributions)


def _draw(study: optuna.Study, shares: dict[str, tuple[float, float, float]], folder: Path, *, several: bool) -> None:
    with plots.style():
        figures = {"importance.png": _bars(shares) if shares else None}
    with matplotlib.rc_context(), warnings.catch_warnings():  # as Optuna changes the style of all drawings
        warnings.simplefilter("ignore")  # that it is new, and that an option has one value alone
        figures["history.png"] = plot_optimization_history(study, target_name="log loss").figure
        figures["parallel.png"] = plot_parallel_coordinate(study, target_name="log loss").figure if several else None
        options = len(study.best_trial.distributions)
        for name, figure in figures.items():
            if figure:
                # Optuna leaves no room for the numbers beside each option.
                figure.set_size_inches(3 + 1.3 * options if name == "parallel.png" else plots.WIDTH, 4)
                for axes in figure.axes:  # in `parallel` those of all options lie on each other
                    axes.grid(False)
                    axes.set(title="", facecolor="white")
                _write(folder / name, functools.partial(figure.savefig, bbox_inches="tight", dpi=160))
                pyplot.close(figure)
            else:  # an earlier study's
                (folder / name).unlink(missing_ok=True)


def _bars(shares: dict[str, tuple[float, float, float]]) -> Figure:
    """How much of the variance each option explains, with its interval, from `importance`."""
    figure, axes = pyplot.subplots(figsize=(plots.WIDTH, 0.7 + 0.3 * len(shares)))
    middle, low, high = np.array(list(shares.values())).T
    axes.barh(list(shares), middle, 0.6, xerr=(middle - low, high - middle), ecolor=plots.INK)
    axes.invert_yaxis()
    axes.set(xlabel="share of the variance of the log loss, with its 90 % interval", xlim=(0, 1))
    return figure


def _write(path: Path, write: Any) -> None:
    """Write a file, whole or not at all, also where another process does the same."""
    with whole(path, partial=f"partial-{os.getpid()}-{path.name}") as partial:
        write(partial)
