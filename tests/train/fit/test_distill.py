"""A teacher's features and answers: what a student owes them, and `distill` on tiny pictures."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from catdog import ModelSpec, Settings, load
from catdog.models.spec import sha256_of
from tests.tiny import write_tiny_model
from train.__main__ import main
from train.fit import distill, lineage
from train.fit.trainer import Checkpoints, Recipe
from train.networks import architectures


def write_teacher(path):
    """A model whose first layer is a feature extractor on pixels of -1..1, of any size."""
    pixels = keras.Input((None, None, 3))
    features = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(6, 3, strides=4)(pixels))
    head = keras.layers.Dense(2, activation="softmax")
    keras.Sequential([keras.Input((None, None, 3)), keras.Model(pixels, features), head]).save(path)


@pytest.mark.usefixtures("small_runs")
def test_a_distilled_classifier_is_gone_on_from_and_teaches(tiny_data, tmp_path, monkeypatch, capsys):
    teacher = tmp_path / "teacher.h5"
    write_teacher(teacher)
    sha256 = sha256_of(teacher)

    def run(folder: str, teacher: Path, *more: str) -> ModelSpec:
        places = {"--data": tiny_data, "--out": tmp_path / folder, "--run": tmp_path / f"run-{folder}"}
        command = ["distill", "xception", "--teacher", str(teacher), *(str(w) for pair in places.items() for w in pair)]
        short = [
            "--stages",
            "24x1",
            "--batch-size",
            "4",
            "--limit",
            "2",
            "--precision",
            "float32",
            "--image-size",
            "24",
        ]
        assert main([*command, *short, *more]) == 0
        return ModelSpec.read(tmp_path / folder / "xception.json")

    save = Checkpoints.save
    with monkeypatch.context() as patch:  # the teacher goes away while it teaches
        patch.setattr(Checkpoints, "save", lambda *args: (save(*args), teacher.rename(tmp_path / "moved.h5")))
        first = run("first", teacher)
    assert first.training["teacher"] == {"file": "teacher.h5", "sha256": sha256}
    assert first.training["base"] == "random weights"
    assert "weight_of_answers" not in first.training
    second = run("second", tmp_path / "moved.h5", "--start", str(tmp_path / "first" / "xception.h5"))
    assert second.training["base"]["training"] == first.training
    third = run("third", tmp_path / "first" / "xception.h5")
    assert third.training["weight_of_answers"] == distill.ANSWERS
    (epoch,) = lineage.runs(third.training)[-1].epochs
    assert min(epoch["loss"], epoch["val_loss"]) > 0
    assert "val_loss" not in third.training["history"][-1]
    log = capsys.readouterr().out
    assert "val_label_loss: " in log and "val_loss: " not in log
    assert load(Settings(weights=tmp_path / "third")).compare(next(tiny_data.rglob("*.png"))).models


def test_a_distilled_network_keeps_its_outputs():
    """What is saved answers as what was trained: the second output for the teacher changes no order of weights."""
    name = "mobilenet_v2"
    student = architectures.build(name)
    photos = np.random.default_rng(1).integers(0, 256, (2, 48, 48, 3), np.uint8)
    taught = distill.Taught(tiny_teacher(), None, photos)
    begun = distill.projection(student, taught, photos, 48)
    trained = distill._training_model(student, taught, begun, 48, Recipe(((48, 1),)), keras.optimizers.SGD())
    saved = architectures.build(name, image_size=48)
    saved.set_weights(trained.get_layer(name).get_weights())
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 48, 48, 3)).astype(np.float32)
    expected = trained.predict_on_batch({"photos": pixels, "shares": np.ones((2, 1), np.float32)})
    np.testing.assert_allclose(saved.predict_on_batch(pixels), expected, atol=1e-5)


def tiny_teacher() -> keras.Model:
    """The colours of each place as features."""
    pixels = keras.Input((None, None, 3))
    return keras.Model(pixels, keras.layers.Identity()(pixels))


def same(taught: distill.Taught) -> list[np.ndarray]:
    """The projection of a student that has the features of its teacher."""
    return [np.diag(1 / taught.place_deviation), -taught.mean / taught.place_deviation]


def owed(taught: distill.Taught, begun: list[np.ndarray], probabilities, places, photos) -> float:
    """What a student owes its teacher who says this of photos and their places."""
    imitation = distill.Imitation(taught)
    imitation.build(None, places.shape, None)
    imitation.projection.set_weights(begun)
    imitation(probabilities, places, photos, training=True)
    return sum(map(float, imitation.losses))


def test_the_teacher_sees_the_very_crop_of_the_student():
    photos = np.random.default_rng(0).uniform(0, 255, (4, 8, 8, 3)).astype(np.float32)
    features = photos.mean(axis=(1, 2))
    taught = distill.Taught(tiny_teacher(), None, photos)
    np.testing.assert_allclose(taught.mean, features.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(taught.deviation, features.std(axis=0), rtol=1e-2)
    np.testing.assert_allclose(taught.place_deviation, photos.std(axis=(0, 1, 2)), rtol=1e-2)
    imitation = distill.Imitation(taught)
    probabilities, places = np.full((4, 1), 0.5, np.float32), np.ones((4, 8, 8, 2), np.float32)
    np.testing.assert_array_equal(imitation(probabilities, places, photos, training=True), probabilities)
    (error,) = imitation.losses
    differences = places @ keras.ops.convert_to_numpy(imitation.projection.kernel) - (
        (photos - taught.mean) / taught.place_deviation
    )
    of_photos = differences.mean(axis=(1, 2)) * taught.place_deviation / taught.deviation
    expected = (of_photos**2).mean() + distill.PLACES * (differences**2).mean()
    assert float(error) == pytest.approx(float(expected), rel=1e-4)
    assert len(imitation.trainable_weights) == 2  # the projection's
    imitation(probabilities, places, photos, training=False)
    assert not imitation.losses


@pytest.mark.parametrize(("ridge", "share"), [(1e-6, 1e-4), (distill.RIDGE, 0.5)])
def test_a_student_that_knows_what_its_teacher_knows_owes_little_at_first(monkeypatch, ridge, share):
    monkeypatch.setattr(distill, "RIDGE", ridge)
    photos = np.random.default_rng(0).uniform(0, 255, (70, 8, 8, 3)).astype(np.float32)
    taught = distill.Taught(tiny_teacher(), None, photos)
    begun = distill.projection(mixing_student(), taught, photos, 8)
    unsure = np.full((70, 1), 0.5, np.float32)
    nothing = [np.zeros_like(weights) for weights in begun]
    assert owed(taught, begun, unsure, photos @ MIXED, photos) < share * owed(
        taught, nothing, unsure, photos @ MIXED, photos
    )


MIXED = np.array([[0.2, 0.7, 0.0], [0.5, 0.0, 0.5], [0.0, 0.3, 0.4]], np.float32)


def mixing_student() -> keras.Model:
    """Has other mixtures of the colours of each place as features."""
    pixels = keras.Input((None, None, 3))
    mixtures = keras.layers.Dense(3, use_bias=False)
    pooled = keras.layers.GlobalAveragePooling2D()(mixtures(pixels))
    mixtures.set_weights([MIXED])
    return keras.Model(pixels, architectures.head(2)(pooled))


def test_a_student_with_a_smaller_map_is_told_of_its_places():
    """The left halves are dark, the right halves bright: so are the places of a map of half the size."""
    photos = np.zeros((4, 8, 8, 3), np.float32)
    photos[:, :, 4:] = 200
    photos += np.random.default_rng(0).uniform(0, 55, (4, 1, 1, 3)).astype(np.float32)
    taught = distill.Taught(tiny_teacher(), None, photos)

    places, unsure = photos[:, ::2, ::2], np.full((4, 1), 0.5, np.float32)
    mirrored = places[:, :, ::-1]
    assert owed(taught, same(taught), unsure, places, photos) < 0.1
    assert owed(taught, same(taught), unsure, mirrored, photos) > 1


def test_a_classifier_that_was_trained_here_can_teach(tmp_path):
    classifier = architectures.build("mobilenet_v2", image_size=48)
    path = tmp_path / "teacher.h5"
    classifier.save(path)
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 48, 48, 3)).astype(np.float32)
    expected = keras.Model(classifier.input, classifier.get_layer("dropout").input).predict_on_batch(pixels)
    teacher, answer = distill.load_teacher(path, ("cat", "dog"))
    features = teacher.predict_on_batch(pixels).mean(axis=(1, 2))
    np.testing.assert_allclose(features, expected, atol=1e-4)
    assert answer is None  # nobody said what its output means
    known = write_tiny_model(tmp_path, "mobilenet_v2", image_size=48)
    known.replace(file=path.name, sha256=sha256_of(path)).write(path.with_suffix(".json"))
    _, answer = distill.load_teacher(path, ("cat", "dog"))
    np.testing.assert_allclose(answer(features), classifier.predict_on_batch(pixels), atol=1e-5)
    assert distill.load_teacher(path, ("cow", "horse"))[1] is None


def answering(classes: int, photos: np.ndarray) -> distill.Taught:
    """A teacher whose answers come from random weights."""
    head = architectures.head(classes)
    head.build((None, 3))
    head.set_weights([head.kernel / 255, head.bias])
    return distill.Taught(tiny_teacher(), head, photos)


@pytest.mark.parametrize(("classes", "outputs"), [(2, 1), (3, 3)])
def test_a_student_owes_the_answers_of_its_teacher(classes, outputs):
    photos = np.random.default_rng(0).uniform(0, 255, (4, 8, 8, 3)).astype(np.float32)
    taught = answering(classes, photos)
    silent = distill.Taught(tiny_teacher(), None, photos)
    assert taught.objective == {**silent.objective, "weight_of_answers": distill.ANSWERS}
    targets = keras.ops.convert_to_numpy(taught.answer(photos.mean(axis=(1, 2))))
    said = keras.ops.convert_to_numpy(keras.ops.softmax(np.random.default_rng(1).normal(size=(4, 3))))[:, :outputs]
    surprise = -(targets * np.log(said) + (outputs == 1) * (1 - targets) * np.log(1 - said)).sum(axis=1)
    # A student with the features of its teacher owes nothing else.
    assert owed(silent, same(silent), said, photos, photos) == pytest.approx(0, abs=1e-6)
    expected = distill.ANSWERS * surprise.mean()
    assert owed(taught, same(taught), said, photos, photos) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("knows", [True, False])
def test_labels_teach_where_the_teacher_has_no_answer(knows):
    photos = np.random.default_rng(0).uniform(0, 255, (4, 8, 8, 3)).astype(np.float32)
    taught = answering(2, photos) if knows else distill.Taught(tiny_teacher(), None, photos)
    batch = {"photos": photos, "shares": np.ones((4, 1), np.float32)}
    rows = []
    for labels in ([0, 1, 1, 0], [1, 0, 0, 1]):
        keras.utils.set_random_seed(0)
        model = distill._training_model(
            mixing_student(), taught, same(taught), 8, Recipe(((8, 1),)), keras.optimizers.SGD()
        )
        rows.append(model.train_on_batch(batch, np.float32(labels)[:, None], return_dict=True))
    assert rows[0]["label_loss"] != rows[1]["label_loss"]
    assert (rows[0]["loss"] == rows[1]["loss"]) == knows
    assert rows[0]["loss"] > 0
