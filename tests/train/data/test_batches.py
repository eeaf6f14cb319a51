"""Batches of an epoch depend on the seed and the number of the epoch alone."""

import numpy as np
import pytest

from train.data.batches import Batches, targets


def test_shuffling_depends_on_seed_and_epoch_alone():
    images, labels = np.arange(10)[:, None, None, None], np.arange(10) % 2

    def order(seed, epoch):
        batches = Batches(images, labels, 2, 5, shuffle_seed=seed, epoch=epoch)
        return [int(i) for index in range(len(batches)) for i in batches[index][0]["photos"].ravel()]

    going_on = Batches(images, labels, 2, 5, shuffle_seed=7)
    going_on.on_epoch_end()
    assert list(going_on.order) == order(7, 1) == order(7, 1)
    assert order(7, 1) != order(7, 0) != order(8, 0)
    assert sorted(order(7, 0)) == list(range(10))


def test_unshuffled_batches_hold_every_photo_in_order():
    batches = Batches(np.arange(7), np.zeros(7, int), 2, 3)
    assert [list(batches[i][0]["photos"]) for i in range(len(batches))] == [[0, 1, 2], [3, 4, 5], [6]]


@pytest.mark.parametrize("classes", [2, 3])
def test_targets_are_mixed_by_the_shares_that_stay(classes):
    labels = np.arange(24) % classes
    batches = Batches(np.arange(24), labels, classes, 8, shuffle_seed=3, cutmix=0.5)
    mixed = []
    for inputs, mixtures in (batches[index] for index in range(len(batches))):
        whole, shares = targets(labels[inputs["photos"]], classes), inputs["shares"]
        np.testing.assert_allclose(
            mixtures, [s * a + (1 - s) * b for s, a, b in zip(shares, whole, whole[::-1], strict=True)]
        )
        mixed += list(shares[:, 0] < 1)
    assert 6 <= sum(mixed) <= 18
    again = Batches(np.arange(24), labels, classes, 8, shuffle_seed=3, cutmix=0.5)
    np.testing.assert_array_equal(again.shares, batches.shares)
    assert (Batches(np.arange(24), labels, classes, 8, shuffle_seed=3).shares == 1).all()


def test_targets():
    np.testing.assert_array_equal(targets(np.array([0, 1]), 2), [[0.0], [1.0]])
    np.testing.assert_array_equal(targets(np.array([2, 0]), 3), [[0, 0, 1], [1, 0, 0]])


def test_photos_without_a_label_have_no_weight_nor_have_mixes_with_them():
    labels = np.array([0, 1, 2, -1] * 6)
    batches = Batches(np.arange(24), labels, 2, 8, neither=True, shuffle_seed=0, cutmix=0.5)
    for inputs, answers, weights in (batches[index] for index in range(3)):
        known, mixed = labels[inputs["photos"]] >= 0, inputs["shares"][:, 0] < 1
        assert weights.tolist() == (known & (~mixed | known[::-1])).astype(float).tolist()
        assert answers.shape == (8, 3)
        whole = known & ~mixed
        np.testing.assert_array_equal(answers[whole], np.eye(3)[labels[inputs["photos"]][whole]])


def test_an_epoch_of_steps_draws_photos_by_their_chances():
    chances = np.array([0.5] * 50 + [1.5] * 50)
    batches = Batches(np.arange(100), np.arange(100) % 2, 2, 10, shuffle_seed=0, steps=8, chances=chances)
    assert len(batches) == 8
    drawn = []
    for _ in range(50):
        drawn += [int(photo) for index in range(8) for photo in batches[index][0]["photos"]]
        counts = np.bincount(batches.order, minlength=100)
        assert counts.max() <= 2 and len(batches.order) == 80
        batches.on_epoch_end()
    assert np.bincount(drawn, minlength=100) / 50 == pytest.approx(0.8 * chances, abs=0.3)
    again = Batches(np.arange(100), np.arange(100) % 2, 2, 10, shuffle_seed=0, epoch=50, steps=8, chances=chances)
    np.testing.assert_array_equal(again.order, batches.order)


PHOTO = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)


def test_the_share_of_photos_that_the_recipe_says_is_degraded_anew_in_each_epoch():
    images = np.repeat(PHOTO[None], 100, axis=0)
    batches = Batches(images, np.zeros(100, int), 2, 50, shuffle_seed=1, degrade=0.3)
    first, _ = batches[0]
    worse = (first["photos"] != PHOTO).any(axis=(1, 2, 3))
    assert 8 <= worse.sum() <= 22
    assert not (first["clean"] != PHOTO).any(axis=(1, 2, 3))[~worse].any()
    same = Batches(images, np.zeros(100, int), 2, 50, shuffle_seed=1, degrade=0.3)[0][0]
    np.testing.assert_array_equal(same["photos"], first["photos"])
    batches.on_epoch_end()
    assert (batches[0][0]["photos"] != first["photos"]).any()
