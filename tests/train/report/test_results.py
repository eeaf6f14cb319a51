"""The best on validation photos leads and is the default; what is not recorded is a dash."""

import json
import shutil

import pytest

from catdog import ModelSpec
from tests.processes import python
from tests.train.recorded import spec
from train.__main__ import main
from train.measure.statistics import wilson
from train.report import results


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
    assert [row.split(" | ")[:4] for row in table[2:]] == [
        ["| xception", "2,000 test", "97.00%", "-"],
        ["| xception", "1,000 validation", "95.00%", "93.00% to 96.00%"],
        ["| scratch_cnn", "10 validation", "90.00%", "-"],
    ]
    assert summary["default"] == "xception"
    assert [model["val_accuracy"] for model in summary["models"]] == [0.95, 0.9]
    assert [model["parameters"] for model in summary["models"]] == [20863529, None]
    assert [model["test_accuracy"] for model in summary["models"]] == [0.97, None]
    assert err == ""


def test_a_model_that_cannot_be_used_is_named_and_one_that_was_never_measured_is_a_row_of_dashes(weights, capsys):
    (weights / "xception.h5").write_bytes(b"damaged")
    spec = ModelSpec.read(weights / "scratch_cnn.json").replace(metrics={}, training={"parameters": "many"})
    spec.write(weights / "scratch_cnn.json")
    table, summary, err = compare(weights, capsys)
    assert table[2:] == ["| scratch_cnn | - validation | - | - | - | - | - |"]
    unknown = dict.fromkeys(("val_accuracy", "test_accuracy", "parameters"))
    assert summary == {
        "default": "scratch_cnn", "models": [{"model": "scratch_cnn", "bytes": spec.bytes} | unknown]
    }  # fmt: skip
    assert "xception.h5 is damaged" in err


def test_it_needs_no_keras(weights):
    code = "import sys, train.__main__ as t; t.main(['compare', '--weights', sys.argv[1]]); print(*sys.modules)"
    assert not {"keras", "tensorflow"} & set(python(code, weights).stdout.splitlines()[-1].split())


def test_the_table_says_what_was_recorded_and_nothing_else():
    rows = results.card_table([spec()]).splitlines()
    assert rows[2] == "| scratch_cnn | 2,000 test | 94.35% | 93.25% to 95.28% | 0.1447 | 0.0179 | - |"
    assert rows[3] == "| scratch_cnn | 1,000 validation | 94.20% | - | - | - | - |"
    notes = " ".join(rows[4:])
    assert "scratch_cnn changed 3 labels of the test photos, and no probability by more than 0.00322." in notes


def test_figures_that_are_missing_or_odd_break_nothing():
    bare = spec(metrics={})
    assert results.card_table([bare]) == "Nothing has been measured."
    assert results.model_index([bare]) == []
    odd = {"accuracy_interval": "wide", "log_loss": None, "images": "many", "rounding": 3, "extra": {}}
    assert "| scratch_cnn | - validation | - | - | - | - | - |" in results.card_table([spec(metrics={"val": odd})])


def test_the_model_index_has_an_entry_per_model_and_a_result_per_split():
    first, second = results.model_index([spec(), spec("xception", metrics={"val": {"images": 5, "accuracy": 1.0}})])
    assert (first["name"], second["name"]) == ("scratch_cnn", "xception")
    test, validation = first["results"]
    assert test["task"] == {"type": "image-classification", "name": "Image classification"}
    assert test["dataset"] == {
        "name": "Dogs vs. Cats (Kaggle)", "type": "dogs-vs-cats-kaggle", "split": "test", "args": {"num_images": 2000},
    }  # fmt: skip
    assert {row["type"]: row["value"] for row in test["metrics"]} == {
        "accuracy": 0.9435, "log_loss": 0.14465, "calibration_error": 0.01792,
    }  # fmt: skip
    accuracy, log_loss, _ = test["metrics"]
    assert accuracy["name"] == "Accuracy of scratch_cnn"
    assert accuracy["args"] == {"confidence_level": 0.95, "confidence_interval": [0.93251, 0.95279]}
    assert "args" not in log_loss
    assert validation["dataset"]["split"] == "validation"
    assert [row["value"] for row in second["results"][0]["metrics"]] == [1.0]


@pytest.mark.parametrize(
    ("dataset", "id"),
    [("Dogs vs. Cats (Kaggle)", "dogs-vs-cats-kaggle"), ("user/Cats.v2", "user/Cats.v2"), ("", None), ("!", None)],
)
def test_data_has_a_name_that_the_hub_takes(dataset, id):
    assert results.dataset_id(spec(training={"dataset": dataset})) == id


@pytest.mark.parametrize(
    ("right", "confusion", "temperature", "doubted"),
    [
        (0.55, [[30, 20], [25, 25]], 1.0, True),
        (0.9, [[90, 0], [10, 0]], 1.0, True),  # always the commonest class
        (0.9, [[45, 5], [5, 45]], 19.99, True),
        (0.9, [[45, 5], [5, 45]], 3.0, False),
        (1.0, [[1, 0], [0, 1]], 1.0, True),  # two photos say little
    ],
)
def test_a_model_of_no_use_is_doubted(right, confusion, temperature, doubted):
    images = sum(map(sum, confusion))
    figures = {"images": images, "accuracy": right, "accuracy_interval": wilson(round(right * images), images)}
    assert bool(results.doubt("m", "val", figures | {"confusion": confusion}, temperature)) == doubted


def test_figures_that_record_too_little_are_not_doubted():
    for odd in ({}, {"accuracy_interval": [0.1, 0.9]}, {"accuracy_interval": ["a", "b"], "confusion": "c"}):
        assert results.doubt("m", "val", {"accuracy": 0.5} | odd) == ""
    assert results.doubt("m", "val", {"accuracy_interval": [0.1, 0.9], "confusion": [[0], "x"]}) == ""
