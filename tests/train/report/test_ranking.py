"""The best on validation photos leads and is the default; what is not recorded is a dash."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest

from catdog import ModelSpec
from tests.conftest import ROOT
from tests.tiny import write_tiny_model
from train.__main__ import main


@pytest.fixture
def weights(tiny_weights, tmp_path):
    folder = shutil.copytree(tiny_weights, tmp_path / "weights")
    spec = ModelSpec.read(folder / "xception.json")
    metrics = {
        "val": {"accuracy": 0.95, "accuracy_interval": [0.93, 0.96], "images": 1000},
        "test": {"accuracy": 0.97, "images": 2000},
    }
    spec.replace(metrics=metrics, training={"parameters": 20863529}).write(folder / "xception.json")
    return folder


def compare(weights, capsys) -> tuple[list[str], dict, str]:
    assert main(["compare", "--weights", str(weights)]) == 0
    captured = capsys.readouterr()
    *table, last = captured.out.strip().splitlines()
    return table, json.loads(last), captured.err


def test_models_are_ranked_and_the_first_is_the_default(weights, capsys):
    table, summary, err = compare(weights, capsys)
    size = (weights / "xception.h5").stat().st_size
    assert table[2] == (
        f"| xception | 95.00% | 93.00% to 96.00% | 1,000 | 97.00% | - | 2,000 | {size / 1e3:.0f} kB | 20,863,529 |"
    )
    assert table[3].startswith("| scratch_cnn | 90.00% | - | 10 | - | - | - |")
    assert table[3].endswith("| - |")
    assert table[4] == "Default: xception (the highest validation accuracy)."
    assert summary["default"] == "xception"
    assert [model["val_accuracy"] for model in summary["models"]] == [0.95, 0.9]
    assert summary["models"][0]["parameters"] == 20863529
    assert summary["models"][1]["test_accuracy"] is None
    assert err == ""


def test_a_model_that_cannot_be_used_is_named_and_never_the_default(weights, capsys):
    (weights / "xception.h5").write_bytes(b"damaged")
    _, summary, err = compare(weights, capsys)
    assert summary["default"] == "scratch_cnn"
    assert len(summary["models"]) == 1
    assert "xception.h5 is damaged" in err


@pytest.mark.parametrize("metrics", [{}, {"val": {"images": 3}}])
def test_models_that_were_never_measured(tmp_path, capsys, metrics):
    spec = write_tiny_model(tmp_path, "one")
    spec.replace(metrics=metrics).write(tmp_path / "one.json")
    table, summary, _ = compare(tmp_path, capsys)
    assert table[2].startswith("| one | - | - | - | - | - | - |")
    assert table[-1] == "Default: one (no validation accuracy is recorded)."
    assert summary["models"][0]["val_accuracy"] is None


@pytest.mark.parametrize("images", [None, "many", 0])
def test_what_is_no_count_is_a_dash(tmp_path, capsys, images):
    spec = write_tiny_model(tmp_path, "one")
    metrics = {"val": {"accuracy": 0.9, "images": images}}
    spec.replace(metrics=metrics, training={"parameters": "many"}).write(tmp_path / "one.json")
    table, summary, _ = compare(tmp_path, capsys)
    assert table[2].startswith("| one | 90.00% | - | - |") and table[2].endswith("| - |")
    assert summary["models"][0]["parameters"] is None


def test_a_folder_without_models_is_an_error(tmp_path, capsys):
    assert main(["compare", "--weights", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith("error: ")


def test_it_needs_no_keras(weights):
    code = f"import sys, train.__main__ as t; t.main(['compare', '--weights', {str(weights)!r}]); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {"keras", "tensorflow"} & set(done.stdout.splitlines()[-1].split())
