"""Where weights come from, told from their spec."""

from __future__ import annotations

import re

import pytest

from tests.train.recorded import RUN, spec
from train.fit.lineage import described


def test_every_step_that_made_the_weights_is_told_first_things_first():
    distilled = {
        **RUN,
        "teacher": "teacher.h5",
        "teacher_sha256": "e461a42c3c5d8888",
        "epochs": 4,
        "command": "distill",
    }
    del distilled["base"]
    first = {**RUN, "base": distilled, "epochs": 1, "command": "fit one"}
    last = {**RUN, "base": {"went_on_from": "x.h5", "sha256": "1", "training": first}, "command": "fit two"}
    lines = described(spec(training=last)).splitlines()
    assert lines[0] == "### scratch_cnn"
    assert lines[2] == "A CNN, 2,899,665 parameters, 6.5 MB, weights rounded to 11 significant bits."
    steps = " ".join(lines[4:])
    assert re.findall(r"(?:^| )(\d)\. ", steps) == ["1", "2", "3"]
    assert "1. Distilled from teacher.h5 (sha256 `e461a42c3c5d`); 4 epochs; 21,987 training photos" in steps
    assert "2. 1 epoch; 21,987 training photos; Dogs vs. Cats (Kaggle); 48 minutes on 2 cores" in steps
    assert re.findall(r"`(distill|fit one|fit two)`", steps) == ["distill", "fit one", "fit two"]


def test_a_distilled_classifier_names_its_teacher():
    teacher = {"file": "teacher.h5", "sha256": "e461a42c3c5d8888", "training": RUN}
    earlier = {"file": "x.h5", "sha256": "1", "training": {**RUN, "command": "fit one"}}
    text = described(spec(training={**RUN, "teacher": teacher, "base": earlier, "command": "distill"}))
    assert re.findall(r"`(fit one|distill)`", text) == ["fit one", "distill"]
    assert "3. Distilled from teacher.h5 (sha256 `e461a42c3c5d`); 24 epochs" in text


@pytest.mark.parametrize(
    ("base", "said"),
    [
        ("random weights", "1. Random weights."),
        ("keras.applications, ImageNet", "1. Keras.applications, ImageNet."),
        ({"file": "base.weights.h5", "sha256": "abc"}, "1. Weights from base.weights.h5 (sha256 `abc`)"),
        ({"went_on_from": "old.h5", "sha256": "abc", "training": {}}, "1. Weights from old.h5 (sha256 `abc`)"),
        ({"file": "old.h5", "sha256": None}, "1. Weights from old.h5, of which"),
        (None, "1. Weights of which nothing is recorded."),
        (["?"], "1. Weights of which nothing is recorded."),
    ],
)
def test_what_a_run_began_with(base, said):
    assert said in described(spec(training={**RUN, "base": base}))


@pytest.mark.parametrize("training", [{}, {"seconds": "long", "photos": 3, "epochs": None, "command": None}])
def test_missing_provenance_is_said_to_be_missing(training):
    assert "of which nothing is recorded" in described(spec(training=training))


def test_how_a_model_learned_is_told_as_far_as_its_recipe_says():
    recipe = {
        "stages": [[64, 4], [96, 20], [96, 2]], "scale": [0.35, 1.0], "learning_rate": 0.002, "weight_decay": 0.05,
        "batch_size": 64, "jitter": 0.2, "cutmix": 0.5, "label_smoothing": 0.05, "ema": 0.998, "seed": 0,
    }  # fmt: skip
    text = " ".join(described(spec(training={**RUN, "recipe": recipe})).split())
    assert (
        "random crops of 35 % and more at 64 px, then 96 px, AdamW with warm-up to 0.002 and cosine to zero, weight "
        "decay 0.05, batches of 64, mirroring and colour jitter of 20 %, CutMix of 50 % of the photos, label smoothing "
        "0.05, moving average of the weights (0.998 per step), seed 0;"
    ) in text
    plain = " ".join(described(spec(training={**RUN, "recipe": recipe | {"cutmix": 0.0, "ema": 0}})).split())
    assert "CutMix" not in plain
    assert "moving average" not in plain


@pytest.mark.parametrize(
    ("history", "minutes"), [([{"seconds": 630.4}], 11), ([{"seconds": 300}, {"seconds": 390.0}], 12), ("?", 10)]
)
def test_a_run_took_as_long_as_its_epochs(history, minutes):
    text = described(spec(training={**RUN, "seconds": 630, "history": history}))
    assert f"{minutes} minutes on 2 cores" in " ".join(text.split())


@pytest.mark.parametrize(
    "recipe", [3, [], {"stages": 5, "scale": None}, {"stages": [3, []], "scale": ["a"], "ema": "x"}]
)
def test_an_odd_recipe_breaks_nothing(recipe):
    assert "24 epochs; 21,987 training photos" in described(spec(training={**RUN, "recipe": recipe}))
