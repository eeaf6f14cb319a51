"""Recorded figures as a table and as the Hub's model-index."""

from __future__ import annotations

import pytest

from tests.train.recorded import spec
from train.report import results


def test_the_table_says_what_was_recorded_and_nothing_else():
    rows = results.table([spec()]).splitlines()
    assert rows[2] == "| scratch_cnn | 2,000 test | 94.35% | 93.25% to 95.28% | 0.1447 | 0.0179 |"
    assert rows[3] == "| scratch_cnn | 1,000 validation | 94.20% | - | - | - |"
    notes = " ".join(rows[4:])
    assert "scratch_cnn changed 3 labels of the test photos, and no probability by more than 0.00322." in notes


def test_models_without_figures_claim_none():
    bare = spec(metrics={})
    assert results.table([bare]) == "Nothing has been measured."
    assert results.model_index([bare]) == []


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


def test_odd_figures_break_nothing():
    odd = {"accuracy_interval": "wide", "log_loss": None, "images": "many", "rounding": 3, "extra": {}}
    assert "| scratch_cnn | ? validation | - | - | - | - |" in results.table([spec(metrics={"val": odd})])
