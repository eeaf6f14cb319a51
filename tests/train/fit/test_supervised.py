"""`fit` on tiny pictures: real files, runs that go on, honest figures; and what train's commands refuse."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from catdog import ModelMismatch, ModelSpec, Settings, load
from catdog.models.spec import sha256_of
from tests.conftest import ROOT
from tests.specs import minimal
from tests.train.conftest import KILLED, TRAINED, fit, fit_command
from train.__main__ import main
from train.fit import finish
from train.fit.provenance import origin_of
from train.networks import architectures

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("small_runs")]


@pytest.fixture
def finished(trained, tmp_path) -> Path:
    """A folder with a finished run and its weights, to be changed."""
    return shutil.copytree(trained, tmp_path / "finished")


def spec_in(folder: Path, name: str = "scratch_cnn") -> ModelSpec:
    return ModelSpec.read(folder / "weights" / f"{name}.json")


def state_of(folder: Path) -> Path:
    (state,) = (folder / "run").glob("epoch-????/state.json")
    return state


def test_fit_learns_and_serves(trained, tiny_data):
    spec = spec_in(trained)
    assert spec.validation_accuracy >= 0.9
    assert (spec.training["epochs"], len(spec.training["history"])) == (8, 8)
    assert (spec.training["dataset"], spec.training["base"]) == ("tiny pictures", "random weights")
    assert spec.training["command"].startswith("python -m train fit scratch_cnn")
    comparison = load(Settings(weights=trained / "weights")).compare(tiny_data / "val" / "cats" / "cats.0.png")
    assert comparison.models[0].label == "cat"


def test_resnet50_trains_its_head_on_a_frozen_base(tiny_data, tmp_path, capsys):
    base = tmp_path / "base.h5"
    architectures.build_base("resnet50").save(base)
    frozen = ["--base", str(base), "--stages", "24x1", "--frozen-stages", "1", "--limit", "4"]
    assert fit(tiny_data, tmp_path, *frozen, name="resnet50") == 0
    spec = spec_in(tmp_path, "resnet50")
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["val_accuracy"] == spec.validation_accuracy
    trained = keras.models.load_model(tmp_path / "weights" / "resnet50.h5", compile=False).get_weights()
    before = architectures.build_base("resnet50", weights=str(base)).get_weights()
    for one, other in zip(trained[:-2], before, strict=True):
        np.testing.assert_allclose(one, other, rtol=2**-11)  # rounded
    assert spec.training["recipe"]["frozen_stages"] == 1
    assert spec.training["base"] == {"file": "base.h5", "sha256": sha256_of(base)}


def test_a_run_killed_while_it_writes_its_state_goes_on_after_its_last_whole_one(tiny_data, tmp_path):
    options = ["--stages", "24x1,32x2", "--batch-size", "16", "--cutmix", "0.5", "--limit", "12"]
    killed = tmp_path / "killed"
    command = [sys.executable, "-c", KILLED, *fit_command(tiny_data, killed, *options)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TF_CPP")}
    process = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600)
    assert process.returncode == -signal.SIGKILL, process.stderr
    # The terminal shows progress and nothing else.
    lines = [line for line in re.split(r"[\r\n]+", process.stderr) if line]
    assert [line for line in lines if not re.match(r"photos( at \d+ px)?: ", line)] == []
    assert any((killed / "run").glob("*.partial")) and not any((killed / "weights").glob("*.h5"))
    done = json.loads(state_of(killed).read_text())["history"]
    assert len(done) == 1
    assert fit(tiny_data, killed, *options) == 0
    assert len(list((killed / "run").glob("epoch-*"))) == 1
    again = spec_in(killed).training["history"]
    assert again[:1] == done and [row["epoch"] for row in again] == [1, 2, 3]


def test_a_run_with_other_settings_photos_or_labels_is_not_mixed_in(tiny_data, trained, tmp_path, capsys):
    changed = shutil.copytree(tiny_data, tmp_path / "data")
    for source, label in (("cats", "dogs"), ("dogs", "cats")):
        photo = sorted((changed / "train" / source).iterdir())[0]
        photo.rename(changed / "train" / label / f"moved-{photo.name}")
    for data, options, said in (
        (tiny_data, ["--seed", "5"], "seed was 0, is 5"),
        (tiny_data, ["--limit", "8"], "photos was 48, is 16"),
        (changed, [], "digest of photos and labels was"),
    ):
        assert fit(data, trained, *TRAINED, *options) == 1
        assert said in (error := capsys.readouterr().err) and "--restart" in error


def test_restart_forgets_checkpoints_once_there_are_new_ones_and_nothing_else(tiny_data, finished, tmp_path):
    (finished / "run" / "photos").mkdir()
    before = state_of(finished).read_text()
    broken = ["--precision", "float8"], ["--data", str(tmp_path / "nowhere")], ["--start", str(tmp_path / "no.h5")]
    for options in broken:
        assert fit(tiny_data, finished, "--seed", "5", "--restart", *options) == 1
        assert state_of(finished).read_text() == before
    assert fit(tiny_data, finished, "--stages", "24x1", "--seed", "5", "--restart") == 0
    assert json.loads(state_of(finished).read_text())["recipe"]["seed"] == 5
    assert (finished / "run" / "photos").is_dir()


def test_a_model_of_other_classes_goes_elsewhere(tiny_data, tmp_path, capsys):
    (tmp_path / "weights").mkdir()
    minimal("xception", classes=("cow", "horse")).write(tmp_path / "weights" / "xception.json")
    (tmp_path / "weights" / "damaged.json").write_text("{")
    assert fit(tiny_data, tmp_path) == 1
    said = capsys.readouterr().err
    assert all(fact in said for fact in ("xception", "cow, horse", "cat, dog"))


def test_only_a_spec_of_these_weights_is_believed(finished):
    base = finished / "weights" / "scratch_cnn.h5"
    named, spec = {"file": "scratch_cnn.h5", "sha256": sha256_of(base)}, base.with_suffix(".json")
    assert origin_of(base) == named | {"training": spec_in(finished).training}
    spec.write_text('{"class_name": "Functional"}')
    assert origin_of(base) == named
    spec.write_text("{")
    with pytest.raises(ModelMismatch):
        origin_of(base)
    minimal().write(spec)  # of other weights
    assert origin_of(base) == named


@pytest.mark.parametrize(
    "command", ["fit scratch_cnn", "distill xception --teacher {0}", "average scratch_cnn {0} {0}"]
)
def test_a_model_that_the_run_did_not_make_is_not_replaced(tiny_data, finished, tmp_path, capsys, command):
    weights = finished / "weights"
    shutil.copy(weights / "scratch_cnn.h5", weights / "xception.h5")
    before = {path: path.read_bytes() for path in weights.iterdir()}
    words = command.format(shutil.copy(weights / "scratch_cnn.h5", tmp_path / "other.h5")).split()
    assert main([*words, "--data", str(tiny_data), "--out", str(weights), "--run", str(tmp_path / "run")]) == 1
    assert "--overwrite" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in weights.iterdir()} == before and not (tmp_path / "run").exists()


def test_a_run_replaces_what_it_made_and_what_it_is_told_to(tiny_data, finished, capsys):
    assert fit(tiny_data, finished, *TRAINED) == 0  # finished before: it writes the same model
    run = json.loads(capsys.readouterr().out.splitlines()[-1])["run"]
    (Path(run) / "made.json").unlink()
    assert fit(tiny_data, finished, *TRAINED) == 1
    (finished / "weights" / "scratch_cnn.h5").unlink()
    assert fit(tiny_data, finished, *TRAINED) == 1  # the spec is another's as well
    assert fit(tiny_data, finished, *TRAINED, "--overwrite") == 0


def test_a_model_that_is_no_better_than_guessing_is_said_to_be_so(monkeypatch, capsys):
    figures = {"images": 4, "accuracy": 0.5, "accuracy_interval": [0.1, 0.9], "confusion": [[1, 1], [1, 1]]}
    monkeypatch.setattr("train.fit.supervised.fit", lambda job: minimal("scratch_cnn", metrics={"val": figures}))
    assert main(["fit", "scratch_cnn", "--data", "photos"]) == 0
    captured = capsys.readouterr()
    assert "guessing" in captured.err and json.loads(captured.out.splitlines()[-1])["model"] == "scratch_cnn"


def test_a_model_that_leans_is_balanced_on_val():
    model = architectures.build("scratch_cnn")
    before = float(model.layers[-1].bias[0])
    labels = np.array([0, 1] * 50)
    leaning = np.where(labels == 1, 0.95, np.linspace(0.1, 0.9, 100))[:, None]
    finish._balance(model, np.concatenate([1 - leaning, leaning], axis=1), labels)
    assert float(model.layers[-1].bias[0]) < before - 0.5


REFUSED = {
    "fit resnext": "no architecture 'resnext'",
    "fit scratch_cnn --data missing": "missing/train",
    "fit scratch_cnn --base imagenet": "takes no base",
    "fit xception": "--base imagenet",
    "fit xception --base nowhere.h5": "nowhere.h5",
    "fit mobilenet_v2 --frozen-stages 1": "--frozen-stages needs --base or --start",
    "fit scratch_cnn --crop 1.5": "Received: (1.5, 1.0)",
    "fit scratch_cnn --limit 0": "at least 1",
    "fit scratch_cnn --image-size 5": "8 to 2048",
    "fit scratch_cnn --start nowhere.h5": "nowhere.h5",
    "fit scratch_cnn --start file": "file cannot continue",
    "fit scratch_cnn --out file/weights": "file/weights",
    # What a run would replace, it must not read.
    "fit scratch_cnn --start weights/scratch_cnn.h5": "choose another --out",
    "fit xception --base weights/xception.h5": "replace weights/xception.h5",
    "distill xception --teacher weights/xception.h5": "replace weights/xception.h5",
    "distill xception --teacher file --answers weights/xception.h5": "replace weights/xception.h5",
    "distill xception --teacher file --imitation -1": "--imitation must be",
    "distill xception --teacher file --imitation nan": "--imitation must be",
    "distill xception --teacher file --teacher-size 0": "8 to 2048",
    # Which is measured on only after the training.
    "fit scratch_cnn --more more": "more/val/birds",
    "distill xception --teacher nowhere.h5": "nowhere.h5",
    "distill xception --teacher file": "teacher file cannot be loaded",
    "distill scratch_cnn --teacher file": "takes no teacher",
    "evaluate --weights nowhere": "nowhere",
}


@pytest.mark.parametrize("command", REFUSED)
def test_wrong_arguments_are_told_in_one_sentence(tiny_data, tmp_path, monkeypatch, capsys, command):
    monkeypatch.chdir(tmp_path)
    for name in ("file", "weights/scratch_cnn.h5", "weights/xception.h5"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("not a model")
    (tmp_path / "more" / "val" / "birds").mkdir(parents=True)
    name, *words = command.split()
    assert main([name, "--data", str(tiny_data), "--overwrite", *words]) == 1
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ")
    assert REFUSED[command] in error
