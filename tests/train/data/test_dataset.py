"""Sorted, labelled, decoded as in serving, shuffled from the seed alone."""

from __future__ import annotations

import itertools
import os
import time

import numpy as np
import pytest
from PIL import ExifTags, Image

from catdog.classifier import Classifier
from catdog.comparator import Comparator
from catdog.engine import Outputs
from catdog.errors import InvalidSettings
from tests.specs import minimal
from tests.train.conftest import COUNTS, disc, stripes, waves, write_pictures
from train.data import dataset
from train.data.dataset import Batches, DatasetError
from train.measure.answers import predict


def test_find_is_sorted_and_labelled(tiny_data):
    split = dataset.find(tiny_data, "val")
    assert split.classes == ("cat", "dog")
    assert list(split.labels) == [0] * 8 + [1] * 8
    assert [p.name for p in split.paths[:3]] == ["cats.0.png", "cats.1.png", "cats.2.png"]


def test_head_keeps_the_first_of_each_class(tiny_data):
    head = dataset.find(tiny_data, "train").head(2)
    assert [p.name for p in head.paths] == ["cats.0.png", "cats.1.png", "dogs.0.png", "dogs.1.png"]
    assert list(head.labels) == [0, 0, 1, 1]


@pytest.mark.parametrize("missing", ["split", "class", "photos"])
def test_an_unusable_folder_is_named(tmp_path, missing):
    if missing != "split":
        (tmp_path / "train" / "cats").mkdir(parents=True)
    if missing == "photos":
        (tmp_path / "train" / "dogs").mkdir()
        (tmp_path / "train" / "cats" / "notes.txt").write_text("no photo")
    with pytest.raises(DatasetError, match=r"train.*(must hold|holds no photo; accepted are \.jpg)"):
        dataset.find(tmp_path, "train")


class Witness:
    """An engine that keeps what reaches it."""

    runtime = problem = ""

    def __init__(self):
        self.seen = []

    def __call__(self, batch: np.ndarray) -> Outputs:
        self.seen += list(batch)
        return Outputs.from_model(np.full((len(batch), 1), 0.5, np.float32))


@pytest.fixture
def odd_photos(tmp_path) -> dataset.Split:
    """Photos that need more than resizing: on their side, transparent, grey of 16 bits, with a palette."""
    colours = np.random.default_rng(0).integers(0, 256, (60, 90, 4), dtype=np.uint8)
    photo, transparent = Image.fromarray(colours[..., :3]), Image.fromarray(colours)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    for label in ("cats", "dogs"):
        folder = tmp_path / "odd" / "val" / label
        folder.mkdir(parents=True)
        photo.save(folder / "turned.jpg", exif=exif)
        transparent.save(folder / "transparent.png")
        Image.fromarray(colours.view(np.uint32)[..., 0].astype(np.uint16)).save(folder / "grey.png")
        photo.quantize(16).save(folder / "palette.gif")
        photo.save(folder / "photo.webp")
    return dataset.find(tmp_path / "odd", "val")


@pytest.mark.parametrize("resize", ["stretch", "crop"])
def test_training_measuring_and_serving_see_the_same_array(odd_photos, tmp_path, resize):
    trained_on = dataset.load_images(odd_photos, 32, resize=resize, cache=tmp_path / "cache")
    witness = Witness()
    classifier = Classifier(minimal(image_size=32, resize=resize), witness)
    predict([classifier], odd_photos)
    comparator = Comparator([classifier])
    for path in odd_photos.paths:
        comparator.compare(path)
        comparator.compare(path.read_bytes())
        with Image.open(path) as opened:
            comparator.compare(opened)
    comparator.close()
    count = len(odd_photos)
    assert (count, len(witness.seen)) == (10, 40)
    for index, image in enumerate(trained_on.astype(np.float32)):
        assert image.std() > 10
        for seen in (witness.seen[index], *witness.seen[count + 3 * index : count + 3 * index + 3]):
            assert seen.dtype == np.float32
            np.testing.assert_array_equal(image, seen)


def test_the_cache_is_reused_until_a_file_changes(tiny_data, tmp_path):
    split = dataset.find(tiny_data, "val")
    dataset.load_images(split, 16, cache=tmp_path)
    (made,) = tmp_path.glob("*.npy")
    before = made.stat().st_mtime_ns
    dataset.load_images(split, 16, cache=tmp_path)
    assert made.stat().st_mtime_ns == before
    dataset.load_images(split.head(3), 16, cache=tmp_path)
    assert len(list(tmp_path.glob("*.npy"))) == 2
    assert not list(tmp_path.glob("*.partial"))


def test_a_photo_that_does_not_decode_leaves_no_cache(tiny_data, tmp_path):
    for label in ("cats", "dogs"):
        (tmp_path / "data" / "val" / label).mkdir(parents=True)
        (tmp_path / "data" / "val" / label / "a.png").write_bytes(b"broken")
    split = dataset.find(tmp_path / "data", "val")
    with pytest.raises(DatasetError, match=r"a\.png.*python -m train prepare"):
        dataset.load_images(split, 16, cache=tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


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
        whole, shares = dataset.targets(labels[inputs["photos"]], classes), inputs["shares"]
        np.testing.assert_allclose(
            mixtures, [s * a + (1 - s) * b for s, a, b in zip(shares, whole, whole[::-1], strict=True)]
        )
        mixed += list(shares[:, 0] < 1)
    assert 6 <= sum(mixed) <= 18
    again = Batches(np.arange(24), labels, classes, 8, shuffle_seed=3, cutmix=0.5)
    np.testing.assert_array_equal(again.shares, batches.shares)
    assert (Batches(np.arange(24), labels, classes, 8, shuffle_seed=3).shares == 1).all()


def test_targets():
    np.testing.assert_array_equal(dataset.targets(np.array([0, 1]), 2), [[0.0], [1.0]])
    np.testing.assert_array_equal(dataset.targets(np.array([2, 0]), 3), [[0, 0, 1], [1, 0, 0]])


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_leaves_at_least_one_photo(tiny_data, limit):
    with pytest.raises(InvalidSettings, match=f"at least 1. Received: {limit}"):
        dataset.find(tiny_data, "train").head(limit)


def test_hidden_folders_are_no_classes(tmp_path):
    write_pictures(tmp_path, {"cats": disc, "dogs": stripes}, COUNTS)
    (tmp_path / "val" / ".ipynb_checkpoints").mkdir()
    assert dataset.find(tmp_path, "val").classes == ("cat", "dog")


def test_photos_may_have_any_name_and_classes_one_in_utf8(tmp_path):
    write_pictures(tmp_path, {"cats": disc, "dogs": stripes}, {"val": 1})
    before = dataset.digest(dataset.find(tmp_path, "val"))
    cats = os.fsencode(tmp_path / "val" / "cats")
    os.rename(cats + b"/cats.0.png", cats + b"/caf\xe9.png")
    split = dataset.find(tmp_path, "val")
    assert dataset.digest(split) != before
    assert dataset.load_images(split, 16, cache=tmp_path / "cache").shape == (2, 16, 16, 3)
    os.rename(cats, cats + b"\xe9")
    with pytest.raises(DatasetError, match=r"cats\\udce9' is not UTF-8"):
        dataset.find(tmp_path, "val")


def test_two_folders_of_one_class_are_named(tmp_path):
    write_pictures(tmp_path, {"cat": disc, "cats": disc, "dogs": stripes}, {"val": 1})
    with pytest.raises(DatasetError, match=r"two folders of one class; found \['cat', 'cats', 'dogs'\]"):
        dataset.find(tmp_path, "val")


def test_train_and_val_must_hold_the_same_classes(tmp_path):
    write_pictures(tmp_path, {"ants": waves, "cats": disc, "dogs": stripes}, {"train": 1})
    write_pictures(tmp_path, {"cats": disc, "dogs": stripes}, {"val": 1})
    with pytest.raises(DatasetError, match=r"same classes; found ants, cat, dog and cat, dog"):
        dataset.find_training(tmp_path)


def test_the_progress_of_decoding_reaches_all_photos(tiny_data, capsys):
    split = dataset.find(tiny_data, "train")
    photos = dataset.decoded(split, 16)
    assert len(list(itertools.islice(photos, len(split)))) == len(split) == 48
    photos.close()
    assert "48/48" in capsys.readouterr().err.splitlines()[-1]


def test_what_killed_processes_left_in_the_cache_is_removed(tiny_data, tmp_path):
    for name, age in (("old", 2 * dataset.DAY), ("new", 0)):
        (tmp_path / f"{name}.1.partial").write_bytes(b"x")
        os.utime(tmp_path / f"{name}.1.partial", (time.time() - age,) * 2)
    dataset.load_images(dataset.find(tiny_data, "val"), 16, cache=tmp_path)
    assert [path.name for path in tmp_path.glob("*.partial")] == ["new.1.partial"]


def test_a_full_disk_is_an_error_before_anything_is_decoded(tmp_path):
    def fill(array):
        raise AssertionError("there was no space for this")

    with pytest.raises(OSError, match="No space left") as caught:
        dataset.cached(tmp_path / "photos.npy", (2**50,), np.uint8, fill)
    assert caught.value.filename
    assert list(tmp_path.iterdir()) == []
