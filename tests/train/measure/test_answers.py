"""Models are asked as they are served, once; what they said is kept until something changes."""

import os
import shutil
from dataclasses import dataclass

import numpy as np
import pytest
from PIL import Image

from catdog.classifier import Classifier, calibrated
from catdog.comparator import Comparator
from catdog.engine import Outputs
from catdog.photo.array import to_array
from tests.specs import minimal
from train.data import dataset
from train.data.photo_cache import read
from train.measure.answers import Answers, ask, outputs_of, predict
from train.measure.robustness import CONDITIONS

PASSES = 1 + len(CONDITIONS)


@dataclass
class Brightness:
    """An engine that takes bright photos for dogs, the more surely the steeper, and counts how often it is asked."""

    steep: float = 1.0
    runtime: str = "arithmetic"
    asked: int = 0

    def __call__(self, batch: np.ndarray) -> Outputs:
        self.asked += 1
        light = batch.mean(axis=(1, 2, 3)) / 255
        of_dog = 1 / (1 + np.exp(-self.steep * (light - 0.5)))
        return Outputs(np.stack([1 - of_dog, of_dog], axis=1).astype(np.float32))


@pytest.fixture
def classifier() -> Classifier:
    return Classifier(minimal(title="Model", image_size=32, temperature=2.0), Brightness())


@pytest.fixture
def split(tiny_data) -> dataset.Split:
    return dataset.find(tiny_data, "val")


@pytest.fixture
def photos(tmp_path) -> dataset.Split:
    """Small photos and large ones, which serving reduces; JPEG's decoder does so in another way than resizing."""
    random = np.random.default_rng(0)
    for name, values, side in (("cats", (0, 90), 60), ("cats", (0, 255), 900), ("dogs", (200, 255), 900)):
        (tmp_path / "test" / name).mkdir(parents=True, exist_ok=True)
        pixels = random.integers(*values, (side // 3, side // 2, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((side, side)).save(tmp_path / "test" / name / f"{side}.jpg")
    return dataset.find(tmp_path, "test")


@pytest.mark.parametrize("steep", [(1, 1), (60, 60), (1, 60)])
def test_photos_are_read_as_serving_reads_them(photos, steep):
    """Large ones too: reduced where all models are sure, and as a whole where one is not."""
    classifiers = [
        Classifier(minimal(name, image_size=size, temperature=0.5), Brightness(steep))
        for name, size, steep in zip("ab", (16, 40), steep, strict=True)
    ]
    comparator = Comparator(classifiers)
    served = [comparator.compare(path) for path in photos.paths]
    comparator.close()
    for number, (name, rows) in enumerate(predict(classifiers, photos).items()):
        assert name == "ab"[number]
        expected = [list(comparison.models[number].probabilities.values()) for comparison in served]
        np.testing.assert_allclose(rows, expected, atol=1e-9)


def test_a_reduced_photo_is_another_one_only_where_all_models_are_sure(photos):
    large = len(photos) - 1  # the bright one
    whole = np.asarray(read(photos.paths[large]).resize((16, 16), Image.Resampling.BILINEAR)).mean() / 255
    seen = {}
    for steep in (1, 60):
        found = outputs_of([Classifier(minimal(image_size=16), Brightness(steep))], photos)["m"].probabilities[large]
        seen[steep] = 0.5 + np.log(found[1] / found[0]) / steep
    assert seen[1] == pytest.approx(whole, abs=1e-6)
    assert abs(seen[60] - whole) > 1e-5


def test_changed_photos_are_asked_about_as_if_they_were_photos(classifier, split, tmp_path):
    answers = ask([classifier], split, tmp_path)
    images = [read(path) for path in split.paths]

    def probabilities(images: list[Image.Image]) -> np.ndarray:
        return classifier.outputs(np.stack([to_array(image, classifier.spec.input) for image in images])).probabilities

    np.testing.assert_allclose(answers.probabilities["m"], probabilities(images), atol=1e-9)
    for name, condition in CONDITIONS.items():
        changed = probabilities([condition.change(image) for image in images])
        np.testing.assert_allclose(calibrated(answers.changed[name]["m"], 2.0), changed, atol=1e-9)
    assert np.abs(answers.changed["dark"]["m"] - answers.outputs["m"]).max() > 0.1


def test_a_model_is_asked_once(classifier, split, tmp_path):
    first, again = (ask([classifier], split, tmp_path) for _ in range(2))
    assert classifier.engine.asked == PASSES
    np.testing.assert_array_equal(first.outputs["m"], again.outputs["m"])
    np.testing.assert_array_equal(first.changed["blur"]["m"], again.changed["blur"]["m"])


def test_no_model_is_asked_where_nothing_can_be_kept(classifier, split, tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(OSError):
        ask([classifier], split, tmp_path / "file")
    assert classifier.engine.asked == 0


def test_another_model_runtime_or_photo_is_asked_anew(classifier, tiny_data, tmp_path):
    split = dataset.find(shutil.copytree(tiny_data, tmp_path / "data"), "val")
    ask([classifier], split, tmp_path)
    changes = [
        {"sha256": "1" * 64}, {"image_size": 16}, {"scaling": "unit"}, {"resize": "crop"}, {"clear": {"int8": 0.9}},
        {"temperature": 3.0},
    ]  # fmt: skip
    for number, change in enumerate(changes, 2):
        ask([Classifier(classifier.spec.replace(**change), classifier.engine)], split, tmp_path)
        assert classifier.engine.asked == number * PASSES
    classifier.engine.runtime = "better arithmetic"
    ask([classifier], split, tmp_path)
    assert classifier.engine.asked == 8 * PASSES
    time = split.paths[0].stat().st_mtime + 10
    os.utime(split.paths[0], (time, time))
    ask([classifier], split, tmp_path)
    assert classifier.engine.asked == 9 * PASSES


def test_columns_follow_the_folder_and_not_the_model(classifier, split):
    turned = Classifier(classifier.spec.replace(classes=("Dog", "CAT")), classifier.engine)
    one, other = (predict([c], split)["m"] for c in (classifier, turned))
    np.testing.assert_array_equal(one, other[:, ::-1])


def test_models_of_one_title_go_by_their_names(split):
    specs = [minimal("m", title="Model"), minimal("twin", title="Model"), minimal("other", title="Other")]
    assert Answers(split, tuple(specs), {}, {}, {}).titles == {"m": "m", "twin": "twin", "other": "Other"}
