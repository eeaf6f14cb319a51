"""`distill` on tiny pictures: students that teach in turn, and fine-tuning beside the network that it began with."""

import contextlib
import json
from pathlib import Path

import keras
import pytest

from catdog import ModelSpec, Settings, load
from catdog.models.spec import sha256_of
from train.__main__ import main
from train.fit import distill, lineage, teacher
from train.fit.checkpoints import Checkpoints
from train.networks import architectures

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("small_runs")]


def run(command: str, name: str, folder: Path, *options: object) -> ModelSpec:
    """One epoch at 24 pixels, in a folder of its own."""
    places = ["--out", folder, "--run", folder / "run", "--precision", "float32", "--image-size", 24]
    assert main([command, name, *map(str, [*places, "--stages", "24x1", "--batch-size", 16, *options])]) == 0
    return ModelSpec.read(folder / f"{name}.json")


def write_teacher(path: Path) -> None:
    """A model whose first layer is a feature extractor on pixels of -1..1, of any size."""
    pixels = keras.Input((None, None, 3))
    features = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(6, 3, strides=4)(pixels))
    head = keras.layers.Dense(2, activation="softmax")
    keras.Sequential([keras.Input((None, None, 3)), keras.Model(pixels, features), head]).save(path)


def test_a_distilled_classifier_continues_and_teaches(tiny_data, tmp_path, monkeypatch, capsys):
    file = tmp_path / "teacher.h5"
    write_teacher(file)
    sha256, few = sha256_of(file), ["--data", tiny_data, "--limit", 2]
    save = Checkpoints.save
    with monkeypatch.context() as patch:  # the teacher goes away while it teaches
        patch.setattr(Checkpoints, "save", lambda *args: (save(*args), file.rename(tmp_path / "moved.h5")))
        first = run("distill", "xception", tmp_path / "first", "--teacher", file, *few)
    assert first.training["teacher"] == {"file": "teacher.h5", "sha256": sha256}
    assert first.training["base"] == "random weights"
    assert first.title == "Taught Xception"
    assert "weight_of_answers" not in first.training
    one = tmp_path / "first" / "xception.h5"
    capsys.readouterr()
    second = run("distill", "xception", tmp_path / "second", "--teacher", one, "--start", one, *few)
    assert second.training["base"]["training"] == first.training
    assert second.training["weight_of_answers"] == teacher.ANSWERS
    (epoch,) = lineage.runs(second.training)[-1]["epochs"]
    assert min(epoch["loss"], epoch["val_loss"]) > 0
    assert "val_loss" not in second.training["history"][-1]
    log = capsys.readouterr().out
    assert "val_label_loss: " in log and "val_loss: " not in log
    assert load(Settings(weights=tmp_path / "second")).compare(next(tiny_data.rglob("*.png"))).models


def test_a_network_is_fine_tuned_beside_what_it_was(two_folders, tmp_path, monkeypatch):
    file = tmp_path / "before.h5"
    base = architectures.build_base("efficientnet_lite2")
    keras.Model(base.input, keras.layers.Dense(5, activation="softmax")(base.output)).save(file)
    monkeypatch.setattr(distill, "load_teacher", lambda path, classes, neither: (small_base(path), None))
    data, more = two_folders
    spec = run(
        "distill", "efficientnet_lite2", tmp_path, "--data", data, "--more", more, "--base", file, "--teacher", file,
        "--answers", file, "--imitation", 0.1, "--teacher-size", 24, "--steps", 2, "--settled", "--degrade", 0.5,
        "--stages", "24x1,24x1", "--frozen-stages", 1,
    )  # fmt: skip
    training = spec.training
    assert spec.title == "EfficientNet-Lite2"  # itself is no other teacher
    assert training["photos"]["train"] == 35  # with those that have no label
    assert training["weight_of_imitation"] == 0.1 and training["weight_of_earlier_answers"] == teacher.EARLIER
    assert training["base"]["sha256"] == training["teacher"]["sha256"] == training["answers"]["sha256"]
    assert {"steps": 2, "degrade": 0.5, "settled": True, "frozen_stages": 1}.items() <= training["recipe"].items()


def small_base(path: Path) -> keras.Model:
    return teacher.up_to_last_map(architectures.build_base("efficientnet_lite2", weights=str(path)))


def test_what_is_neither_is_learned_served_and_taught(two_folders, tmp_path, capsys):
    data, more = two_folders
    folders, first = ["--data", data, "--more", more], tmp_path / "first"
    learning = ["--stages", "24x6", "--learning-rate", 0.03, "--ema", 0, "--crop", 0.8]
    spec = run("fit", "mobilenet_v2", first, *folders, "--base", "none", *learning, "--degrade", 0.1)
    assert spec.metrics["val"]["images"] == 12 and spec.metrics["elsewhere"]["images"] == 6
    assert spec.neither.photos == 6 and spec.neither.auroc > 0.8
    assert spec.training["photos"] == {"train": 32, "val": 12}  # without those that have no label
    with contextlib.closing(load(Settings(weights=first))) as comparator:
        assert not comparator.problems
        other = comparator.compare(more / "val" / "neither" / "neither.0.png").models[0]
        cat = comparator.compare(data / "val" / "cats" / "cats.0.png").models[0]
    assert other.neither > cat.neither
    assert set(cat.probabilities) == {"cat", "dog"}
    capsys.readouterr()
    assert main(["calibrate", *map(str, folders), "--weights", str(first)]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["neither"] == pytest.approx(spec.neither.model_dump(), abs=1e-4)
    teaching = ["--teacher", first / "mobilenet_v2.h5", "--teacher-size", 24]
    student = run("distill", "xception", tmp_path / "second", *folders, *teaching)
    assert student.training["weight_of_answers"] == teacher.ANSWERS
    assert student.neither is not None
