"""A network learns photos of neither, is served, calibrated and measured."""

from __future__ import annotations

import json

import pytest

from catdog import ModelSpec, Settings, load
from train.__main__ import main

pytestmark = pytest.mark.long


def test_what_is_neither_is_learned_and_served(two_folders, small_networks, tmp_path, capsys):
    data, more = two_folders
    command = ["fit", "scratch_cnn", "--data", str(data), "--more", str(more), "--stages", "24x30", "--crop", "0.8"]
    command += ["--learning-rate", "0.01", "--batch-size", "8", "--precision", "float32", "--image-size", "24"]
    places = ["--run", str(tmp_path / "run"), "--out", str(tmp_path / "weights")]
    assert main([*command, *places, "--degrade", "0.1", "--ema", "0"]) == 0
    spec = ModelSpec.read(tmp_path / "weights" / "scratch_cnn.json")
    assert spec.metrics["val"]["images"] == 12 and spec.metrics["elsewhere"]["images"] == 6
    assert spec.neither.photos == 6 and spec.neither.auroc > 0.8
    assert spec.training["photos"] == {"train": 32, "val": 12}  # without those that have no label
    comparator = load(Settings(weights=tmp_path / "weights"))
    assert not comparator.problems
    other = comparator.compare(more / "val" / "neither" / "neither.0.png").models[0]
    cat = comparator.compare(data / "val" / "cats" / "cats.0.png").models[0]
    comparator.close()
    assert other.neither > cat.neither
    assert set(cat.probabilities) == {"cat", "dog"}
    capsys.readouterr()
    weights = ["--weights", str(tmp_path / "weights")]
    assert main(["calibrate", "--data", str(data), "--more", str(more), *weights]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["neither"] == pytest.approx(spec.neither.model_dump(), abs=1e-4)
    assert main(["evaluate", "--data", str(data), "--split", "val", *weights]) == 0
    assert ModelSpec.read(tmp_path / "weights" / "scratch_cnn.json").metrics["val"]["images"] == 12
