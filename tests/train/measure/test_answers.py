"""Models are asked through the serving path, once; what they said is kept until something changes."""

from __future__ import annotations

import os

import numpy as np
import pytest

from catdog.classifier import Classifier
from catdog.engine import Outputs
from catdog.models.spec import ModelSpec
from train.data import dataset
from train.measure.answers import ask
from train.measure.robustness import CONDITIONS

PASSES = 1 + len(CONDITIONS)


class Brightness:
    """An engine that takes bright photos for dogs, and counts how often it is asked."""

    runtime = "arithmetic"
    problem = ""

    def __init__(self):
        self.asked = 0

    def __call__(self, batch: np.ndarray) -> Outputs:
        self.asked += 1
        return Outputs.from_model(batch.mean(axis=(1, 2, 3), keepdims=True)[:, 0, 0] / 255)


@pytest.fixture
def classifier() -> Classifier:
    spec = ModelSpec("m", "Model", "m", "m.h5", "0" * 64, 1, 32, ("cat", "dog"), temperature=2.0)
    return Classifier(spec, Brightness())


@pytest.fixture
def split(tiny_data) -> dataset.Split:
    return dataset.find(tiny_data, "val")


def test_answers_are_those_of_the_serving_path(classifier, split, tmp_path):
    answers = ask([classifier], split, tmp_path)
    images = [dataset.read(path) for path in split.paths]
    np.testing.assert_allclose(answers.probabilities["m"], classifier.probabilities(images), atol=1e-9)
    for name, condition in CONDITIONS.items():
        served = Classifier(classifier.spec.replace(temperature=1.0), classifier.engine)
        changed = served.probabilities([condition.change(image) for image in images])
        np.testing.assert_allclose(answers.changed[name]["m"], changed, atol=1e-9)
    assert np.abs(answers.changed["dark"]["m"] - answers.outputs["m"]).max() > 0.3


def test_a_model_is_asked_once(classifier, split, tmp_path):
    first = ask([classifier], split, tmp_path)
    assert classifier.engine.asked == PASSES
    again = ask([classifier], split, tmp_path)
    assert classifier.engine.asked == PASSES
    np.testing.assert_array_equal(first.outputs["m"], again.outputs["m"])
    np.testing.assert_array_equal(first.changed["blur"]["m"], again.changed["blur"]["m"])


def test_no_model_is_asked_where_nothing_can_be_kept(classifier, split, tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(OSError):
        ask([classifier], split, tmp_path / "file")
    assert classifier.engine.asked == 0


def test_another_temperature_needs_no_other_answers(classifier, split, tmp_path):
    sharp = ask([classifier], split, tmp_path).probabilities["m"]
    warmer = Classifier(classifier.spec.replace(temperature=8.0), classifier.engine)
    flat = ask([warmer], split, tmp_path).probabilities["m"]
    assert classifier.engine.asked == PASSES
    assert (flat.max(axis=1) <= sharp.max(axis=1)).all()
    assert (flat.argmax(axis=1) == sharp.argmax(axis=1)).all()


@pytest.mark.parametrize(
    "changed",
    [{"sha256": "1" * 64}, {"image_size": 16}, {"scaling": "unit"}, {"resize": "crop"}, {"clear": {"int8": 0.9}}],
)
def test_another_model_is_asked_anew(classifier, split, tmp_path, changed):
    ask([classifier], split, tmp_path)
    other = Classifier(classifier.spec.replace(**changed), classifier.engine)
    ask([other], split, tmp_path)
    assert classifier.engine.asked == 2 * PASSES


def test_another_runtime_or_photo_is_asked_anew(classifier, split, tmp_path):
    ask([classifier], split, tmp_path)
    classifier.engine.runtime = "better arithmetic"
    ask([classifier], split, tmp_path)
    assert classifier.engine.asked == 2 * PASSES
    path = split.paths[0]
    time = path.stat().st_mtime
    try:
        os.utime(path, (time + 10, time + 10))
        ask([classifier], split, tmp_path)
    finally:
        os.utime(path, (time, time))
    assert classifier.engine.asked == 3 * PASSES


def test_only_the_new_model_is_asked(classifier, split, tmp_path):
    ask([classifier], split, tmp_path)
    new = Classifier(classifier.spec.replace(name="new", sha256="1" * 64), Brightness())
    answers = ask([classifier, new], split, tmp_path)
    assert (classifier.engine.asked, new.engine.asked) == (PASSES, PASSES)
    np.testing.assert_array_equal(answers.outputs["m"], answers.outputs["new"])


def test_columns_follow_the_folder_and_not_the_model(classifier, split, tmp_path):
    turned = Classifier(classifier.spec.replace(classes=("dog", "cat")), classifier.engine)
    one, other = (ask([c], split, tmp_path).outputs["m"] for c in (classifier, turned))
    np.testing.assert_array_equal(one, other[:, ::-1])


def test_models_of_one_title_go_by_their_names(classifier, split, tmp_path):
    twin, other = (
        Classifier(classifier.spec.replace(name=name, title=title), classifier.engine)
        for name, title in (("twin", "Model"), ("other", "Other"))
    )
    answers = ask([classifier, twin, other], split, tmp_path)
    assert answers.titles == {"m": "m", "twin": "twin", "other": "Other"}
    assert answers.name_of(0) == "cats/cats.0.png"
