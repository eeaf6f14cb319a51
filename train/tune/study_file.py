"""A study on disk: its SQLite file, what it searches, its trials, and the recipe of the best one."""

import contextlib
import dataclasses
import shlex
import shutil
import sqlite3
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy
from optuna.distributions import distribution_to_json
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback
from optuna.trial import FrozenTrial, TrialState

from catdog.errors import InvalidSettings
from train.fit.job import Job
from train.networks import architectures
from train.tune.search_space import FIXED, Space, grid, usual_values

FILE, TRIALS = "study.db", "trials"  # in the folder of a study; the second is a folder of checkpoints
PAGE, DRAWINGS = "README.md", ("history.png", "importance.png", "parallel.png")  # beside them
NAME = "recipe"  # of the study in its file
# Seconds: how often a process says that its trial runs, and after which silence another one takes the trial over.
HEARTBEAT, GRACE = 5, 60
PATIENCE = 60  # seconds to wait for a file that another process writes
RETRIES = 2  # of a trial whose process died, which may be its own fault
RETRIED = "failed_trial"  # Optuna's attribute of a trial that is tried again: the number of its first try
COMBINATION = "grid_id"  # Optuna's attribute of a trial of a grid: which of its combinations it has
JOINED = (TrialState.COMPLETE, TrialState.PRUNED)  # trials that a search counts


def opened(job: Job, space: Space, photos: dict[str, Any], *, as_grid: bool) -> optuna.Study:
    """The study in the folder `job.run`, which is made if there is none, or with `job.restart`.

    photos  says which photos it learns from and is judged by

    Raises InvalidSettings where the folder holds a study of something else, where it holds none but files of the names
    that a study has, and for a grid that is none.
    """
    file = job.run / FILE
    # The same seed in all processes: they begin with different combinations.
    sampler = optuna.samplers.GridSampler(grid(space), seed=0) if as_grid else optuna.samplers.TPESampler()
    _require_free(job.run)
    job.run.mkdir(parents=True, exist_ok=True)
    storage = _storage(file)
    if job.restart:
        with contextlib.suppress(KeyError):
            optuna.delete_study(study_name=NAME, storage=storage)
        shutil.rmtree(job.run / TRIALS, ignore_errors=True)
    # A trial is compared with others at the same percentage of its training, not before a third of it.
    pruner = optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=33)
    with _readable(file):
        study = optuna.create_study(
            storage=storage, study_name=NAME, sampler=sampler, pruner=pruner, load_if_exists=True
        )
        is_new = _require_same(study, job, _settings(job, space, photos, as_grid))
        if is_new and not as_grid and (first := usual_values(job, space)):
            study.enqueue_trial(first)
    return study


def _require_free(folder: Path) -> None:
    """Raise InvalidSettings where a new study would replace what is not a study's."""
    taken = [name for name in (TRIALS, PAGE, *DRAWINGS) if (folder / name).exists()]
    if taken and not (folder / FILE).exists():  # in this order: another process may make the study at this moment
        raise InvalidSettings(
            f"{folder} holds no study, but {', '.join(taken)}, which a study would replace: choose another --run."
        )


def loaded(study: Path) -> optuna.Study:
    """A study that is there, given its folder or its file; raises InvalidSettings where there is none."""
    file = study / FILE if study.is_dir() else study
    if not file.is_file():
        raise InvalidSettings(f"{study} is no study: `python -m train tune` makes one in the folder of --run.")
    with _readable(file):
        return optuna.load_study(study_name=NAME, storage=_storage(file))


def _storage(file: Path) -> RDBStorage:
    with warnings.catch_warnings(), _readable(file):
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        # A trial that was killed is tried again, and goes on from its last epoch where its checkpoints are.
        make = {
            "url": "sqlite://",  # not the path, which may hold characters that mean something in an address
            "engine_kwargs": {"creator": lambda: sqlite3.connect(file, PATIENCE), "poolclass": sqlalchemy.NullPool},
            "heartbeat_interval": HEARTBEAT,
            "grace_period": GRACE,
            "heartbeat_stale_trial_callback": again_if_stale,
        }
        try:
            return RDBStorage(**make)
        except sqlalchemy.exc.OperationalError:  # another process makes the tables at this moment
            time.sleep(1)
            return RDBStorage(**make)


def again(study: optuna.Study, trial: FrozenTrial, *, at_most: int | None = None) -> None:
    """Queue the values of a trial in a study again, unless that was done `at_most` times before."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        RetryHeartbeatStaleTrialCallback(at_most, inherit_intermediate_values=True)(study, trial)


def again_if_stale(study: optuna.Study, trial: FrozenTrial) -> None:
    """`again` for a trial whose process died, but not without end: its values may be what killed it."""
    again(study, trial, at_most=RETRIES)


@contextlib.contextmanager
def _readable(file: Path) -> Iterator[None]:
    """Tell in a sentence what is wrong with a file that is no study."""
    try:
        yield
    except (sqlalchemy.exc.SQLAlchemyError, sqlite3.Error, optuna.exceptions.OptunaError, RuntimeError, KeyError) as e:
        reason = str(e).partition("\n")[0]
        raise InvalidSettings(f"{file} is no study, or cannot be read and written: {reason}") from e


def _settings(job: Job, space: Space, photos: dict[str, Any], as_grid: bool) -> dict[str, Any]:
    """What all trials of a study have in common, as JSON."""
    same = {name: value for name, value in options(job).items() if name not in FIXED or name in ("name", "start")}
    searched = {name: distribution_to_json(distribution) for name, distribution in space.items()}
    return same | {"space": searched, "grid": as_grid} | photos


def _require_same(study: optuna.Study, job: Job, settings: dict[str, Any]) -> bool:
    """Record the settings in a new study; return whether it is one. Raises InvalidSettings where they are others."""
    before = study.user_attrs.get("settings")
    if before is None:
        study.set_user_attr("options", options(job))
        study.set_user_attr("settings", settings)
    elif other := [name for name in {**before, **settings} if before.get(name) != settings.get(name)]:
        raise InvalidSettings(
            f"{job.run} holds a study with other settings: {', '.join(other)}. Repeat its settings to continue it, "
            "choose another --run, or begin anew with --restart."
        )
    return before is None


def options(job: Job) -> dict[str, Any]:
    """The options of a job that differ from the defaults, as JSON."""
    found = {}
    for field in dataclasses.fields(job):
        value = getattr(job, field.name)
        standard = architectures.get(job.name).image_size if field.name == "image_size" else field.default
        if field.name not in ("command", "run", "restart") and value != standard and value != []:
            if isinstance(value, list | tuple):
                value = [str(one) for one in value]
            found[field.name] = str(value) if isinstance(value, Path) else value
    return found


def command(found: dict[str, Any]) -> str:
    """The command line of `fit` for such options."""
    words = ["python", "-m", "train", "fit", found["name"]]
    for name, value in found.items():
        option = f"--{name.replace('_', '-')}"
        if isinstance(value, bool):
            words.append(option if value else f"--no-{option[2:]}")
        elif name != "name":
            for one in value if isinstance(value, list) else [value]:
                words += [option, str(one)]
    return shlex.join(words)


def best_options(study: optuna.Study) -> dict[str, Any]:
    """The options of `fit` of the best trial, without `limit`: the recipe is then trained on all photos.

    Raises InvalidSettings where no trial has ended.
    """
    if not study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
        raise InvalidSettings("No trial of the study has ended yet.")
    common = {name: value for name, value in study.user_attrs["options"].items() if name != "limit"}
    return common | study.best_trial.params
