"""The loss of a student: features, answers, and the answers of the teacher's original last layer."""

import keras
import numpy as np
import pytest

from tests.train.fit.students import colours, mixing_student
from train.fit import distill, teacher
from train.fit.distill import Imitation
from train.fit.teacher import Teacher
from train.networks import architectures
from train.networks.recipes import Recipe

PHOTOS = np.random.default_rng(0).uniform(0, 255, (4, 8, 8, 3)).astype(np.float32)
UNSURE = np.full((4, 1), 0.5, np.float32)


def same(known: Teacher) -> list[np.ndarray]:
    """The projection of a student that has the features of its teacher."""
    return [np.diag(1 / known.place_deviation), -known.mean / known.place_deviation]


def loss_of(known: Teacher, weights: list[np.ndarray] | None, probabilities, places, photos=PHOTOS) -> float:
    """The loss of a student with this projection, or None for one that starts as the teacher."""
    imitation = Imitation(known, starts_as_teacher=weights is None)
    imitation.build(None, places.shape, None)
    imitation.set_weights(weights or [])
    np.testing.assert_array_equal(imitation(probabilities, places, photos, training=True), probabilities)
    return sum(map(float, imitation.losses))


def test_the_feature_loss_is_that_of_whole_crops_and_of_each_place():
    known = Teacher(colours(), None, PHOTOS)
    places, kernel = np.ones((4, 8, 8, 2), np.float32), np.random.default_rng(1).normal(size=(2, 3)).astype(np.float32)
    differences = places @ kernel - (PHOTOS - known.mean) / known.place_deviation
    whole = differences.mean(axis=(1, 2)) * known.place_deviation / known.deviation
    expected = (whole**2).mean() + teacher.PLACES * (differences**2).mean()
    loss = loss_of(known, [kernel, np.zeros(3, np.float32)], UNSURE, places)
    assert loss == pytest.approx(float(expected), rel=1e-4)
    imitation = Imitation(known)
    imitation(UNSURE, PHOTOS, PHOTOS, training=False)
    assert not imitation.losses
    assert len(imitation.trainable_weights) == len(imitation.weights) == 2  # the projection's, not the teacher's


def test_a_student_with_a_smaller_map_learns_its_places():
    """The left halves are dark, the right halves bright: so are the places of a map of half the size."""
    photos = np.zeros((4, 8, 8, 3), np.float32)
    photos[:, :, 4:] = 200
    photos += np.random.default_rng(0).uniform(0, 55, (4, 1, 1, 3)).astype(np.float32)
    known, places = Teacher(colours(), None, photos), photos[:, ::2, ::2]
    assert loss_of(known, same(known), UNSURE, places, photos) < 0.1
    assert loss_of(known, same(known), UNSURE, places[:, :, ::-1], photos) > 1


def answering(classes: int) -> Teacher:
    """A teacher with a last layer of random weights."""
    head = architectures.head(classes)
    head.build((None, 3))
    head.set_weights([head.kernel / 255, head.bias])
    return Teacher(colours(), head, PHOTOS)


@pytest.mark.parametrize(("classes", "outputs"), [(2, 1), (3, 3)])
def test_the_answer_loss_is_the_cross_entropy_with_the_teachers_answers(classes, outputs):
    known, silent = answering(classes), Teacher(colours(), None, PHOTOS)
    assert known.objective == {**silent.objective, "weight_of_answers": teacher.ANSWERS}
    targets = keras.ops.convert_to_numpy(known.answer(PHOTOS.mean(axis=(1, 2))))
    answers = keras.ops.convert_to_numpy(keras.ops.softmax(np.float32(np.random.default_rng(1).normal(size=(4, 3)))))[
        :, :outputs
    ]
    surprise = -(targets * np.log(answers) + (outputs == 1) * (1 - targets) * np.log(1 - answers)).sum(axis=1)
    assert loss_of(silent, same(silent), answers, PHOTOS) == pytest.approx(0, abs=1e-6)
    assert loss_of(known, same(known), answers, PHOTOS) == pytest.approx(teacher.ANSWERS * surprise.mean(), rel=1e-4)


def test_the_original_head_adds_the_divergence_of_its_answers():
    random = np.random.default_rng(1)
    head = random.normal(0, 0.1, (3, 7)).astype(np.float32), random.normal(size=7).astype(np.float32)
    silent, knowing = (Teacher(colours(), None, PHOTOS, original_head=one) for one in (None, head))
    half = Teacher(colours(), None, PHOTOS, original_head=head, weight=0.5)
    other, unsure = PHOTOS[::-1].copy(), np.full((4, 3), 1 / 3, np.float32)

    def answers(features):
        logits = features.mean(axis=(1, 2)) @ head[0] + head[1]
        return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)

    known, students = answers(PHOTOS), answers(other)
    divergence = (known * np.log(known / students)).sum(axis=1).mean()
    expected = loss_of(silent, None, unsure, other) + teacher.EARLIER * divergence
    assert loss_of(knowing, None, unsure, PHOTOS) == pytest.approx(0, abs=1e-5)
    assert loss_of(knowing, None, unsure, other) == pytest.approx(expected, rel=1e-3)
    assert loss_of(half, None, unsure, other) == pytest.approx(expected / 2, rel=1e-3)


@pytest.mark.parametrize("knows", [True, False])
def test_labels_count_only_where_the_teacher_has_no_answer(small_runs, knows):
    known = answering(2) if knows else Teacher(colours(), None, PHOTOS)
    batch = {"photos": PHOTOS, "shares": np.ones((4, 1), np.float32)}
    rows = []
    for labels in ([0, 1, 1, 0], [1, 0, 0, 1]):
        keras.utils.set_random_seed(0)
        model = distill._training_model(
            mixing_student(), known, same(known), 8, Recipe(((8, 1),)), keras.optimizers.SGD()
        )
        rows.append(model.train_on_batch(batch, np.float32(labels)[:, None], return_dict=True))
    assert rows[0]["label_loss"] != rows[1]["label_loss"]
    assert (rows[0]["loss"] == rows[1]["loss"]) == knows
    assert rows[0]["loss"] > 0


def test_the_student_inside_a_training_model_keeps_its_weights_in_order(small_runs):
    """What is saved answers as what was trained."""
    name, photos = "mobilenet_v2", np.random.default_rng(1).integers(0, 256, (2, 48, 48, 3), np.uint8)
    student, known = architectures.build(name), Teacher(colours(), None, photos)
    first = teacher.projection(student, known, photos, 48)
    trained = distill._training_model(student, known, first, 48, Recipe(((48, 1),)), keras.optimizers.SGD())
    saved = architectures.build(name, image_size=48)
    saved.set_weights(trained.get_layer(name).get_weights())
    pixels = photos.astype(np.float32)
    expected = trained.predict_on_batch({"photos": pixels, "shares": np.ones((2, 1), np.float32)})
    np.testing.assert_allclose(saved.predict_on_batch(pixels), expected, atol=1e-5)
