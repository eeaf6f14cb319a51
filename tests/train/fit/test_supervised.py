"""`fit` on tiny pictures: real files, runs that go on, honest figures; and what train's commands refuse."""

from __future__ import annotations

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
from tests.train.conftest import TRAINED, fit, fit_command
from train.__main__ import main
from train.fit import finish
from train.fit.provenance import base_provenance
from train.networks import architectures

SHORT = ["--stages", "24x1"]

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
    assert (spec.training["epochs"], len(spec.training["history"])) == (12, 12)
    assert (spec.training["dataset"], spec.training["base"]) == ("tiny pictures", "random weights")
    assert spec.training["command"].startswith("python -m train fit scratch_cnn")
    comparison = load(Settings(weights=trained / "weights")).compare(tiny_data / "val" / "cats" / "cats.0.png")
    assert comparison.models[0].label == "cat"


def test_resnet50_trains_its_head_on_a_frozen_base_and_serves(tiny_data, tmp_path, capsys):
    base = tmp_path / "base.h5"
    architectures.build_base("resnet50").save(base)
    frozen = ["--base", str(base), "--stages", "24x1", "--frozen-stages", "1", "--limit", "4"]
    assert fit(tiny_data, tmp_path, *frozen, name="resnet50") == 0
    spec = spec_in(tmp_path, "resnet50")
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["val_accuracy"] == spec.validation_accuracy
    trained = keras.models.load_model(tmp_path / "run" / "resnet50.h5", compile=False).get_weights()
    before = architectures.build_base("resnet50", weights=str(base)).get_weights()
    for one, other in zip(trained[:-2], before, strict=True):
        np.testing.assert_array_equal(one, other)
    assert spec.training["recipe"]["frozen_stages"] == 1
    assert spec.training["base"] == {"file": "base.h5", "sha256": sha256_of(base)}
    comparison = load(Settings(weights=tmp_path / "weights")).compare(tiny_data / "val" / "cats" / "cats.0.png")
    assert comparison.models[0].confidence >= 0.5


def test_a_base_of_random_weights_is_not_frozen(tiny_data, tmp_path):
    assert fit(tiny_data, tmp_path, *SHORT, "--base", "none", "--limit", "4", name="resnet50") == 0
    assert spec_in(tmp_path, "resnet50").training["recipe"]["frozen_stages"] == 0


# `python -m train` with small networks, killed when the state of its second epoch is written but not yet in place.
KILLED = """
import os, signal, sys
from tests.train.conftest import eagerly, small_instead
from train.__main__ import main

replace = os.replace

def replace_or_die(source, target):
    if os.path.basename(target) == "epoch-0002":
        os.kill(os.getpid(), signal.SIGKILL)
    replace(source, target)

os.replace = replace_or_die
with small_instead(), eagerly():
    main(sys.argv[1:])
"""


def test_a_run_killed_while_it_writes_its_state_ends_like_an_unbroken_one(tiny_data, tmp_path):
    options = ["--stages", "24x1,32x2", "--batch-size", "16", "--cutmix", "0.5"]
    killed, unbroken = tmp_path / "killed", tmp_path / "unbroken"
    assert fit(tiny_data, unbroken, *options) == 0
    command = [sys.executable, "-c", KILLED, *fit_command(tiny_data, killed, *options)]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=600)
    assert process.returncode == -signal.SIGKILL, process.stderr
    assert any((killed / "run").glob("*.partial")) and not any((killed / "weights").glob("*.h5"))
    done = json.loads(state_of(killed).read_text())["history"]
    assert len(done) == 1
    assert fit(tiny_data, killed, *options) == 0
    assert len(list((killed / "run").glob("epoch-*"))) == 1
    once, again = (spec_in(folder).training["history"] for folder in (unbroken, killed))
    assert again[:1] == done
    assert [row["epoch"] for row in again] == [1, 2, 3]
    assert [row["loss"] for row in again] == pytest.approx([row["loss"] for row in once], rel=1e-3)
    weights = (keras.models.load_model(f / "weights" / "scratch_cnn.h5").get_weights() for f in (unbroken, killed))
    for one, other in zip(*weights, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-3)


@pytest.mark.parametrize(
    ("options", "said"), [(["--seed", "5"], "--restart"), (["--limit", "8"], "photos was 48, is 16")]
)
def test_a_run_with_other_settings_or_photos_is_not_mixed_in(tiny_data, finished, capsys, options, said):
    assert fit(tiny_data, finished, *TRAINED, *options) == 1
    assert said in capsys.readouterr().err


def test_a_run_on_other_labels_is_not_mixed_in(tiny_data, finished, tmp_path, capsys):
    data = shutil.copytree(tiny_data, tmp_path / "data")
    for source, label in (("cats", "dogs"), ("dogs", "cats")):
        photo = sorted((data / "train" / source).iterdir())[0]
        photo.rename(data / "train" / label / f"moved-{photo.name}")
    assert fit(data, finished, *TRAINED) == 1
    assert "digest of photos and labels was" in capsys.readouterr().err


def test_a_run_goes_on_with_photos_that_moved_even_where_it_recorded_no_inputs(tiny_data, finished, tmp_path):
    content = json.loads(state_of(finished).read_text())
    assert content.pop("inputs")
    elsewhere = shutil.copytree(tiny_data, tmp_path / "elsewhere")
    assert fit(elsewhere, finished, *TRAINED) == 0
    state_of(finished).write_text(json.dumps(content))
    assert fit(tiny_data, finished, *TRAINED) == 0


def test_restart_forgets_checkpoints_once_there_are_new_ones_and_nothing_else(tiny_data, finished, tmp_path):
    (finished / "run" / "photos").mkdir()
    before = state_of(finished).read_text()
    broken = ["--precision", "float8"], ["--data", str(tmp_path / "nowhere")], ["--start", str(tmp_path / "no.h5")]
    for options in broken:
        assert fit(tiny_data, finished, "--seed", "5", "--restart", *options) == 1
        assert state_of(finished).read_text() == before
    assert fit(tiny_data, finished, *SHORT, "--seed", "5", "--restart") == 0
    assert json.loads(state_of(finished).read_text())["recipe"]["seed"] == 5
    assert (finished / "run" / "photos").is_dir()


def test_training_stops_when_the_loss_is_no_number(tiny_data, tmp_path, capsys):
    assert fit(tiny_data, tmp_path, *SHORT, "--batch-size", "8", "--learning-rate", "1e30") == 1
    assert "--restart" in capsys.readouterr().err
    assert list((tmp_path / "weights").iterdir()) == []
    assert not list((tmp_path / "run").glob("*/*.h5"))


def test_a_model_is_not_replaced_by_a_run_that_starts_from_it(tiny_data, finished, tmp_path, capsys):
    start = ["--start", str(finished / "weights" / "scratch_cnn.h5"), *SHORT]
    elsewhere = ["--run", str(tmp_path / "second"), "--out", str(tmp_path / "out")]
    assert fit(tiny_data, finished, *start, *elsewhere[:2]) == 1
    assert "choose another --out" in capsys.readouterr().err
    of_the_run = ["--start", str(finished / "run" / "scratch_cnn.h5"), "--restart"]
    assert fit(tiny_data, finished, *of_the_run, *elsewhere[2:]) == 1
    assert "choose another --out or --run" in capsys.readouterr().err
    assert fit(tiny_data, finished, *start, *elsewhere) == 0
    base = ModelSpec.read(tmp_path / "out" / "scratch_cnn.json").training["base"]
    assert (base["file"], base["training"]["base"]) == ("scratch_cnn.h5", "random weights")


@pytest.mark.parametrize("command", [["fit", "xception", "--base"], ["distill", "xception", "--teacher"]])
def test_neither_a_base_nor_a_teacher_is_replaced(tiny_data, tmp_path, monkeypatch, capsys, command):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "xception.h5").write_bytes(b"weights of a day")
    assert main([*command, "weights/xception.h5", "--data", str(tiny_data)]) == 1
    assert "would replace weights/xception.h5" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["scratch_cnn", "xception"])
def test_a_model_of_other_classes_goes_elsewhere(tiny_data, tiny_weights, tmp_path, capsys, name):
    (tmp_path / "weights").mkdir()
    known = json.loads((tiny_weights / f"{name}.json").read_text()) | {"classes": ["cow", "horse"]}
    (tmp_path / "weights" / f"{name}.json").write_text(json.dumps(known))
    (tmp_path / "weights" / "damaged.json").write_text("{")
    assert fit(tiny_data, tmp_path) == 1
    said = capsys.readouterr().err
    assert all(fact in said for fact in (name, "cow, horse", "cat, dog"))


def test_json_of_another_kind_beside_a_base_is_no_spec(tmp_path):
    (tmp_path / "base.h5").write_bytes(b"weights")
    (tmp_path / "base.json").write_text('{"class_name": "Functional"}')
    named = {"file": "base.h5", "sha256": sha256_of(tmp_path / "base.h5")}
    assert base_provenance(str(tmp_path / "base.h5")) == named
    (tmp_path / "base.json").write_text("{")
    with pytest.raises(ModelMismatch, match="cannot be read"):
        base_provenance(str(tmp_path / "base.h5"))


def test_a_spec_of_other_weights_is_not_believed(finished):
    base = finished / "weights" / "scratch_cnn.h5"
    spec = spec_in(finished)
    named = {"file": "scratch_cnn.h5", "sha256": spec.sha256}
    assert base_provenance(str(base)) == named | {"training": spec.training}
    with open(base, "ab") as file:
        file.write(b"more")
    assert base_provenance(str(base)) == {"file": "scratch_cnn.h5", "sha256": sha256_of(base)}


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
    "fit scratch_cnn --stages 96": "SIZExEPOCHS",
    "fit scratch_cnn --seed -1": "Received: -1",
    "fit scratch_cnn --crop 1.5": "Received: (1.5, 1.0)",
    "fit scratch_cnn --limit 0": "at least 1",
    "fit scratch_cnn --image-size 5": "8 to 2048",
    "fit scratch_cnn --start nowhere.h5": "nowhere.h5",
    "fit scratch_cnn --start file": "file cannot continue",
    "fit scratch_cnn --out file/weights": "file/weights",
    "distill xception --teacher nowhere.h5": "nowhere.h5",
    "distill xception --teacher file": "teacher file cannot be loaded",
    "distill scratch_cnn --teacher file": "takes no teacher",
    "evaluate --weights nowhere": "nowhere",
}


@pytest.mark.parametrize("command", REFUSED)
def test_wrong_arguments_are_told_in_one_sentence(tiny_data, tmp_path, monkeypatch, capsys, command):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("not a model")
    name, *words = command.split()
    assert main([name, "--data", str(tiny_data), *words]) == 1
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ")
    assert REFUSED[command] in error


def test_the_terminal_shows_progress_and_nothing_else(tiny_data, tmp_path):
    options = ["--stages", "8x1", "--image-size", "8", "--limit", "1"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    command = [sys.executable, "-m", "train", *fit_command(tiny_data, tmp_path, *options)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = [line for line in re.split(r"[\r\n]+", done.stderr) if line]
    assert [line for line in lines if not re.match(r"photos( at \d+ px)?: ", line)] == []
