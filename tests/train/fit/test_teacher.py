"""A teacher: the statistics of its features, what it can answer, and the first projection of a student."""

import keras
import numpy as np
import pytest

from catdog import InvalidSettings
from catdog.models.spec import sha256_of
from tests.specs import minimal
from tests.tiny import write_tiny_model
from tests.train.fit.students import MIXED, colours, mixing_student
from train.fit import teacher as module
from train.fit.teacher import Teacher, load_head, load_teacher, projection
from train.networks import architectures

PHOTOS = np.random.default_rng(0).uniform(0, 255, (70, 8, 8, 3)).astype(np.float32)


def test_features_have_statistics_of_photos_and_of_places():
    teacher = Teacher(colours(), None, PHOTOS)
    pooled = PHOTOS.mean(axis=(1, 2))
    np.testing.assert_allclose(teacher.mean, pooled.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(teacher.deviation, pooled.std(axis=0), rtol=1e-2)
    np.testing.assert_allclose(teacher.place_deviation, PHOTOS.std(axis=(0, 1, 2)), rtol=1e-2)


@pytest.mark.parametrize(("ridge", "share"), [(1e-6, 1e-4), (module.RIDGE, 0.5)])
def test_the_projection_of_a_student_that_knows_as_much_leaves_little_error(monkeypatch, ridge, share):
    monkeypatch.setattr(module, "RIDGE", ridge)
    teacher = Teacher(colours(), None, PHOTOS)
    kernel, bias = projection(mixing_student(), teacher, PHOTOS, 8)
    target = (PHOTOS - teacher.mean) / teacher.place_deviation
    error = np.square(PHOTOS @ MIXED @ kernel + bias - target).mean()
    assert error < share * np.square(target).mean()


def test_a_classifier_that_was_trained_here_can_teach(small_networks, tmp_path):
    classifier = architectures.build("mobilenet_v2", image_size=48)
    path = tmp_path / "teacher.h5"
    classifier.save(path)
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 48, 48, 3)).astype(np.float32)
    expected = keras.Model(classifier.input, classifier.get_layer("dropout").input).predict_on_batch(pixels)
    network, answer = load_teacher(path, ("cat", "dog"))
    features = network.predict_on_batch(pixels).mean(axis=(1, 2))
    np.testing.assert_allclose(features, expected, atol=1e-4)
    assert answer is None  # without a spec, its classes are unknown
    known = write_tiny_model(tmp_path, "mobilenet_v2", image_size=48)
    known.replace(file=path.name, sha256=sha256_of(path)).write(path.with_suffix(".json"))
    _, answer = load_teacher(path, ("cat", "dog"))
    np.testing.assert_allclose(answer(features), classifier.predict_on_batch(pixels), atol=1e-5)
    assert load_teacher(path, ("cow", "horse"))[1] is None
    assert load_teacher(path, ("cat", "dog"), neither=True)[1] is None


def test_an_average_has_the_size_of_its_parts(small_networks, tmp_path):
    path = tmp_path / "teacher.h5"
    classifier = architectures.build("mobilenet_v2", image_size=48, width=0.5)
    classifier.save(path)
    parts = [{"sha256": str(n) * 64, "training": {"recipe": {"width": 0.5}, "base": "none"}} for n in (1, 2)]
    training = {"base": parts[0], "averaged_with": parts[1:]}
    minimal("teacher", sha256=sha256_of(path), training=training).write(path.with_suffix(".json"))
    network, _ = load_teacher(path, ("cat", "dog"))
    assert network.output.shape[-1] == classifier.get_layer("dropout").output.shape[-1]


def test_a_head_of_another_network_is_refused(tmp_path):
    keras.Sequential([keras.Input((9,)), keras.layers.Dense(5)]).save(tmp_path / "other.h5")
    head = load_head(tmp_path / "other.h5")
    assert [one.shape for one in head] == [(9, 5), (5,)]
    with pytest.raises(InvalidSettings, match=r"9 features.*has 3"):
        Teacher(colours(), None, PHOTOS, original_head=head)


@pytest.mark.parametrize("content", ["damaged", "not dense"])
def test_a_file_without_a_head_is_refused(tmp_path, content):
    path = tmp_path / "answers.h5"
    path.write_bytes(b"damaged")
    if content == "not dense":
        keras.Sequential([keras.Input((9,)), keras.layers.ReLU()]).save(path)
    with pytest.raises(InvalidSettings, match=r"answers\.h5"):
        load_head(path)
