"""Studies of tiny networks: broken off, shared, gone on with, and a model trained by what they found."""

from __future__ import annotations

import dataclasses
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from catdog import ModelSpec
from tests.conftest import PATIENCE, ROOT
from tests.train.conftest import KILLED, eagerly, small_instead
from train.__main__ import main
from train.fit import supervised, trainer
from train.fit.checkpoints import Checkpoints
from train.fit.job import Job
from train.fit.start import decoded, listed

optuna = pytest.importorskip("optuna", reason="needs Optuna: pip install -r requirements-tune.txt")
from train.tune import search, search_space, study_file  # noqa: E402

TrialState, JOINED, TRIALS = optuna.trial.TrialState, study_file.JOINED, study_file.TRIALS

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("small_runs")]
SPACE = "learning_rate = {low = 1e-3, high = 1e-1, log = true}\nwidth = [0.5, 1.0]\n"
SHORT = ["--image-size", "24", "--batch-size", "8", "--precision", "float32"]


@pytest.fixture(scope="module")
def space(tmp_path_factory) -> Path:
    file = tmp_path_factory.mktemp("space") / "space.toml"
    file.write_text(SPACE)
    return file


@pytest.fixture(scope="module")
def data(two_folders) -> Path:
    """Photos without a test split: whoever touched it would fail."""
    return two_folders[0]


def tune_command(data: Path, space: Path, study: Path, *more: str) -> list[str]:
    return ["tune", "scratch_cnn", "--data", str(data), "--space", str(space), "--run", str(study), *SHORT, *more]


@pytest.fixture
def tune(data, space):
    """Run `tune`; its exit code."""
    return lambda study, *more: main(tune_command(data, space, study, *more))


@pytest.fixture(scope="module")
def studied(data, space, tmp_path_factory) -> Path:
    """A study of two trials. Copy it before changing it."""
    folder = tmp_path_factory.mktemp("studied")
    with small_instead(), eagerly():
        assert main(tune_command(data, space, folder, "--stages", "24x2", "--trials", "2")) == 0
    return folder


def trials_of(study: Path) -> list[optuna.trial.FrozenTrial]:
    return study_file.loaded(study).trials


def test_a_search_ends_with_a_page_drawings_and_the_best_command(studied, capsys):
    trials = trials_of(studied)
    assert [trial.state in JOINED for trial in trials] == [True] * 2
    assert trials[0].params == {"learning_rate": 2e-3, "width": 1.0}  # as usual
    assert {path.name for path in studied.iterdir()} == {
        "README.md", TRIALS, "history.png", "parallel.png", study_file.FILE
    }  # fmt: skip
    assert not any((studied / TRIALS).iterdir())
    page, best = (studied / "README.md").read_text(), min(trials, key=lambda trial: trial.value)
    assert f"--learning-rate {best.params['learning_rate']}" in page
    assert all(f"\n| {trial.number} | {trial.value:.4f} |" in page for trial in trials)


def test_fit_trains_the_best_trial_as_it_was(studied, data, tmp_path, capsys):
    out = ["--out", str(tmp_path / "weights"), "--run", str(tmp_path / "run")]
    assert main(["fit", "--trial", str(studied), *out]) == 0
    spec = ModelSpec.read(tmp_path / "weights" / "scratch_cnn.json")
    best = study_file.loaded(studied).best_trial
    assert spec.metrics["val"]["log_loss"] == pytest.approx(best.value, abs=0.01)
    recipe = spec.training["recipe"]
    assert {name: recipe[name] for name in best.params} == best.params
    assert f"--learning-rate {best.params['learning_rate']}" in spec.training["command"]
    assert "--trial" not in spec.training["command"]
    other = ["--learning-rate", "0.5", "--restart"]
    assert main(["fit", "--trial", str(studied / study_file.FILE), *out, *other]) == 0
    assert ModelSpec.read(tmp_path / "weights" / "scratch_cnn.json").training["recipe"]["learning_rate"] == 0.5


def test_a_study_goes_on_with_more_trials_but_not_with_other_settings(studied, tune, capsys):
    again = ["--stages", "24x2", "--trials", "2"]
    assert tune(studied, *again) == 0
    assert len(trials_of(studied)) == 2
    for other in (["--seed", "5"], ["--limit", "4"], ["--stages", "24x1"], ["--cutmix", "0.5"]):
        assert tune(studied, *again, *other) == 1
        assert "--restart" in capsys.readouterr().err


def test_what_is_broken_off_goes_on_after_its_last_epoch(tune, tmp_path, monkeypatch, capsys):
    real, ran = search._figures, []

    def interrupted(network, photos):
        ran.append(network)
        if len(ran) == 2:
            raise KeyboardInterrupt
        return real(network, photos)

    command = tmp_path / "study", "--stages", "24x3", "--trials", "1"
    with monkeypatch.context() as patch:
        patch.setattr(search, "_figures", interrupted)
        assert tune(*command) == 130
    (broken, queued) = trials_of(command[0])
    assert (broken.state, queued.state) == (TrialState.FAIL, TrialState.WAITING)
    epochs = []
    monkeypatch.setattr(Checkpoints, "save", lambda self, model, row: epochs.append(row["epoch"]))
    monkeypatch.setattr(trainer, "_use_average", lambda model: None)
    assert tune(*command) == 0
    assert epochs == [2, 3]
    done = trials_of(command[0])[1]
    assert done.state == TrialState.COMPLETE and done.params == broken.params
    assert sorted(done.intermediate_values) == [33, 67]
    assert tune(*command, "--restart") == 0
    assert [trial.state for trial in trials_of(command[0])] == [TrialState.COMPLETE]


def test_asking_a_network_about_val_changes_nothing_of_its_training(data, tmp_path):
    job = Job(name="scratch_cnn", data=data, stages="24x3", batch_size=2, ema=0.5, image_size=24, precision="float32")
    recipe = supervised.recipe_of(job)
    photos = decoded(job, recipe, *listed(job))
    report = search._Report(optuna.create_study().ask(), job.name, recipe, photos)

    def weights(folder: str, *callbacks) -> np.ndarray:
        network, *_ = supervised.train(dataclasses.replace(job, run=tmp_path / folder), recipe, photos, callbacks)
        return np.concatenate([one.ravel() for one in network.get_weights()])

    np.testing.assert_allclose(weights("told", report), weights("untold"), atol=1e-4)
    assert len(report.trial.study.trials[0].intermediate_values) == 2


def test_a_trial_whose_process_dies_is_tried_twice_again_and_one_that_was_interrupted_always():
    study = optuna.create_study()
    for _ in range(study_file.RETRIES + 1):
        trial = study.ask()
        study.tell(trial, state=TrialState.FAIL)
        study_file.again_if_stale(study, study.trials[trial.number])
    assert [trial.state for trial in study.trials] == [TrialState.FAIL] * 3
    study_file.again(study, study.trials[-1])
    assert study.trials[-1].state == TrialState.WAITING


def test_a_grid_is_searched_whole_once_and_worse_trials_are_stopped(data, tmp_path, capsys, monkeypatch):
    space = tmp_path / "grid.toml"
    space.write_text("learning_rate = [1e-9, 1e-2]\nseed = [1, 2, 3]\n")
    worth = iter([{"log_loss": 0.1 if i < 10 else 0.9, "accuracy": 0.5} for i in range(99)])
    monkeypatch.setattr(search, "_figures", lambda network, photos: next(worth))
    # As if two processes had put it into the queue at the same time.
    monkeypatch.setattr(study_file, "grid", lambda space: 2 * search_space.grid(space))
    assert main(tune_command(data, space, tmp_path / "study", "--grid", "--stages", "24x2", "--limit", "4")) == 0
    trials = [trial for trial in trials_of(tmp_path / "study") if trial.state != TrialState.FAIL]
    assert len({tuple(trial.params.values()) for trial in trials}) == len(trials) == 6
    assert {trial.state for trial in trials} == set(JOINED)
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (told["ended"], told["stopped"]) == (5, 1)


def test_a_trial_that_diverges_or_finds_no_memory_costs_no_other(data, tmp_path, capsys, monkeypatch):
    real, ended = search._figures, []

    def without_memory(network, photos):
        figures = real(network, photos)
        ended.append(figures)
        if len(ended) == 2:
            raise RuntimeError("no memory")
        return figures

    monkeypatch.setattr(search, "_figures", without_memory)
    space = tmp_path / "space.toml"
    space.write_text("learning_rate = [1e-3, 2e-3, 1e30]\n")
    assert main(tune_command(data, space, tmp_path / "study", "--stages", "24x1", "--grid")) == 0
    trials = trials_of(tmp_path / "study")
    broke = [trial for trial in trials if "why" in trial.user_attrs]
    assert len(trials) == 3 and len(broke) == 2
    assert {trial.state for trial in broke} == {TrialState.PRUNED}
    assert not any((tmp_path / "study" / TRIALS).iterdir())


@pytest.mark.parametrize(
    ("what", "options"),
    {
        "no trials": ["--trials", "0"],
        "no space": ["--space", "nowhere.toml"],
        "endless grid": ["--grid"],
        "no photos": ["--data", "nowhere"],
    }.items(),
)
def test_what_cannot_be_searched_is_told(tune, tmp_path, capsys, what, options):
    assert tune(tmp_path / "study", *options) == 1
    assert capsys.readouterr().err.startswith("error: ")
    assert not (tmp_path / "study").exists()


@pytest.mark.parametrize("name", [TRIALS, study_file.PAGE, "importance.png"])
def test_files_that_are_of_no_study_are_not_replaced(tune, tmp_path, capsys, name):
    (tmp_path / name).mkdir()
    (tmp_path / name / "mine").touch()
    assert tune(tmp_path) == tune(tmp_path, "--restart") == 1
    assert capsys.readouterr().err.count("error: ") == 2
    assert list(tmp_path.rglob("*")) == [tmp_path / name, tmp_path / name / "mine"]


def test_what_is_no_study_is_told(tune, tmp_path, capsys):
    (tmp_path / study_file.FILE).write_text("no database, but long enough to be taken for one" * 20)
    assert tune(tmp_path) == 1
    for study in (tmp_path, tmp_path / "nowhere", ROOT / "docs"):
        assert main(["fit", "--trial", str(study)]) == 1
    assert capsys.readouterr().err.count("error: ") == 4


def test_two_processes_share_a_study_and_one_takes_over_what_the_other_was_killed_at(
    tune, data, space, tmp_path, monkeypatch, capsys
):
    study, options = tmp_path / "study", ["--stages", "24x3", "--trials", "3"]
    command = [sys.executable, "-c", KILLED, *tune_command(data, space, study, *options)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    monkeypatch.setattr(study_file, "GRACE", 3)
    deadline = time.monotonic() + 3 * PATIENCE
    while not list(study.glob(f"{TRIALS}/0000")):
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()[0].decode()
        time.sleep(0.1)
    assert tune(study, *options) == 0
    assert process.wait(timeout=PATIENCE) == -signal.SIGKILL
    process.stdout.close()
    trials = trials_of(study)
    assert [trial.state for trial in trials].count(TrialState.FAIL) == 1 and len(trials) == 4
    assert sum(trial.state in JOINED for trial in trials) == 3
    (again,) = [trial for trial in trials if "failed_trial" in trial.system_attrs]
    assert again.params == trials[0].params and sorted(again.intermediate_values) == [33, 67]
