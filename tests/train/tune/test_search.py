"""Studies of tiny networks: broken off, shared, gone on with, and a model trained by what they found.

Only the first tests train; in the others, a trial ends as soon as it begins, and its figures are made up.
"""

import json
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from catdog import ModelSpec
from tests.conftest import ROOT
from tests.train.conftest import eagerly, small_instead
from train.__main__ import main
from train.fit import supervised
from train.fit.trainer import Data, Diverged
from train.networks.recipes import Recipe

optuna = pytest.importorskip("optuna", reason="needs Optuna: pip install -r requirements-tune.txt")
from train.tune import search, search_space, study_file, study_report  # noqa: E402

TrialState, JOINED, TRIALS = optuna.trial.TrialState, study_file.JOINED, study_file.TRIALS

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("small_runs")]
SPACE = "learning_rate = {low = 1e-3, high = 1e-1, log = true}\nwidth = [0.5, 1.0]\n"
SHORT = ["--image-size", "24", "--batch-size", "16", "--precision", "float32"]


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


@pytest.fixture
def fake(monkeypatch):
    """Let no trial train; returns the jobs of all that began, the figures to come, and what is called for each job."""
    known = SimpleNamespace(jobs=[], figures=iter(lambda: {"log_loss": 0.5, "accuracy": 0.9}, None), hook=lambda job: 0)

    def train(job, recipe, photos, callbacks):
        known.jobs.append(job)
        known.hook(job)
        for callback in callbacks:
            callback.set_model(SimpleNamespace(get_layer=lambda name: None))
            for epoch in range(recipe.epochs):
                callback.on_epoch_end(epoch, {"loss": 0.5})
        return None, [], "float32"

    monkeypatch.setattr(supervised, "train", train)
    monkeypatch.setattr(search, "WAIT", 0.1)
    monkeypatch.setattr(search, "_figures", lambda network, photos: next(known.figures))
    monkeypatch.setattr(search, "decoded", lambda *_: None)
    monkeypatch.setattr(study_report, "_draw", lambda *_, **__: None)
    return known


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


def test_what_else_is_said_counts_more_than_the_best_trial(studied, monkeypatch):
    jobs = []
    monkeypatch.setattr(supervised, "fit", lambda job: jobs.append(job))
    monkeypatch.setattr("train.__main__._print_trained", lambda spec, job: None)
    assert main(["fit", "--trial", str(studied / study_file.FILE), "--learning-rate", "0.5"]) == 0
    best = study_file.loaded(studied).best_trial
    assert (jobs[0].learning_rate, jobs[0].width, jobs[0].stages) == (0.5, best.params["width"], "24x2")


def test_a_study_goes_on_with_more_trials_but_not_with_other_settings(studied, tune, capsys):
    again = ["--stages", "24x2", "--trials", "2"]
    assert tune(studied, *again) == 0
    assert len(trials_of(studied)) == 2
    for other in (["--seed", "5"], ["--limit", "4"], ["--stages", "24x1"], ["--cutmix", "0.5"]):
        assert tune(studied, *again, *other) == 1
        assert "--restart" in capsys.readouterr().err


def test_what_is_broken_off_is_tried_again_in_its_folder(fake, tune, tmp_path):
    def interrupted(job):
        raise KeyboardInterrupt

    command = tmp_path / "study", "--ema", "0", "--stages", "24x3", "--trials", "1"
    usual, fake.hook = fake.hook, interrupted
    assert tune(*command) == 130
    (broken, queued) = trials_of(command[0])
    assert (broken.state, queued.state) == (TrialState.FAIL, TrialState.WAITING)
    fake.hook = usual
    assert tune(*command) == 0
    first, again = fake.jobs
    assert again.run == first.run and (first.restart, again.restart) == (True, False)
    done = trials_of(command[0])[1]
    assert done.state == TrialState.COMPLETE and done.params == broken.params
    assert sorted(done.intermediate_values) == [33, 67]
    assert tune(*command, "--restart") == 0
    assert [trial.state for trial in trials_of(command[0])] == [TrialState.COMPLETE]


def test_the_average_is_asked_about_val_and_nothing_of_the_training_changes(monkeypatch):
    network = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)], name="network")
    model = keras.Sequential([keras.Input((4,)), network])
    model.compile(keras.optimizers.AdamW(0.1, use_ema=True, ema_momentum=0.5), loss="mse")
    for _ in range(3):
        model.train_on_batch(np.ones((2, 4)), np.ones((2, 1)))
    variables = [*model.weights, *model.optimizer.variables]
    before, asked = [one.numpy().copy() for one in variables], []
    monkeypatch.setattr(
        search, "_figures", lambda one, _: asked.extend(one.get_weights()) or {"log_loss": 1.0, "accuracy": 0.5}
    )
    trial = optuna.create_study().ask()
    report = search._Report(trial, "network", Recipe(stages=((24, 3),), ema=0.5), None)
    report.set_model(model)
    report.on_epoch_end(0, {"loss": 1.0})
    averages = model.optimizer._model_variables_moving_average
    for weight, average, seen in zip(model.weights, averages, asked, strict=True):
        np.testing.assert_array_equal(seen, average.numpy())
        assert np.abs(seen - weight.numpy()).max() > 1e-3
    for one, same in zip(variables, before, strict=True):
        np.testing.assert_allclose(one.numpy(), same, atol=1e-6)
    assert trial.study.trials[0].intermediate_values == {33: 1.0}


def test_a_network_whose_answers_are_no_numbers_diverged():
    network = SimpleNamespace(predict=lambda photos, **_: np.array([[np.nan], [0.5]]))
    images, labels = np.zeros((2, 8, 8, 3), np.uint8), np.array([0, 1])
    with pytest.raises(Diverged):
        search._figures(network, Data(images, labels, images, labels, 2))


def test_a_trial_whose_process_dies_is_tried_twice_again_and_one_that_was_interrupted_always():
    study = optuna.create_study()
    for _ in range(study_file.RETRIES + 1):
        trial = study.ask()
        study.tell(trial, state=TrialState.FAIL)
        study_file.again_if_stale(study, study.trials[trial.number])
    assert [trial.state for trial in study.trials] == [TrialState.FAIL] * 3
    study_file.again(study, study.trials[-1])
    assert study.trials[-1].state == TrialState.WAITING


def test_a_grid_is_searched_whole_once_and_worse_trials_are_stopped(fake, data, tmp_path, capsys):
    space = tmp_path / "grid.toml"
    space.write_text("learning_rate = [1e-9, 1e-2]\nseed = [1, 2, 3]\n")
    fake.figures = iter([{"log_loss": 0.1 if i < 10 else 0.9, "accuracy": 0.5} for i in range(99)])
    command = tune_command(data, space, tmp_path / "study", "--grid", "--stages", "24x2", "--ema", "0")
    assert main([*command, "--trials", "2"]) == 0
    assert len(trials_of(tmp_path / "study")) == 2
    for _ in range(2):
        assert main(command) == 0
    trials = trials_of(tmp_path / "study")
    assert len({tuple(trial.params.values()) for trial in trials}) == len(trials) == 6
    assert {trial.state for trial in trials} == set(JOINED)
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (told["ended"], told["stopped"]) == (5, 1)


def test_a_trial_that_diverges_or_finds_no_memory_costs_no_other(fake, data, tmp_path):
    def hook(job):
        job.run.mkdir(parents=True)
        if job.learning_rate == 1e30:
            raise Diverged
        if sum(one.learning_rate < 1 for one in fake.jobs) == 2:
            raise RuntimeError("no memory")

    fake.hook = hook
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


def test_a_process_takes_over_what_another_was_killed_at(fake, tune, space, tmp_path, monkeypatch):
    study, options = tmp_path / "study", ["--stages", "24x3", "--ema", "0", "--trials"]
    assert tune(study, *options, "1") == 0
    monkeypatch.setattr(study_file, "GRACE", 1)
    monkeypatch.setattr(search, "GRACE", 1)
    for number, has_drawn in enumerate((True, False), 2):  # killed while it trained, and as soon as it began
        shared = study_file.loaded(study)
        killed = shared.ask()
        if has_drawn:
            search_space.drawn(killed, search_space.read(space))
            killed.report(0.7, 33)
            shared._storage.record_heartbeat(killed._trial_id)
        assert tune(study, *options, str(number)) == 0
        trials = trials_of(study)
        assert trials[killed.number].state == TrialState.FAIL and len(fake.jobs) == number
        assert sum(trial.state in JOINED for trial in trials) == number
        assert trials[-1].params == trials[killed.number].params or not has_drawn


def test_a_grid_goes_on_after_a_process_that_died_as_soon_as_it_began(fake, data, tmp_path, monkeypatch):
    space, study = tmp_path / "grid.toml", tmp_path / "study"
    space.write_text("seed = [1, 2]\n")
    command = tune_command(data, space, study, "--grid", "--stages", "24x1")
    assert main([*command, "--trials", "1"]) == 0
    study_file.loaded(study).ask()
    monkeypatch.setattr(search, "GRACE", 1)
    assert main(command) == 0
    assert {trial.params["seed"] for trial in trials_of(study) if trial.state in JOINED} == {1, 2}


def test_a_combination_that_failed_for_good_is_not_begun_again_while_another_process_runs_the_last(monkeypatch):
    study = optuna.create_study(sampler=optuna.samplers.GridSampler({"seed": [1, 2, 3]}))

    def ended(number: int, state: TrialState, *values: float) -> None:
        study._storage.set_trial_state_values(study.trials[number]._trial_id, state, values or None)

    for number in range(3):
        assert search._is_more_to_do(study, 3, 3)
        assert study.ask().number == number
    ended(0, TrialState.FAIL)
    ended(1, TrialState.COMPLETE, 0.5)
    waited = SimpleNamespace(sleep=lambda seconds: ended(2, TrialState.COMPLETE, 0.5))
    monkeypatch.setattr(search, "time", waited)
    assert not search._is_more_to_do(study, 3, 3)
    assert study.trials[2].state == TrialState.COMPLETE
