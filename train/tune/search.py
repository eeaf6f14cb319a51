"""Many short runs of `fit`, each with values that look promising after the earlier ones."""

import contextlib
import dataclasses
import datetime
import math
import shutil
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import optuna
from optuna.trial import TrialState

from catdog.adopt.fit_confidence import fit_temperature
from catdog.classifier import calibrated
from catdog.engine import Outputs
from catdog.errors import InvalidSettings
from train.data import dataset
from train.fit import supervised
from train.fit.job import Job
from train.fit.start import decoded, listed
from train.fit.trainer import Data, Diverged
from train.measure.calibration.fit_shift import fit_shift
from train.measure.metrics import measure
from train.networks.recipes import Recipe
from train.tune import search_space, study_file
from train.tune.study_file import COMBINATION, GRACE, JOINED, RETRIED, TRIALS

USUAL_TRIALS = 20  # of a search that is no grid
BATCH = 64  # photos that are asked about at once
WAIT = 1.0  # seconds between two looks at what other processes do


def search(job: Job, *, trials: int | None, space: Path | None, as_grid: bool) -> optuna.Study:
    """Try recipes for a job until the study in `job.run` has `trials` finished trials; return it.

    trials   None for USUAL_TRIALS, or for all of a grid
    space    a file, see `search_space.read`; None for the usual space
    as_grid  try all combinations, in random order

    A trial is trained as `fit` trains, but nothing is rounded or written. Its value is the log loss on val, as `fit`
    would record it. It is stopped if that is worse than the median of the finished trials at the same percentage of
    their training, or if the training loss is NaN. Several processes may search the same study. Raises
    InvalidSettings for a space that cannot be searched, and if the folder holds a study with other settings.
    """
    if trials is not None and trials < 1:
        raise InvalidSettings(f"--trials must be at least 1. Received: {trials}.")
    usual = supervised.recipe_of(job)
    searched = search_space.read(space) if space else search_space.usual(usual)
    search_space.require_possible(job, searched, usual)
    train, val = listed(job)
    photos = {"photos": len(train), "validation photos": len(val), "digest": dataset.digest(train, val)}
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    attempt = _Attempt(job, searched, train, val)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        # A trial that was killed between its report and its checkpoint reports the same epoch again.
        warnings.filterwarnings("ignore", "The reported value is ignored")
        study = study_file.opened(job, searched, photos, as_grid=as_grid)
        combinations = math.prod(map(len, search_space.grid(searched).values())) if as_grid else math.inf
        wanted = min(trials or (combinations if as_grid else USUAL_TRIALS), combinations)
        try:
            while _is_more_to_do(study, wanted, combinations):
                _try(study, attempt, wanted)
        except optuna.exceptions.StorageInternalError as error:
            raise InvalidSettings(f"The study in {job.run} can no longer be read and written: {error}") from error
    return study


def _is_more_to_do(study: optuna.Study, wanted: int, combinations: float) -> bool:
    """Whether a trial is left to begin; waits while other processes run the last ones, which may fail yet.

    In a grid of `combinations`, one that failed for good is not begun again.
    """
    told = False
    while True:
        optuna.storages.fail_stale_trials(study)
        _fail_unborn_trials(study)
        trials = study.get_trials(deepcopy=False)
        states, begun = [trial.state for trial in trials], [trial.system_attrs.get(COMBINATION) for trial in trials]
        finished, running = sum(state in JOINED for state in states), states.count(TrialState.RUNNING)
        is_left = TrialState.WAITING in states or len({*begun} - {None}) < combinations
        if finished >= wanted or not (is_left or running):
            return False
        if is_left and finished + running < wanted:
            return True
        if not told:
            print(f"waiting for the trials of other processes, which may have been killed: {running}", flush=True)
            told = True
        time.sleep(WAIT)


def _fail_unborn_trials(study: optuna.Study) -> None:
    """Fail the trials of processes that were killed as soon as they began: for Optuna, these run for ever."""
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        age = datetime.datetime.now() - trial.datetime_start
        if not trial.params and age > datetime.timedelta(seconds=GRACE):
            with contextlib.suppress(ValueError):  # another process was faster
                # Without the sampler: that of a grid would want to end a search that does not run now.
                plain = optuna.load_study(study_name=study.study_name, storage=study._storage)
                plain.tell(trial.number, state=TrialState.FAIL)
                study_file.again_if_stale(study, trial)


def _try(study: optuna.Study, attempt: "_Attempt", wanted: int) -> None:
    """Run one trial. One that is broken off, by Ctrl-C or an error, fails and comes into the queue again."""
    attempt.number = None
    try:
        study.optimize(attempt, n_trials=1)
    except BaseException:
        if attempt.is_lost:
            print(f"trial {attempt.number} reported nothing for long, and another process took it over", flush=True)
            return
        if attempt.number is not None and (trial := study.trials[attempt.number]).state == TrialState.FAIL:
            study_file.again(study, trial)
        raise
    print(_progress(study, attempt.number, wanted), flush=True)


def _progress(study: optuna.Study, number: int, wanted: int) -> str:
    """How a trial ended, which one is best, and how long the rest will take."""
    trials = study.get_trials(deepcopy=False)
    finished = [trial for trial in trials if trial.state in JOINED]
    running = sum(trial.state == TrialState.RUNNING for trial in trials)
    seconds = sum(trial.duration.total_seconds() for trial in finished) / len(finished)
    parts = [f"trial {number}: {ending(trials[number])}"]
    if any(trial.state == TrialState.COMPLETE for trial in finished):
        parts.append(f"best {study.best_value:.4f} in trial {study.best_trial.number}")
    parts.append(f"{len(finished)} finished")
    if (left := wanted - len(finished)) > 0:
        parts.append(f"{left} to go, about {left * seconds / 60 / (running + 1):.0f} min")
    return "; ".join(parts)


def ending(trial: optuna.trial.FrozenTrial) -> str:
    """How a finished trial ended."""
    if trial.state == TrialState.COMPLETE:
        return f"log loss {trial.value:.4f}"
    if why := trial.user_attrs.get("why"):
        return f"failed: {why}"
    return f"stopped at {trial.last_step} %, log loss {trial.value:.4f}"


class _Attempt:
    """One trial after another: the objective of a study.

    number   of the trial that runs or ran last
    is_lost  whether another process took that one over, as this one was silent for too long
    """

    def __init__(self, job: Job, space: search_space.Space, train: dataset.Split, val: dataset.Split):
        self.job, self.space, self.train, self.val = job, space, train, val
        self.number: int | None = None
        self.is_lost = False
        self.decoded: dict[tuple[int, int], Data] = {}

    def __call__(self, trial: optuna.Trial) -> float:
        self.number, self.is_lost = trial.number, False
        try:
            return self._loss(trial)
        except optuna.exceptions.UpdateFinishedTrialError:
            self.is_lost = True
            raise
        except (optuna.exceptions.OptunaError, OSError):
            raise
        except Exception as error:
            # Its own values broke it, unless no trial has ended well yet.
            if not isinstance(error, Diverged) and not trial.study.get_trials(deepcopy=False, states=JOINED):
                raise
            trial.set_user_attr("why", str(error))
            shutil.rmtree(self._folder(trial), ignore_errors=True)
            raise optuna.TrialPruned from error
        finally:
            keras.utils.clear_session()

    def _loss(self, trial: optuna.Trial) -> float:
        """Train as a trial asks for, and return its log loss."""
        values = search_space.drawn(trial, self.space)
        tried = ", ".join(f"{name} {short(value)}" for name, value in values.items())
        print(f"trial {trial.number}: {tried}", flush=True)
        folder = self._folder(trial)
        job = dataclasses.replace(self.job, **values, run=folder, restart=folder.name == f"{trial.number:04d}")
        recipe = supervised.recipe_of(job)
        photos = self._photos(job, recipe)
        try:
            network, *_ = supervised.train(job, recipe, photos, [_Report(trial, job.name, recipe, photos)])
        except optuna.TrialPruned:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        figures = _figures(network, photos)
        trial.set_user_attr("accuracy", figures["accuracy"])
        shutil.rmtree(folder, ignore_errors=True)
        return figures["log_loss"]

    def _folder(self, trial: optuna.Trial) -> Path:
        """Where its checkpoints are; one that is tried again goes on in the folder of its first try."""
        attributes = trial.study.get_trials(deepcopy=False)[trial.number].system_attrs
        return self.job.run / TRIALS / f"{attributes.get(RETRIED, trial.number):04d}"

    def _photos(self, job: Job, recipe: Recipe) -> Data:
        sizes = max(size for size, _ in recipe.stages), job.image_size
        if sizes not in self.decoded:
            self.decoded[sizes] = decoded(job, recipe, self.train, self.val)
        return self.decoded[sizes]


class _Report(keras.callbacks.Callback):
    """Tells the study the log loss after each epoch but the last, and stops a trial that is not worth going on with."""

    def __init__(self, trial: optuna.Trial, name: str, recipe: Recipe, photos: Data):
        super().__init__()
        self.trial, self.name, self.recipe, self.photos = trial, name, recipe, photos

    def on_epoch_end(self, epoch, logs=None):
        done = epoch + 1
        if done == self.recipe.epochs or not math.isfinite(logs["loss"]):
            return
        with self._average():
            figures = _figures(self.model.get_layer(self.name), self.photos)
        self.trial.report(figures["log_loss"], round(100 * done / self.recipe.epochs))
        self.trial.set_user_attr("accuracy", figures["accuracy"])
        if self.trial.should_prune():
            raise optuna.TrialPruned

    @contextlib.contextmanager
    def _average(self) -> Iterator[None]:
        """The moving average in place of the weights, where there is one."""
        if not self.recipe.ema:
            yield
            return
        swap = keras.callbacks.SwapEMAWeights()
        swap.set_model(self.model)
        swap.on_test_begin()
        try:
            yield
        finally:
            swap.on_test_end()  # on_predict_end leaves the average where it is (Keras 3.15)


def _figures(network: keras.Model, photos: Data) -> dict[str, Any]:
    """Figures on val of a network that is balanced and calibrated as `finish` does; raises Diverged."""
    outputs = network.predict(photos.validation_images, batch_size=BATCH, verbose=0)
    if not np.isfinite(outputs).all():
        raise Diverged
    # An output for neither says nothing about which class it is.
    found, labels = Outputs.from_model(outputs).probabilities[:, : photos.classes], photos.validation_labels
    balanced = calibrated(found * np.exp(fit_shift(found, labels)), 1.0)
    classes = [str(number) for number in range(photos.classes)]
    return measure(calibrated(balanced, fit_temperature(balanced, labels)), labels, classes)


def short(value: Any) -> str:
    """A value in a table: numbers with three digits."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)
