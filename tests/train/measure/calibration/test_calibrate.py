"""The command writes into specs what models learn on val."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from catdog import ModelSpec, Settings, load
from catdog.engine import Outputs
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
        learned = {field: getattr(spec, field) for field in ("sureness", "novelty", "disagreement", "clear")}
        assert spec == old.replace(**learned)
        assert learned["sureness"] and learned["novelty"]
    comparator = load(Settings(weights=weights))
    comparison = comparator.compare(tiny_data / "test" / "cats" / "cats.0.png")
    comparator.close()
    assert all(0 < verdict.error_rate <= 1 and verdict.strangeness > 0 for verdict in comparison.models)


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
