"""The command writes into specs what models learn on val."""

import os
import shutil

import numpy as np
import pytest

from catdog import ModelSpec, Settings, load
from catdog.engine import Outputs
from tests.catdog.engine.test_models import spec_of
from tests.tiny import write_tiny_model
from train.__main__ import main
from train.measure.calibration import calibrate


@pytest.fixture
def weights(tiny_weights, tmp_path):
    return shutil.copytree(tiny_weights, tmp_path / "weights")


def test_calibrate_writes_what_serving_uses_and_can_be_run_again(tiny_data, weights, tmp_path):
    shutil.copytree(tiny_data / "val", tmp_path / "data" / "val")  # nothing else is read
    command = ["calibrate", "--data", str(tmp_path / "data"), "--weights", str(weights)]
    before = {path.stem: ModelSpec.read(path) for path in weights.glob("*.json")}
    assert main(command) == 0
    written = {path.name: path.read_bytes() for path in weights.iterdir()}
    assert main(command) == 0
    assert {path.name: path.read_bytes() for path in weights.iterdir()} == written
    for name, old in before.items():
        spec = ModelSpec.read(weights / f"{name}.json")
        fields = ("temperature", "metrics", "sureness", "disagreement", "clear")
        learned = {field: getattr(spec, field) for field in fields}
        assert spec == old.replace(**learned)
        assert learned["sureness"]
    comparator = load(Settings(weights=weights))
    comparison = comparator.compare(tiny_data / "test" / "cats" / "cats.0.png")
    comparator.close()
    assert all(0 < verdict.error_rate <= 1 for verdict in comparison.models)


@pytest.mark.parametrize(("moved", "left"), [(0.0, {"int8": 0.5, "bfloat16": 0.7}), (0.3, {"bfloat16": 0.7})])
def test_what_is_clear_is_learned_anew_where_the_processor_is_fast(tiny_data, tmp_path, monkeypatch, moved, left):
    """Of answers without a second one; what only another processor could measure stays."""
    asked = []

    def load_engine(path, spec, settings, *, precision):
        asked.append((precision, spec.clear))

        def engine(batch):
            of_dog = np.where(batch.mean(axis=(1, 2, 3)) > 128, 0.95, 0.05 + moved * (precision == "int8"))
            return Outputs(np.stack([1 - of_dog, of_dog], axis=1))

        return engine

    monkeypatch.setattr("train.measure.served.load_engine", load_engine)
    monkeypatch.setattr(calibrate, "fast_here", lambda: ("int8",))
    spec = write_tiny_model(tmp_path, "scratch_cnn").replace(clear={"int8": 1.0, "bfloat16": 0.7})
    spec.write(tmp_path / "scratch_cnn.json")
    assert main(["calibrate", "--data", str(tiny_data), "--weights", str(tmp_path)]) == 0
    assert ModelSpec.read(tmp_path / "scratch_cnn.json").clear == left
    assert asked == [("float32", {}), ("int8", {})]


def overconfident(folder, name="mine", file="mine.json"):
    """A model that is right about most of tiny_data, and far too sure of it; nobody fitted a temperature."""
    import keras

    model = keras.Sequential([keras.Input((48, 48, 3)), keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(2)])
    model.add(keras.layers.Activation("softmax"))
    model.layers[1].set_weights([np.array([[0.2, -0.2]] * 3), np.array([-52.0, 52.0])])
    folder.mkdir(exist_ok=True)
    model.save(path := folder / "mine.h5")
    figures = {"images": 30, "accuracy": 0.8, "log_loss": 0.9, "int8": {"clear": 0.5}}
    spec = spec_of(path, image_size=48, classes=("Cat", "Dog"), metrics={"test": figures}).replace(name=name)
    spec.write(folder / file)
    return spec


def test_a_temperature_is_fitted_where_none_was_and_what_it_changes_is_measured_again(tiny_data, tmp_path):
    before = overconfident(tmp_path / "weights")
    command = ["calibrate", "--data", str(tiny_data), "--weights", str(tmp_path / "weights")]
    assert main(command) == 0
    spec = ModelSpec.read(tmp_path / "weights" / "mine.json")
    assert spec.temperature > 2 * before.temperature
    assert spec.metrics["test"] == {"images": 30, "accuracy": 0.8}
    assert spec.metrics["val"]["images"] == 16 and spec.validation_accuracy > 0.5
    assert spec.metrics["val"]["calibration_error"] < spec.metrics["val"]["calibration_error_uncalibrated"]
    assert spec.sureness
    assert main(["evaluate", "--split", "val", *command[1:]]) == 0
    assert ModelSpec.read(tmp_path / "weights" / "mine.json").metrics["val"].items() >= spec.metrics["val"].items()


def test_a_temperature_that_is_as_good_stays_with_its_figures(tiny_data, weights):
    command = ["calibrate", "--data", str(tiny_data), "--weights", str(weights)]
    assert main(command) == 0
    path = weights / "xception.json"
    spec = ModelSpec.read(path)
    near = spec.replace(temperature=spec.temperature * 1.0001, metrics=spec.metrics | {"test": {"log_loss": 0.5}})
    near.replace(metrics=near.metrics | {"photos": {"log_loss": 0.5}}).write(path)  # of an adoption: val is better
    assert main(command) == 0
    assert (ModelSpec.read(path).temperature, ModelSpec.read(path).metrics) == (near.temperature, near.metrics)


def test_models_of_several_folders_learn_of_each_other_wherever_their_specs_are(tiny_data, weights, tmp_path):
    overconfident(tmp_path / "mine", name="theirs", file="described.json")
    both = f"{tmp_path / 'mine'}{os.pathsep}{weights}"
    assert main(["calibrate", "--data", str(tiny_data), "--weights", both]) == 0
    assert main(["evaluate", "--data", str(tiny_data), "--weights", both]) == 0
    spec = ModelSpec.read(tmp_path / "mine" / "described.json")
    assert {"scratch_cnn", "xception"} == {name for case in spec.disagreement for name in case.others}
    assert spec.metrics["test"]["images"] == 16
    assert any("theirs" in case.others for case in ModelSpec.read(weights / "xception.json").disagreement)


def test_a_model_that_cannot_be_quantized_learns_nothing_of_it(tiny_data, weights, monkeypatch):
    monkeypatch.setattr(calibrate, "fast_here", lambda: ("int8",))
    for path in weights.glob("*.json"):  # of models with a single convolution
        ModelSpec.read(path).replace(clear={"int8": 0.9}).write(path)
    assert main(["calibrate", "--data", str(tiny_data), "--weights", str(weights)]) == 0
    assert [ModelSpec.read(path).clear for path in weights.glob("*.json")] == [{}, {}]


def test_a_model_that_cannot_be_used_is_named_and_left_alone(tiny_data, weights, capsys):
    (weights / "xception.h5").write_bytes(b"damaged")
    before = (weights / "xception.json").read_bytes()
    assert main(["calibrate", "--data", str(tiny_data), "--weights", str(weights)]) == 0
    assert "xception.h5 is damaged" in capsys.readouterr().err
    assert (weights / "xception.json").read_bytes() == before
    assert ModelSpec.read(weights / "scratch_cnn.json").sureness


def test_what_photos_of_neither_taught_stays_where_there_are_none(tiny_data, tmp_path):
    spec = write_tiny_model(tmp_path, "able", classes=("cat", "dog", "neither")).replace(classes=("cat", "dog"))
    command = ["calibrate", "--data", str(tiny_data), "--weights", str(tmp_path)]
    measured = {"threshold": 0.4, "auroc": 0.9, "caught": 0.8, "photos": 20, "refused": 0.1}
    for known, stays in ((measured, True), ({"threshold": 0.4}, False)):
        before = spec.replace(neither=known)
        before.write(tmp_path / "able.json")
        assert main(command) == 0
        assert (ModelSpec.read(tmp_path / "able.json").neither == before.neither) == stays
