"""The runs behind a model and the steps that made its weights, from what its spec records."""

import re

import pytest

from catdog.models.training_runs import steps_to
from tests.train.recorded import RUN, spec
from train.fit.lineage import convergence, described, runs
from train.fit.provenance import without_repeats


def epochs(*accuracies: float, seconds: float = 60.0, prefix: str = "") -> list[dict]:
    return [
        {"epoch": i, "size": 96, "seconds": seconds, f"val_{prefix}accuracy": a, f"{prefix}loss": 1 - a}
        for i, a in enumerate(accuracies, 1)
    ]


# Runs


def test_runs_are_found_through_all_that_a_model_began_with():
    distilled = {"teacher": "t.h5", "history": epochs(0.5, 0.8, prefix="probabilities_"), "hardware": "1 GPU"}
    fitted = {"history": epochs(0.9), "base": {"file": "x.h5", "sha256": "0", "training": distilled}}
    gone_on = {"history": epochs(0.95, 0.96), "base": {"went_on_from": "x.h5", "training": fitted}}
    chain = runs(gone_on)
    assert [run["title"] for run in chain] == ["distilled", "continued", "continued"]
    assert [len(run["epochs"]) for run in chain] == [2, 1, 2]
    assert [row["val_accuracy"] for run in chain for row in run["epochs"]] == [0.5, 0.8, 0.9, 0.95, 0.96]
    assert chain[0]["epochs"][0]["loss"] == 0.5
    assert chain[0]["hardware"] == "1 GPU"


def test_the_loss_of_a_distilled_run_is_that_of_the_labels():
    both, alone = (
        {"epoch": 1, "seconds": 1.0, "loss": 0.8, "val_loss": 0.3},
        {"epoch": 2, "seconds": 1.0, "loss": 0.8, "label_loss": 0.1, "val_loss": 0.0, "val_label_loss": 0.2},
    )
    (taught,) = runs({"teacher": "t.h5", "history": [both, alone]})
    assert [(row.get("loss"), row.get("val_loss")) for row in taught["epochs"]] == [(None, 0.3), (0.1, 0.2)]
    (fitted,) = runs({"history": [both]})
    assert fitted["epochs"][0]["loss"] == 0.8


def test_runs_up_to_the_last_one_on_other_photos_are_of_another_task():
    own, others = {"train": 300, "val": 40}, {"train": 22000, "val": 1000}
    training = None
    for accuracy, photos in ((0.4, own), (0.99, others), (0.5, own), (0.7, own)):
        base = {"file": "x.h5", "training": training} if training else "random weights"
        training = {"history": epochs(accuracy), "photos": photos, "base": base}
    assert [row["val_accuracy"] for run in runs(training) for row in run["epochs"]] == [0.5, 0.7]


@pytest.mark.parametrize(
    ("base", "titles"),
    [
        ("random weights", ["trained"]),
        ("keras.applications, ImageNet", ["fine-tuned"]),
        ({"file": "x.h5"}, ["fine-tuned"]),
        ({"history": epochs(0.5)}, ["trained", "continued"]),  # the record of a run itself
    ],
)
def test_a_run_is_called_by_what_it_began_with(base, titles):
    assert [run["title"] for run in runs({"history": epochs(0.5), "base": base})] == titles


@pytest.mark.parametrize(
    "training",
    [{}, None, "text", {"history": []}, {"history": "text"}, {"history": [1]}, {"history": [{"epoch": 1}]}],
)
def test_what_records_no_run_has_none(training):
    assert runs(training) == []
    assert convergence(runs(training)) is None


def test_convergence_is_when_accuracy_came_near_its_last_value():
    chain = runs({"history": epochs(0.6, 0.93, 0.949, 0.94, 0.95, seconds=30)})
    assert convergence(chain) == {
        "epochs": 5, "seconds": 150, "last_accuracy": 0.95, "near_after_epochs": 3, "near_after_seconds": 90,
    }  # fmt: skip
    assert convergence(runs({"history": [{"seconds": 1.0, "loss": 1.0}]})) is None


# Sentences


def told(training: dict) -> str:
    return " ".join(described(spec(training=training)).split())


def test_every_step_that_made_the_weights_is_told_first_things_first():
    distilled = {key: value for key, value in RUN.items() if key != "base"}
    distilled |= {"teacher": "teacher.h5", "teacher_sha256": "e461a42c3c5d8888", "epochs": 4, "command": "distill"}
    first = {**RUN, "base": distilled, "epochs": 1, "command": "fit one"}
    text = told({**RUN, "base": {"went_on_from": "x.h5", "sha256": "1", "training": first}, "command": "fit two"})
    assert text.startswith("### scratch_cnn A CNN, 2,899,665 parameters, 6.5 MB, weights rounded to 11 ")
    assert re.findall(r" (\d)\. ", text) == ["1", "2", "3"]
    assert "1. Distilled from teacher.h5 (sha256 `e461a42c3c5d`); 4 epochs; 21,987 training photos" in text
    assert "2. 1 epoch; 21,987 training photos; Dogs vs. Cats (Kaggle); 48 minutes on 2 cores" in text
    assert re.findall(r"`(distill|fit one|fit two)`", text) == ["distill", "fit one", "fit two"]


def test_a_distilled_classifier_names_its_teacher():
    teacher = {"file": "teacher.h5", "sha256": "e461a42c3c5d8888", "training": RUN}
    earlier = {"file": "x.h5", "sha256": "1", "training": {**RUN, "command": "fit one"}}
    text = told({**RUN, "teacher": teacher, "base": earlier, "command": "distill"})
    assert re.findall(r"`(fit one|distill)`", text) == ["fit one", "distill"]
    assert "3. Distilled from teacher.h5 (sha256 `e461a42c3c5d`); 24 epochs" in text


@pytest.mark.parametrize(
    ("base", "said"),
    [
        ("random weights", "1. Random weights."),
        ({"file": "base.weights.h5", "sha256": "abc"}, "1. Weights from base.weights.h5 (sha256 `abc`)"),
        ({"went_on_from": "old.h5", "sha256": "abc", "training": {}}, "1. Weights from old.h5 (sha256 `abc`)"),
        ({"file": "old.h5", "sha256": None}, "1. Weights from old.h5, "),
        (None, "1. Weights of which nothing is recorded."),
        (["?"], "1. Weights of which nothing is recorded."),
    ],
)
def test_what_a_run_began_with(base, said):
    assert said in told({**RUN, "base": base})


def test_how_a_model_learned_is_told_as_far_as_its_recipe_says():
    recipe = {
        "stages": [[64, 4], [96, 20], [96, 2]], "scale": [0.35, 1.0], "learning_rate": 0.002, "weight_decay": 0.05,
        "batch_size": 64, "jitter": 0.2, "cutmix": 0.5, "label_smoothing": 0.05, "ema": 0.998, "seed": 0,
    }  # fmt: skip
    text = told({**RUN, "recipe": recipe})
    settings = ("35 %", "64 px, then 96 px,", "0.002", "0.05", "of 64,", "20 %", "CutMix of 50 %", "0.998", "seed 0;")
    assert [setting for setting in settings if setting not in text] == []
    plain = told({**RUN, "recipe": recipe | {"cutmix": 0.0, "ema": 0}})
    assert "CutMix" not in plain and "average" not in plain


@pytest.mark.parametrize(
    ("odd", "said"),
    [
        ({"history": [{"seconds": 630.4}]}, "11 minutes on 2 cores"),
        ({"history": [{"seconds": 300}, {"seconds": 390.0}]}, "12 minutes on 2 cores"),
        ({"history": "?", "seconds": 630}, "10 minutes on 2 cores"),
        ({"seconds": "long", "epochs": None, "command": None}, "? epochs; 21,987 training photos"),
        ({"photos": 3, "recipe": 3}, "24 epochs; Dogs"),
        ({"recipe": {"stages": 5, "scale": None}}, "24 epochs; 21,987 training photos"),
        ({"recipe": {"stages": [3, []], "scale": ["a"], "ema": "x"}}, "24 epochs; 21,987 training photos"),
    ],
)
def test_a_run_is_told_as_far_as_it_is_recorded(odd, said):
    assert said in told({**RUN, **odd})
    assert "nothing is recorded" in told({})


# What several files share


def test_what_several_files_share_is_recorded_once():
    def recorded(training: dict) -> list[dict]:
        return [step.record for step in steps_to(training) if step.is_run]

    teacher = {"sha256": "t", "training": {"command": "fit teacher"}}
    first = {"sha256": "a", "training": {"command": "one", "base": "random weights", "teacher": teacher}}
    second = {"sha256": "b", "training": {"command": "two", "base": first, "teacher": teacher}}
    training = {"command": "mean", "averaged_with": [first, teacher], "base": second}
    shorter = without_repeats(training)
    assert recorded(shorter) == [
        {"command": "one", "base": "random weights", "teacher": teacher},
        {"command": "fit teacher"},
        {"command": "two", "base": {"sha256": "a"}, "teacher": {"sha256": "t"}},
        shorter,
    ]
    assert [run["command"] for run in recorded(training)] == [run["command"] for run in recorded(shorter)]
    assert without_repeats(shorter) == shorter
    assert training["base"] == second  # the record that was given is left as it is
