"""The runs behind a model, from what its spec records."""

from __future__ import annotations

import pytest

from train.fit import lineage
from train.fit.lineage import Convergence


def epochs(*accuracies: float, seconds: float = 60.0, prefix: str = "") -> list[dict]:
    return [
        {"epoch": i, "size": 96, "seconds": seconds, f"val_{prefix}accuracy": a, f"{prefix}loss": 1 - a}
        for i, a in enumerate(accuracies, 1)
    ]


def test_runs_are_found_through_all_that_a_model_began_with():
    distilled = {"teacher": "t.h5", "history": epochs(0.5, 0.8, prefix="probabilities_"), "hardware": "1 GPU"}
    fitted = {"history": epochs(0.9), "base": {"file": "x.h5", "sha256": "0", "training": distilled}}
    gone_on = {"history": epochs(0.95, 0.96), "base": {"went_on_from": "x.h5", "training": fitted}}
    chain = lineage.runs(gone_on)
    assert [run.title for run in chain] == ["distilled", "went on", "went on"]
    assert [len(run.epochs) for run in chain] == [2, 1, 2]
    assert [row["val_accuracy"] for run in chain for row in run.epochs] == [0.5, 0.8, 0.9, 0.95, 0.96]
    assert chain[0].epochs[0]["loss"] == 0.5
    assert (chain[0].hardware, chain[0].seconds) == ("1 GPU", 120)


def test_the_loss_of_a_distilled_run_is_that_of_the_labels():
    both, alone = (
        {"epoch": 1, "seconds": 1.0, "loss": 0.8, "val_loss": 0.3},
        {"epoch": 2, "seconds": 1.0, "loss": 0.8, "label_loss": 0.1, "val_loss": 0.0, "val_label_loss": 0.2},
    )
    (taught,) = lineage.runs({"teacher": "t.h5", "history": [both, alone]})
    assert [(row.get("loss"), row.get("val_loss")) for row in taught.epochs] == [(None, 0.3), (0.1, 0.2)]
    (fitted,) = lineage.runs({"history": [both]})
    assert fitted.epochs[0]["loss"] == 0.8


def test_a_base_may_be_the_record_of_a_run_itself_or_a_name():
    first = {"history": epochs(0.5), "base": "random weights"}
    assert len(lineage.runs({"history": epochs(0.9), "base": first})) == 2
    assert [run.title for run in lineage.runs(first)] == ["trained"]


def test_runs_up_to_the_last_one_on_other_photos_are_of_another_task():
    own, others = {"train": 300, "val": 40}, {"train": 22000, "val": 1000}
    training = None
    for accuracy, photos in ((0.4, own), (0.99, others), (0.5, own), (0.7, own)):
        base = {"file": "x.h5", "training": training} if training else "random weights"
        training = {"history": epochs(accuracy), "photos": photos, "base": base}
    assert [row["val_accuracy"] for run in lineage.runs(training) for row in run.epochs] == [0.5, 0.7]


@pytest.mark.parametrize(
    ("base", "title"),
    [("random weights", "trained"), ("keras.applications, ImageNet", "fine-tuned"), ({"file": "x.h5"}, "fine-tuned")],
)
def test_a_run_is_called_by_what_it_began_with(base, title):
    (run,) = lineage.runs({"history": epochs(0.5), "base": base})
    assert run.title == title


@pytest.mark.parametrize(
    "training",
    [{}, None, "text", {"history": []}, {"history": "text"}, {"history": [1]}, {"history": [{"epoch": 1}]}],
)
def test_what_records_no_run_has_none(training):
    assert lineage.runs(training) == []
    assert lineage.convergence(lineage.runs(training)) is None


def test_a_run_without_accuracies_has_no_convergence():
    assert lineage.convergence(lineage.runs({"history": [{"seconds": 1.0, "loss": 1.0}]})) is None


def test_convergence_is_when_accuracy_came_near_its_last_value():
    chain = lineage.runs({"history": epochs(0.6, 0.93, 0.949, 0.94, 0.95, seconds=30)})
    assert lineage.convergence(chain) == Convergence(5, 150, 0.95, 3, 90)
