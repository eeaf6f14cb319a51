"""fit, distill and evaluate on tiny pictures: real files, resumed runs, honest figures."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys

import keras
import numpy as np
import pytest

from catdog import InvalidSettings, ModelMismatch, ModelSpec, Settings, load
from catdog.classifier import calibrated
from catdog.engine import fast_here, precision_of
from catdog.models.spec import sha256_of
from tests.conftest import ROOT
from tests.tiny import write_tiny_model
from tests.train.conftest import disc, waves, write_pictures
from train.__main__ import main
from train.data import dataset
from train.data.dataset import DatasetError
from train.fit import distill, history, trainer
from train.fit.provenance import base_provenance
from train.fit.trainer import Checkpoints, Recipe, parse_stages
from train.measure import evaluate
from train.networks import architectures, h5

TINY = ["--stages", "24x1,32x1", "--batch-size", "16", "--precision", "float32", "--image-size", "32"]


@pytest.fixture(autouse=True)
def small_unless_full(request):
    if "full_networks" not in request.fixturenames:
        request.getfixturevalue("small_networks")


@pytest.fixture
def full_networks():
    """Asks for the networks as they are."""


def fit(data, tmp_path, *more: str) -> int:
    return main(
        [
            "fit",
            "scratch_cnn",
            "--data",
            str(data),
            "--run",
            str(tmp_path / "run"),
            "--out",
            str(tmp_path / "weights"),
            *TINY,
            *more,
        ]
    )


def test_fit_learns_and_serves(tiny_data, tmp_path, capsys):
    stages = ["--stages", "32x12", "--learning-rate", "0.01", "--batch-size", "4"]
    assert fit(tiny_data, tmp_path, *stages, "--dataset", "tiny pictures") == 0
    last_line = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    spec = ModelSpec.read(tmp_path / "weights" / "scratch_cnn.json")
    assert last_line["val_accuracy"] == spec.validation_accuracy >= 0.9
    assert spec.training["epochs"] == 12
    assert spec.training["dataset"] == "tiny pictures"
    assert spec.training["base"] == "random weights"
    assert spec.training["command"].startswith("python -m train fit scratch_cnn")
    assert len(spec.training["history"]) == 12
    comparison = load(Settings(weights=tmp_path / "weights")).compare(tiny_data / "val" / "cats" / "cats.0.png")
    assert comparison.models[0].label == "cat"


def test_resnet50_trains_its_head_on_a_frozen_base_and_serves(tiny_data, tmp_path):
    base = tmp_path / "base.h5"
    architectures.build_base("resnet50").save(base)
    command = ["fit", "resnet50", "--data", str(tiny_data), "--run", str(tmp_path / "run"), *TINY, "--limit", "4"]
    frozen = [*command, "--out", str(tmp_path / "weights"), "--base", str(base), "--frozen-stages", "2"]
    assert main(frozen) == 0
    trained = keras.models.load_model(tmp_path / "run" / "resnet50.h5", compile=False).get_weights()
    before = architectures.build_base("resnet50", weights=str(base)).get_weights()
    for one, other in zip(trained[:-2], before, strict=True):
        np.testing.assert_array_equal(one, other)
    spec = ModelSpec.read(tmp_path / "weights" / "resnet50.json")
    assert spec.training["recipe"]["frozen_stages"] == 2
    assert spec.training["base"] == {"file": "base.h5", "sha256": sha256_of(base)}
    comparison = load(Settings(weights=tmp_path / "weights")).compare(tiny_data / "val" / "cats" / "cats.0.png")
    assert comparison.models[0].confidence >= 0.5


def test_a_base_of_random_weights_is_not_frozen(tiny_data, tmp_path):
    places = ["--run", str(tmp_path / "run"), "--out", str(tmp_path / "weights"), "--limit", "4"]
    assert (
        main(["fit", "resnet50", "--data", str(tiny_data), "--base", "none", *places, *TINY, "--stages", "24x1"]) == 0
    )
    assert ModelSpec.read(tmp_path / "weights" / "resnet50.json").training["recipe"]["frozen_stages"] == 0


def test_a_killed_run_ends_like_an_unbroken_one(tiny_data, tmp_path, monkeypatch):
    assert fit(tiny_data, tmp_path / "unbroken", "--cutmix", "0.5") == 0
    real = Checkpoints.save

    def killed_after_one_epoch(self, model, row):
        real(self, model, row)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, "save", killed_after_one_epoch)
        assert fit(tiny_data, tmp_path / "killed", "--cutmix", "0.5") == 130
    assert list((tmp_path / "killed" / "weights").iterdir()) == []
    (tmp_path / "killed" / "run" / "epoch-0002.partial").mkdir()
    assert fit(tiny_data, tmp_path / "killed", "--cutmix", "0.5") == 0
    unbroken, resumed = (
        keras.models.load_model(tmp_path / kind / "weights" / "scratch_cnn.h5").get_weights()
        for kind in ("unbroken", "killed")
    )
    once, again = (
        ModelSpec.read(tmp_path / kind / "weights" / "scratch_cnn.json").training["history"]
        for kind in ("unbroken", "killed")
    )
    assert [row["epoch"] for row in again] == [1, 2]
    assert [row["loss"] for row in again] == pytest.approx([row["loss"] for row in once], rel=1e-3)
    for one, other in zip(unbroken, resumed, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-3)


# `python -m train` with small networks.
SMALL = """
import os, signal, sys
from tests.train.conftest import small
from train.__main__ import main
from train.architectures import ARCHITECTURES

ARCHITECTURES.update(small())
"""
# The same, killed when the state of its third epoch is written and not yet in its place.
KILLED = f"""
{SMALL}
replace = os.replace

def replace_or_die(source, target):
    if os.path.basename(target) == "epoch-0003":
        os.kill(os.getpid(), signal.SIGKILL)
    replace(source, target)

os.replace = replace_or_die
main(sys.argv[1:])
"""


def test_a_run_killed_while_it_writes_its_state_goes_on_from_the_one_before(tiny_data, tmp_path):
    run, out = tmp_path / "run", tmp_path / "weights"
    places = ["--data", tiny_data, "--run", run, "--out", out]
    command = ["fit", "scratch_cnn", *map(str, places), *TINY, "--stages", "24x3"]
    killed = subprocess.run([sys.executable, "-c", KILLED, *command], cwd=ROOT, capture_output=True, timeout=600)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert any(run.glob("*.partial")) and not any(out.glob("*.h5"))
    done = json.loads(max(run.glob("epoch-????/state.json")).read_text())["history"]
    assert len(done) == 2
    again = [sys.executable, "-c", f"{SMALL}\nsys.exit(main(sys.argv[1:]))", *command]
    subprocess.run(again, cwd=ROOT, capture_output=True, check=True, timeout=600)
    history = ModelSpec.read(out / "scratch_cnn.json").training["history"]
    assert [row["epoch"] for row in history] == list(range(1, 4))
    assert history[: len(done)] == done
    assert len(list(run.glob("epoch-*"))) == 1


def test_a_run_with_other_settings_is_not_mixed_in(tiny_data, tmp_path, capsys):
    assert fit(tiny_data, tmp_path) == 0
    assert fit(tiny_data, tmp_path, "--seed", "5") == 1
    assert "--restart" in capsys.readouterr().err
    assert fit(tiny_data, tmp_path, "--seed", "5", "--restart") == 0
    assert ModelSpec.read(tmp_path / "weights" / "scratch_cnn.json").training["seed"] == 5


def test_a_run_on_other_photos_is_not_mixed_in(tiny_data, tmp_path, capsys):
    assert fit(tiny_data, tmp_path, "--limit", "8") == 0
    assert fit(tiny_data, tmp_path) == 1
    assert "photos was 16, is 48" in capsys.readouterr().err


def test_a_run_on_other_labels_is_not_mixed_in(tiny_data, tmp_path, capsys):
    data = tmp_path / "data"
    shutil.copytree(tiny_data, data)
    assert fit(data, tmp_path) == 0
    for source, label in (("cats", "dogs"), ("dogs", "cats")):
        photo = sorted((data / "train" / source).iterdir())[0]
        photo.rename(data / "train" / label / f"moved-{photo.name}")
    assert fit(data, tmp_path) == 1
    assert "digest of photos and labels was" in capsys.readouterr().err
    shutil.rmtree(data)
    shutil.copytree(tiny_data, data)
    moved = data.rename(tmp_path / "elsewhere")
    assert fit(moved, tmp_path) == 0  # the same photos in another place


def test_a_run_that_recorded_no_inputs_goes_on(tiny_data, tmp_path):
    assert fit(tiny_data, tmp_path) == 0
    (state,) = (tmp_path / "run").glob("epoch-*/state.json")
    content = json.loads(state.read_text())
    del content["inputs"]
    state.write_text(json.dumps(content))
    assert fit(tiny_data, tmp_path) == 0


def test_restart_forgets_checkpoints_once_there_are_new_ones_and_nothing_else(tiny_data, tmp_path, capsys):
    assert fit(tiny_data, tmp_path) == 0
    (state,) = (tmp_path / "run").glob("epoch-*/state.json")
    (tmp_path / "run" / "photos").mkdir()
    before = state.read_text()
    for broken in (
        ["--precision", "float8"],
        ["--data", str(tmp_path / "nowhere")],
        ["--start", str(tmp_path / "no.h5")],
    ):
        assert fit(tiny_data, tmp_path, "--seed", "5", "--restart", *broken) == 1
        assert state.read_text() == before
    assert fit(tiny_data, tmp_path, "--seed", "5", "--restart") == 0
    (state,) = (tmp_path / "run").glob("epoch-*/state.json")
    assert json.loads(state.read_text())["recipe"]["seed"] == 5
    assert (tmp_path / "run" / "photos").is_dir()


def test_random_weights_are_not_frozen(tiny_data, tmp_path, capsys):
    assert main(["fit", "mobilenet_v2", "--data", str(tiny_data), "--frozen-stages", "1"]) == 1
    assert "--frozen-stages needs --base or --start" in capsys.readouterr().err


def test_what_the_recipe_of_a_pretrained_network_needs_is_asked_for(tiny_data, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["fit", "xception", "--data", str(tiny_data), *TINY]) == 1
    assert "add --base imagenet, --base or --start with an .h5, or --base none" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_training_stops_when_the_loss_is_no_number(tiny_data, tmp_path, capsys):
    assert fit(tiny_data, tmp_path, "--learning-rate", "1e30") == 1
    assert "no longer a number. Train again" in capsys.readouterr().err
    assert list((tmp_path / "weights").iterdir()) == []
    assert not list((tmp_path / "run").glob("*/*.h5"))


def test_a_model_is_not_replaced_by_a_run_that_starts_from_it(tiny_data, tmp_path, capsys):
    assert fit(tiny_data, tmp_path) == 0
    start = ["--start", str(tmp_path / "weights" / "scratch_cnn.h5")]
    assert fit(tiny_data, tmp_path, *start, "--run", str(tmp_path / "second")) == 1
    assert "choose another --out" in capsys.readouterr().err
    of_the_run = ["--start", str(tmp_path / "run" / "scratch_cnn.h5"), "--restart"]
    assert fit(tiny_data, tmp_path, *of_the_run, "--out", str(tmp_path / "out")) == 1
    assert "choose another --out or --run" in capsys.readouterr().err
    assert fit(tiny_data, tmp_path, *start, "--run", str(tmp_path / "second"), "--out", str(tmp_path / "out")) == 0
    base = ModelSpec.read(tmp_path / "out" / "scratch_cnn.json").training["base"]
    assert base["file"] == "scratch_cnn.h5"
    assert base["training"]["base"] == "random weights"


@pytest.mark.parametrize("command", [["fit", "xception", "--base"], ["distill", "xception", "--teacher"]])
def test_neither_a_base_nor_a_teacher_is_replaced(tiny_data, tmp_path, monkeypatch, capsys, command):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "xception.h5").write_bytes(b"weights of a day")
    assert main([*command, "weights/xception.h5", "--data", str(tiny_data), *TINY]) == 1
    assert "would replace weights/xception.h5" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["scratch_cnn", "xception"])
def test_a_model_of_other_classes_goes_elsewhere(tiny_data, tiny_weights, tmp_path, capsys, name):
    weights = tmp_path / "weights"
    weights.mkdir()
    known = ModelSpec.read(tiny_weights / f"{name}.json")
    known.replace(classes=("cow", "horse")).write(weights / f"{name}.json")
    (weights / "damaged.json").write_text("{")
    assert fit(tiny_data, tmp_path) == 1
    assert f"holds {name}, which knows the classes cow, horse; the data folder has cat, dog" in capsys.readouterr().err


def test_json_of_another_kind_beside_a_base_is_no_spec(tmp_path):
    (tmp_path / "base.h5").write_bytes(b"weights")
    (tmp_path / "base.json").write_text('{"class_name": "Functional"}')
    named = {"file": "base.h5", "sha256": sha256_of(tmp_path / "base.h5")}
    assert base_provenance(str(tmp_path / "base.h5")) == named
    (tmp_path / "base.json").write_text("{")
    with pytest.raises(ModelMismatch, match="cannot be read"):
        base_provenance(str(tmp_path / "base.h5"))


def test_a_spec_of_other_weights_is_not_believed(tiny_data, tmp_path):
    assert fit(tiny_data, tmp_path) == 0
    base = tmp_path / "weights" / "scratch_cnn.h5"
    spec = ModelSpec.read(base.with_suffix(".json"))
    named = {"file": "scratch_cnn.h5", "sha256": spec.sha256}
    assert base_provenance(str(base)) == named | {"training": spec.training}
    spec.replace(sha256="0" * 64).write(base.with_suffix(".json"))
    assert base_provenance(str(base)) == named


def write_teacher(path):
    """A model whose first layer is a feature extractor on pixels of -1..1, of any size."""
    pixels = keras.Input((None, None, 3))
    features = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(6, 3, strides=4)(pixels))
    head = keras.layers.Dense(2, activation="softmax")
    keras.Sequential([keras.Input((None, None, 3)), keras.Model(pixels, features), head]).save(path)


def test_where_a_teacher_comes_from_is_read_before_training(tiny_data, tmp_path, monkeypatch):
    teacher = tmp_path / "teacher.h5"
    write_teacher(teacher)
    sha256 = sha256_of(teacher)
    real = Checkpoints.save

    def save_and_move(self, model, row):
        real(self, model, row)
        teacher.rename(tmp_path / "moved.h5")

    monkeypatch.setattr(Checkpoints, "save", save_and_move)
    places = ["--data", tiny_data, "--run", tmp_path / "run", "--out", tmp_path / "weights", "--teacher", teacher]
    assert main(["distill", "xception", *map(str, places), *TINY, "--stages", "24x1", "--limit", "2"]) == 0
    spec = ModelSpec.read(tmp_path / "weights" / "xception.json")
    assert spec.training["teacher"] == {"file": "teacher.h5", "sha256": sha256}


def test_a_distilled_classifier_is_gone_on_from(tiny_data, tmp_path, capsys):
    write_teacher(tmp_path / "teacher.h5")
    common = ["--data", str(tiny_data), "--limit", "2", "--stages", "24x1", "--batch-size", "4"]
    common += ["--precision", "float32", "--image-size", "24"]

    def run(command: str, folder: str, *more: str) -> ModelSpec:
        out = ["--out", str(tmp_path / folder), "--run", str(tmp_path / f"run-{folder}")]
        assert main([command, "xception", *common, *out, *more]) == 0
        return ModelSpec.read(tmp_path / folder / "xception.json")

    teacher = ["--teacher", str(tmp_path / "teacher.h5")]
    first = run("distill", "first", *teacher)
    assert first.training["teacher"]["sha256"] == sha256_of(tmp_path / "teacher.h5")
    assert first.training["base"] == "random weights"
    second = run("distill", "second", *teacher, "--start", str(tmp_path / "first" / "xception.h5"))
    assert second.training["base"]["training"] == first.training
    third = run("distill", "third", "--teacher", str(tmp_path / "first" / "xception.h5"))
    assert "weight_of_answers" not in first.training
    assert third.training["weight_of_answers"] == distill.ANSWERS
    (epoch,) = history.runs(third.training)[-1].epochs
    assert min(epoch["loss"], epoch["val_loss"]) > 0
    assert "val_loss" not in third.training["history"][-1]
    log = capsys.readouterr().out
    assert "val_label_loss: " in log and "val_loss: " not in log
    base = run("fit", "base", "--base", str(tmp_path / "second" / "xception.h5"))
    assert base.training["base"]["training"] == second.training
    started = run("fit", "started", "--start", str(tmp_path / "second" / "xception.h5"))
    assert started.training["base"]["sha256"] == second.sha256
    assert load(Settings(weights=tmp_path / "started")).compare(next(tiny_data.rglob("*.png"))).models


@pytest.mark.parametrize("name", ["xception", "mobilenet_v2"])
def test_a_distilled_network_keeps_its_outputs(full_networks, tmp_path, name):
    """What is saved answers as what was trained: the second output for the teacher changes no order of weights."""
    student = architectures.build(name)
    photos = np.random.default_rng(1).integers(0, 256, (2, 48, 48, 3), np.uint8)
    taught = distill.Taught(tiny_teacher(), None, photos)
    begun = distill.projection(student, taught, photos, 48)
    trained = distill._training_model(student, taught, begun, 48, Recipe(((48, 1),)), keras.optimizers.SGD())
    saved = architectures.build(name, image_size=48)
    saved.set_weights(trained.get_layer(name).get_weights())
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 48, 48, 3)).astype(np.float32)
    expected = trained.predict_on_batch({"photos": pixels, "shares": np.ones((2, 1), np.float32)})
    np.testing.assert_allclose(saved.predict_on_batch(pixels), expected, atol=1e-5)


def tiny_teacher() -> keras.Model:
    """The colours of each place as features."""
    pixels = keras.Input((None, None, 3))
    return keras.Model(pixels, keras.layers.Identity()(pixels))


def same(taught: distill.Taught) -> list[np.ndarray]:
    """The projection of a student that has the features of its teacher."""
    return [np.diag(1 / taught.place_deviation), -taught.mean / taught.place_deviation]


def owed(taught: distill.Taught, begun: list[np.ndarray], probabilities, places, photos) -> float:
    """What a student owes its teacher who says this of photos and their places."""
    imitation = distill.Imitation(taught)
    imitation.build(None, places.shape, None)
    imitation.projection.set_weights(begun)
    imitation(probabilities, places, photos, training=True)
    return sum(map(float, imitation.losses))


def test_the_teacher_sees_the_very_crop_of_the_student():
    photos = np.random.default_rng(0).uniform(0, 255, (4, 8, 8, 3)).astype(np.float32)
    features = photos.mean(axis=(1, 2))
    taught = distill.Taught(tiny_teacher(), None, photos)
    np.testing.assert_allclose(taught.mean, features.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(taught.deviation, features.std(axis=0), rtol=1e-2)
    np.testing.assert_allclose(taught.place_deviation, photos.std(axis=(0, 1, 2)), rtol=1e-2)
    imitation = distill.Imitation(taught)
    probabilities, places = np.full((4, 1), 0.5, np.float32), np.ones((4, 8, 8, 2), np.float32)
    np.testing.assert_array_equal(imitation(probabilities, places, photos, training=True), probabilities)
    (error,) = imitation.losses
    differences = places @ keras.ops.convert_to_numpy(imitation.projection.kernel) - (
        (photos - taught.mean) / taught.place_deviation
    )
    of_photos = differences.mean(axis=(1, 2)) * taught.place_deviation / taught.deviation
    expected = (of_photos**2).mean() + distill.PLACES * (differences**2).mean()
    assert float(error) == pytest.approx(float(expected), rel=1e-4)
    assert len(imitation.trainable_weights) == 2  # the projection's
    imitation(probabilities, places, photos, training=False)
    assert not imitation.losses


@pytest.mark.parametrize(("ridge", "share"), [(1e-6, 1e-4), (distill.RIDGE, 0.5)])
def test_a_student_that_knows_what_its_teacher_knows_owes_little_at_first(monkeypatch, ridge, share):
    monkeypatch.setattr(distill, "RIDGE", ridge)
    photos = np.random.default_rng(0).uniform(0, 255, (70, 8, 8, 3)).astype(np.float32)
    taught = distill.Taught(tiny_teacher(), None, photos)
    begun = distill.projection(mixing_student(), taught, photos, 8)
    unsure = np.full((70, 1), 0.5, np.float32)
    nothing = [np.zeros_like(weights) for weights in begun]
    assert owed(taught, begun, unsure, photos @ MIXED, photos) < share * owed(
        taught, nothing, unsure, photos @ MIXED, photos
    )


MIXED = np.array([[0.2, 0.7, 0.0], [0.5, 0.0, 0.5], [0.0, 0.3, 0.4]], np.float32)


def mixing_student() -> keras.Model:
    """Has other mixtures of the colours of each place as features."""
    pixels = keras.Input((None, None, 3))
    mixtures = keras.layers.Dense(3, use_bias=False)
    pooled = keras.layers.GlobalAveragePooling2D()(mixtures(pixels))
    mixtures.set_weights([MIXED])
    return keras.Model(pixels, architectures.head(2)(pooled))


def test_a_student_with_a_smaller_map_is_told_of_its_places():
    """The left halves are dark, the right halves bright: so are the places of a map of half the size."""
    photos = np.zeros((4, 8, 8, 3), np.float32)
    photos[:, :, 4:] = 200
    photos += np.random.default_rng(0).uniform(0, 55, (4, 1, 1, 3)).astype(np.float32)
    taught = distill.Taught(tiny_teacher(), None, photos)

    places, unsure = photos[:, ::2, ::2], np.full((4, 1), 0.5, np.float32)
    mirrored = places[:, :, ::-1]
    assert owed(taught, same(taught), unsure, places, photos) < 0.1
    assert owed(taught, same(taught), unsure, mirrored, photos) > 1


def test_a_classifier_that_was_trained_here_can_teach(full_networks, tmp_path):
    classifier = architectures.build("mobilenet_v2", image_size=48)
    path = tmp_path / "teacher.h5"
    classifier.save(path)
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 48, 48, 3)).astype(np.float32)
    expected = keras.Model(classifier.input, classifier.get_layer("dropout").input).predict_on_batch(pixels)
    teacher, answer = distill.load_teacher(path, ("cat", "dog"))
    features = teacher.predict_on_batch(pixels).mean(axis=(1, 2))
    np.testing.assert_allclose(features, expected, atol=1e-4)
    assert answer is None  # nobody said what its output means
    spec = ModelSpec(
        name="mobilenet_v2",
        title="MobileNetV2",
        architecture="mobilenet_v2",
        file=path.name,
        sha256=sha256_of(path),
        bytes=path.stat().st_size,
        image_size=48,
        classes=("cat", "dog"),
    )
    spec.write(path.with_suffix(".json"))
    _, answer = distill.load_teacher(path, ("cat", "dog"))
    np.testing.assert_allclose(answer(features), classifier.predict_on_batch(pixels), atol=1e-5)
    assert distill.load_teacher(path, ("cow", "horse"))[1] is None


def answering(classes: int, photos: np.ndarray) -> distill.Taught:
    """A teacher whose answers come from random weights."""
    head = architectures.head(classes)
    head.build((None, 3))
    head.set_weights([head.kernel / 255, head.bias])
    return distill.Taught(tiny_teacher(), head, photos)


@pytest.mark.parametrize(("classes", "outputs"), [(2, 1), (3, 3)])
def test_a_student_owes_the_answers_of_its_teacher(classes, outputs):
    photos = np.random.default_rng(0).uniform(0, 255, (4, 8, 8, 3)).astype(np.float32)
    taught = answering(classes, photos)
    silent = distill.Taught(tiny_teacher(), None, photos)
    assert taught.objective == {**silent.objective, "weight_of_answers": distill.ANSWERS}
    targets = keras.ops.convert_to_numpy(taught.answer(photos.mean(axis=(1, 2))))
    said = keras.ops.convert_to_numpy(keras.ops.softmax(np.random.default_rng(1).normal(size=(4, 3))))[:, :outputs]
    surprise = -(targets * np.log(said) + (outputs == 1) * (1 - targets) * np.log(1 - said)).sum(axis=1)
    # A student with the features of its teacher owes nothing else.
    assert owed(silent, same(silent), said, photos, photos) == pytest.approx(0, abs=1e-6)
    expected = distill.ANSWERS * surprise.mean()
    assert owed(taught, same(taught), said, photos, photos) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("knows", [True, False])
def test_labels_teach_where_the_teacher_has_no_answer(knows):
    photos = np.random.default_rng(0).uniform(0, 255, (4, 8, 8, 3)).astype(np.float32)
    taught = answering(2, photos) if knows else distill.Taught(tiny_teacher(), None, photos)
    batch = {"photos": photos, "shares": np.ones((4, 1), np.float32)}
    rows = []
    for labels in ([0, 1, 1, 0], [1, 0, 0, 1]):
        keras.utils.set_random_seed(0)
        model = distill._training_model(
            mixing_student(), taught, same(taught), 8, Recipe(((8, 1),)), keras.optimizers.SGD()
        )
        rows.append(model.train_on_batch(batch, np.float32(labels)[:, None], return_dict=True))
    assert rows[0]["label_loss"] != rows[1]["label_loss"]
    assert (rows[0]["loss"] == rows[1]["loss"]) == knows
    assert rows[0]["loss"] > 0


def test_the_base_of_a_pretrained_model_is_taken_whole(full_networks, tmp_path):
    """As mobilenet_v2 is fine-tuned: a model whose first layer is the network on pixels of -1..1."""
    network = keras.applications.MobileNetV2(
        include_top=False, weights=None, pooling="avg", input_shape=(None, None, 3)
    )
    keras.Sequential([keras.Input((64, 64, 3)), network, keras.layers.Dense(7, "softmax")]).save(tmp_path / "base.h5")
    base = architectures.build_base("mobilenet_v2", weights=str(tmp_path / "base.h5"))
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 64, 64, 3)).astype(np.float32)
    expected = network.predict_on_batch(pixels / 127.5 - 1)
    np.testing.assert_allclose(base.predict_on_batch(pixels), expected, atol=1e-5)
    with pytest.raises(InvalidSettings, match="does not begin with the weights of xception_base"):
        architectures.build_base("xception", weights=str(tmp_path / "base.h5"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fit", "resnext", "--data", "D"], "no architecture 'resnext'"),
        (["fit", "scratch_cnn", "--data", "missing"], "missing/train must hold one folder per class"),
        (["fit", "scratch_cnn", "--data", "D", "--base", "imagenet"], "takes no base"),
        (["fit", "xception", "--data", "D", "--base", "nowhere.h5"], "existing .h5 file"),
        (["fit", "scratch_cnn", "--data", "D", "--stages", "96"], "SIZExEPOCHS"),
        (["fit", "scratch_cnn", "--data", "D", "--precision", "int4"], "Precision must be one of"),
        (["fit", "scratch_cnn", "--data", "D", "--seed", "-1"], "seed must be 0 to"),
        (["fit", "scratch_cnn", "--data", "D", "--batch-size", "0"], "must be positive"),
        (["fit", "scratch_cnn", "--data", "D", "--crop", "0"], "above 0 and at most 1. Received: 0.0"),
        (["fit", "scratch_cnn", "--data", "D", "--crop", "1.5"], "above 0 and at most 1. Received: 1.5"),
        (["fit", "scratch_cnn", "--data", "D", "--cutmix", "-0.1"], "must be 0 to 1. Received: -0.1"),
        (["fit", "scratch_cnn", "--data", "D", "--limit", "0"], "must be at least 1"),
        (["fit", "scratch_cnn", "--data", "D", "--image-size", "5"], "image size must be 8 to 2048"),
        (["fit", "scratch_cnn", "--data", "D", "--image-size", "0"], "image size must be 8 to 2048"),
        (["fit", "scratch_cnn", "--data", "D", "--learning-rate", "nan"], "must be positive"),
        (["fit", "scratch_cnn", "--data", "D", "--start", "nowhere.h5"], "nowhere.h5: No such file"),
        (["fit", "scratch_cnn", "--data", "D", "--start", "file"], "file cannot be gone on from"),
        (["fit", "scratch_cnn", "--data", "D", "--out", "file/weights"], "cannot be read or written: file/weights"),
        (["distill", "xception", "--data", "D", "--teacher", "nowhere.h5"], "nowhere.h5: No such file"),
        (["distill", "xception", "--data", "D", "--teacher", "file"], "teacher file cannot be loaded"),
        (["distill", "scratch_cnn", "--data", "D", "--teacher", "file"], "takes no teacher"),
        (["evaluate", "--data", "D", "--weights", "nowhere"], "weights folder nowhere does not exist"),
    ],
)
def test_wrong_arguments_are_told_in_one_sentence(tiny_data, tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("not a model")
    assert main([str(tiny_data) if a == "D" else a for a in arguments]) == 1
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ")
    assert message in error


@pytest.mark.parametrize("text", ["", "96", "96x", "x3", "96x0", "4x3", "96x3,", "axb", "96x3x1", "99999x1"])
def test_stages_must_be_readable(text):
    with pytest.raises(InvalidSettings, match="SIZExEPOCHS"):
        parse_stages(text)


def test_stages_are_read():
    assert parse_stages("96x20,128x4") == ((96, 20), (128, 4))
    assert Recipe(stages=((96, 20), (128, 4))).epochs == 24


def test_precision_is_restored():
    before = keras.config.dtype_policy().name
    with trainer.precision("mixed_bfloat16"):
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
    assert keras.config.dtype_policy().name == before


@pytest.mark.parametrize("name", sorted(architectures.ARCHITECTURES))
def test_architectures_scale_their_pixels_and_return_probabilities(name, full_networks):
    for classes, outputs in ((2, 1), (3, 3)):
        model = architectures.build(name, classes=classes, image_size=96)
        assert model.input_shape == (None, 96, 96, 3)
        assert model.output_shape == (None, outputs)
        assert any(isinstance(layer, keras.layers.Rescaling) for layer in model.layers)
    assert model.count_params() < (5e6 if name == "scratch_cnn" else 25e6)


def test_compact_h5_opens_anywhere_and_is_rounded(tmp_path, full_networks):
    model = architectures.build("scratch_cnn", image_size=32)
    model.save(tmp_path / "plain.h5")
    h5.save(model, tmp_path / "exact.h5")
    h5.save(model, tmp_path / "rounded.h5", bits=11)
    exact, rounded = (keras.models.load_model(tmp_path / f"{n}.h5").get_weights() for n in ("exact", "rounded"))
    for before, same, near in zip(model.get_weights(), exact, rounded, strict=True):
        np.testing.assert_array_equal(before, same)
        np.testing.assert_allclose(before, near, rtol=2**-11, atol=1e-7)
    sizes = [(tmp_path / f"{n}.h5").stat().st_size for n in ("plain", "rounded")]
    assert sizes[1] < 0.55 * sizes[0]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["exact.h5", "plain.h5", "rounded.h5"]


@pytest.mark.parametrize("bits", [11, 13, 24])
def test_rounding_keeps_the_nearest_value_of_so_many_bits(bits):
    values = np.float32([0, 1, -1, 1.5, 1 + 2.0**-bits, 1 + 0.8 * 2.0 ** (1 - bits), 1e-6, 1e30, -3.14159265])
    near = h5.rounded(values, bits)
    np.testing.assert_array_equal(near[:4], values[:4])
    assert near[5] == np.float32(1 + 2.0 ** (1 - bits)) or bits == 24
    np.testing.assert_allclose(near, values, rtol=2.0**-bits)
    mantissas = np.frexp(near)[0].astype(np.float64) * 2**bits
    np.testing.assert_array_equal(mantissas, np.round(mantissas))


def test_figures_of_known_predictions():
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.4, 0.6], [0.3, 0.7]])
    figures = evaluate.measure(probabilities, np.array([0, 1, 1, 1]), ("cat", "dog"))
    assert figures["accuracy"] == 0.75
    assert figures["images"] == 4
    assert figures["confusion"] == [[1, 0], [1, 2]]
    assert figures["log_loss"] == pytest.approx(-np.log([0.9, 0.2, 0.6, 0.7]).mean(), abs=1e-5)
    assert figures["roc_auc"] == 1.0
    assert figures["calibration_error"] == pytest.approx((0.1 + 0.8 + 0.4 + 0.3) / 4, abs=1e-5)


def test_figures_say_what_the_temperature_mends():
    outputs = np.tile([0.6, 0.4], (10, 1))
    labels = np.repeat([0, 1], (9, 1))
    figures = evaluate.measure(calibrated(outputs, 0.2), labels, ("cat", "dog"), uncalibrated=outputs)
    assert figures["calibration_error_uncalibrated"] == pytest.approx(0.3, abs=1e-5)
    served = 0.6**5 / (0.6**5 + 0.4**5)
    assert figures["calibration_error"] == pytest.approx(abs(0.9 - served), abs=1e-5)
    assert "calibration_error_uncalibrated" not in evaluate.measure(outputs, labels, ("cat", "dog"))


def test_the_area_under_the_curve_of_three_classes_is_a_mean():
    probabilities = np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6], [0.1, 0.3, 0.6]])
    figures = evaluate.measure(probabilities, np.array([0, 1, 2, 1]), ("a", "b", "c"))
    assert figures["roc_auc"] == pytest.approx((1 + 1 + 5 / 6) / 3, abs=1e-5)
    assert "roc_auc" not in evaluate.measure(probabilities, np.array([0, 1, 1, 1]), ("a", "b", "c"))


def test_a_class_without_photos_has_no_part_in_the_means():
    answers = np.tile([0.8, 0.1, 0.1], (4, 1)), np.tile([0.1, 0.8, 0.1], (4, 1))
    figures = evaluate.measure(np.concatenate(answers), np.repeat([0, 1], 4), ("a", "b", "c"))
    assert [figures[key] for key in ("precision", "recall", "f1")] == [1.0, 1.0, 1.0]


def test_temperature_mends_overconfidence():
    from train.measure.calibrate import fit_temperature

    random = np.random.default_rng(0)
    logits = random.normal(0, 2, 4000)
    labels = (random.random(4000) < 1 / (1 + np.exp(-logits))).astype(int)
    overconfident = 1 / (1 + np.exp(-2.5 * logits))
    assert fit_temperature(np.stack([1 - overconfident, overconfident], axis=1), labels) == pytest.approx(2.5, rel=0.1)


def test_the_shift_undoes_a_lean_towards_classes():
    """Labels drawn from known logits; the model sharpens them, then leans by 1 and -2."""
    from train.measure.calibrate import fit_shift

    random = np.random.default_rng(0)
    honest = random.normal(0, 2, (20000, 3))
    labels = (honest + random.gumbel(size=honest.shape)).argmax(axis=1)
    leaning = np.exp(2 * honest + [0, 1, -2])
    shift = fit_shift(leaning / leaning.sum(axis=1, keepdims=True), labels)
    assert shift == pytest.approx([0, -1, 2], abs=0.15)


def test_a_model_that_leans_is_balanced_on_val():
    from train.fit.supervised import _balance

    model = architectures.build("scratch_cnn")
    before = float(model.layers[-1].bias[0])
    labels = np.array([0, 1] * 50)
    leaning = np.where(labels == 1, 0.95, np.linspace(0.1, 0.9, 100))[:, None]
    _balance(model, np.concatenate([1 - leaning, leaning], axis=1), labels)
    assert float(model.layers[-1].bias[0]) < before - 0.5


def test_evaluate_records_what_it_measured(tiny_data, tiny_weights, tmp_path, capsys):
    weights = shutil.copytree(tiny_weights, tmp_path / "weights")
    assert main(["evaluate", "--data", str(tiny_data), "--weights", str(weights)]) == 0
    table = capsys.readouterr().out
    for name in ("scratch_cnn", "xception"):
        spec = ModelSpec.read(weights / f"{name}.json")
        assert spec.metrics["test"]["images"] == 16
        assert spec.metrics["test"]["calibration_error_uncalibrated"] == spec.metrics["test"]["calibration_error"]
        assert spec.metrics["val"]["accuracy"] in (0.90, 0.95)
        assert f"| {name} | {spec.metrics['test']['accuracy']:.2%} |" in table


def test_evaluate_counts_what_rounding_changed(tiny_data, tmp_path, capsys):
    assert fit(tiny_data, tmp_path) == 0
    exact = tmp_path / "run" / "scratch_cnn.h5"
    command = ["evaluate", "--data", str(tiny_data), "--weights", str(tmp_path / "weights"), "--exact"]
    assert main([*command, str(exact)]) == 0
    rounding = ModelSpec.read(tmp_path / "weights" / "scratch_cnn.json").metrics["test"]["rounding"]
    assert rounding["labels_changed"] == 0
    assert rounding["largest_change_of_probability"] < 0.01
    (tmp_path / "untrained").mkdir()
    untrained = tmp_path / "untrained" / "scratch_cnn.h5"
    architectures.build("scratch_cnn", image_size=32).save(untrained)
    assert main([*command, str(untrained)]) == 0
    changed = ModelSpec.read(tmp_path / "weights" / "scratch_cnn.json").metrics["test"]["rounding"]
    assert changed["largest_change_of_probability"] > 0.01
    other = exact.rename(tmp_path / "run" / "other.h5")
    assert main([*command, str(other)]) == 1
    assert "must be named like a model: scratch_cnn" in capsys.readouterr().err


def test_who_stops_evaluate_before_its_end_has_nothing_recorded(tiny_data, tiny_weights, tmp_path, monkeypatch, capsys):
    def stopped(*_):
        raise KeyboardInterrupt

    weights = shutil.copytree(tiny_weights, tmp_path / "weights")
    exact = shutil.copy(weights / "xception.h5", tmp_path)  # of the last model
    before = {path.name: path.read_bytes() for path in weights.glob("*.json")}
    monkeypatch.setattr(evaluate, "_changes", stopped)
    monkeypatch.setattr(evaluate, "fast_here", lambda: ())
    assert main(["evaluate", "--data", str(tiny_data), "--weights", str(weights), "--exact", exact]) == 130
    assert "nothing was recorded" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in weights.glob("*.json")} == before


needs_fast = pytest.mark.skipif(not fast_here(), reason="this processor is fast at nothing but float32")


@needs_fast
@pytest.mark.parametrize("serving", ["float32", *fast_here()])
def test_evaluate_measures_what_fast_arithmetic_changes(tiny_data, tmp_path, monkeypatch, serving):
    weights = tmp_path / "weights"
    weights.mkdir()
    harmless = {"images": 2000, "labels_changed": 0, "largest_change_of_probability": 0.0}
    for name in ("scratch_cnn", "xception"):
        spec = write_tiny_model(weights, name, convolutions=4)  # of which two are quantized
        metrics = {"test": {serving: harmless | {"clear": 0.5}}} if serving != "float32" else {}
        # From 0.5 on everything is clear: tiny models are in doubt of all.
        spec.replace(metrics=metrics, clear=dict.fromkeys(fast_here(), 0.5)).write(weights / f"{name}.json")
    read = []
    monkeypatch.setattr(evaluate, "read", lambda path: read.append(path) or dataset.read(path))
    figures = evaluate.evaluate(weights, tiny_data)
    assert len(read) == len(set(read)) == 16  # each photo once for all
    assert figures.keys() == {"scratch_cnn", "xception"}
    for name in figures:
        test = ModelSpec.read(weights / f"{name}.json").metrics["test"]
        for precision in fast_here():
            changes = test[precision]
            assert changes.keys() == {*harmless, "clear"}
            assert (changes["images"], changes["labels_changed"]) == (16, 0)
            assert 0 < changes["largest_change_of_probability"] < 0.01


@pytest.mark.skipif("bfloat16" not in fast_here(), reason="this processor is not fast at bfloat16")
def test_the_figures_are_those_of_the_arithmetic_that_serves_from_then_on(
    tiny_data, tiny_weights, tmp_path, monkeypatch
):
    weights = shutil.copytree(tiny_weights, tmp_path / "weights")
    for name in ("scratch_cnn", "xception"):
        ModelSpec.read(weights / f"{name}.json").replace(metrics={}, clear={"bfloat16": 0.5}).write(
            weights / f"{name}.json"
        )
    float32 = evaluate.evaluate(weights, tiny_data)
    assert all(precision_of(ModelSpec.read(weights / f"{name}.json")) == "float32" for name in float32)
    monkeypatch.setattr("catdog.engine.loading.LEAST_PHOTOS", 16)
    first, again = (evaluate.evaluate(weights, tiny_data) for _ in range(2))
    for name in first:
        assert precision_of(ModelSpec.read(weights / f"{name}.json")) == "bfloat16"
        assert first[name]["log_loss"] == again[name]["log_loss"] != float32[name]["log_loss"]


def test_evaluate_says_nothing_of_fast_arithmetic_where_there_is_none(tiny_data, tiny_weights, tmp_path, monkeypatch):
    monkeypatch.setattr(evaluate, "fast_here", lambda: ())
    weights = shutil.copytree(tiny_weights, tmp_path / "weights")
    for path in weights.glob("*.json"):
        ModelSpec.read(path).replace(clear={"int8": 0.5, "bfloat16": 0.5}).write(path)
    for figures in evaluate.evaluate(weights, tiny_data).values():
        assert not {"int8", "bfloat16"} & figures.keys()


def test_evaluate_refuses_other_classes(tmp_path, tiny_weights):
    write_pictures(tmp_path, {"discs": disc, "waves": waves}, {"test": 2})
    with pytest.raises(DatasetError, match=r"knows the classes cat, dog; the data folder has discs, waves"):
        evaluate.evaluate(tiny_weights, tmp_path)


def test_evaluate_names_a_photo_that_does_not_decode(tiny_data, tiny_weights, tmp_path):
    data = shutil.copytree(tiny_data, tmp_path / "data")
    (data / "test" / "cats" / "broken.png").write_bytes(b"broken")
    with pytest.raises(DatasetError, match=r"broken\.png.*python -m train prepare"):
        evaluate.evaluate(tiny_weights, data)


def test_evaluate_names_a_model_that_cannot_be_used(tiny_data, tiny_weights, tmp_path, capsys):
    weights = shutil.copytree(tiny_weights, tmp_path / "weights")
    (weights / "xception.h5").write_bytes(b"damaged")
    assert main(["evaluate", "--data", str(tiny_data), "--weights", str(weights)]) == 0
    captured = capsys.readouterr()
    assert "xception.h5 is damaged" in captured.err
    assert json.loads(captured.out.splitlines()[-1])["accuracy"].keys() == {"scratch_cnn"}


def test_figures_are_not_recorded_for_another_model(tiny_weights, tmp_path):
    weights = shutil.copytree(tiny_weights, tmp_path / "weights")
    measured = ModelSpec.read(weights / "xception.json")
    measured.replace(sha256="0" * 64).write(weights / "xception.json")
    with pytest.raises(ModelMismatch, match="another model than the one that was measured"):
        evaluate._record({"accuracy": 1.0}, "test", measured, weights / "xception.json")


def test_what_only_another_machine_could_measure_is_kept(tiny_weights, tmp_path):
    path = shutil.copytree(tiny_weights, tmp_path / "weights") / "xception.json"
    changes = {"bfloat16": {"labels_changed": 0}, "rounding": {"labels_changed": 1}}
    evaluate._record({"images": 8, "accuracy": 0.5} | changes, "test", ModelSpec.read(path), path)
    evaluate._record({"images": 8, "accuracy": 1.0, "rounding": {}}, "test", ModelSpec.read(path), path)
    kept = {"bfloat16": changes["bfloat16"], "rounding": {}, "images": 8, "accuracy": 1.0}
    assert ModelSpec.read(path).metrics["test"] == kept
    evaluate._record({"images": 9, "accuracy": 1.0}, "test", ModelSpec.read(path), path)  # of other photos
    assert ModelSpec.read(path).metrics["test"] == {"images": 9, "accuracy": 1.0}


def test_the_terminal_shows_progress_and_nothing_else(tiny_data, tmp_path):
    command = ["fit", "scratch_cnn", "--data", tiny_data, "--stages", "8x1", "--image-size", "8", "--limit", "1"]
    folders = ["--out", tmp_path / "weights", "--run", tmp_path / "run"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    done = subprocess.run(
        [sys.executable, "-m", "train", *command, *folders], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    noise = [line for line in re.split(r"[\r\n]+", done.stderr) if line and "photos at 8 px" not in line]
    assert [line for line in noise if not line.startswith(("photos at", "evaluate"))] == []
