"""Photos are found in sorted order and labelled by their folder."""

import os

import numpy as np
import pytest
from PIL import Image

from catdog.errors import InvalidSettings
from tests.train.conftest import disc, stripes, waves, write_pictures
from train.data import dataset
from train.data.dataset import DatasetError
from train.data.photo_cache import load_images


def test_photos_are_sorted_and_labelled_and_the_first_of_each_class_are_kept(tiny_data):
    split = dataset.find(tiny_data, "val")
    assert split.classes == ("cat", "dog")
    assert list(split.labels) == [0] * 8 + [1] * 8
    head = split.head(2)
    assert [p.name for p in head.paths] == ["cats.0.png", "cats.1.png", "dogs.0.png", "dogs.1.png"]
    assert list(head.labels) == [0, 0, 1, 1]
    for limit in (0, -1):
        with pytest.raises(InvalidSettings, match=f"{limit}"):
            split.head(limit)


@pytest.mark.parametrize(
    ("files", "named"),
    [
        ([], "train"),
        (["cats/a.png"], "train.*cats"),
        (["cats/notes.txt", "dogs/a.png"], r"train/cats.*\.jpg"),
        (["cat/a.png", "cats/a.png", "dogs/a.png"], r"train.*'cat', 'cats', 'dogs'"),
        (["cats/a.png", "dogs\udce9/a.png"], r"train/dogs\\udce9"),
    ],
)
def test_an_unusable_folder_is_named(tmp_path, files, named):
    for name in files:
        path = tmp_path / "train" / name
        path.parent.mkdir(parents=True)
        path.touch()
    with pytest.raises(DatasetError, match=named):
        dataset.find(tmp_path, "train")


def test_photos_may_have_any_name_and_lie_anywhere(tmp_path):
    write_pictures(tmp_path / "before", {"cats": disc, "dogs": stripes}, {"val": 1})
    before = dataset.digest(dataset.find(tmp_path / "before", "val"))
    (tmp_path / "before" / "val").rename(tmp_path / "val")
    assert dataset.digest(dataset.find(tmp_path, "val")) == before
    cats = os.fsencode(tmp_path / "val" / "cats")
    os.rename(cats + b"/cats.0.png", cats + b"/caf\xe9.png")
    split = dataset.find(tmp_path, "val")
    assert dataset.digest(split) != before
    assert load_images(split, 16, cache=tmp_path / "cache").shape == (2, 16, 16, 3)


def test_train_and_val_must_hold_the_same_classes(tmp_path):
    write_pictures(tmp_path, {"ants": waves, "cats": disc, "dogs": stripes}, {"train": 1})
    write_pictures(tmp_path, {"cats": disc, "dogs": stripes}, {"val": 1})
    with pytest.raises(DatasetError, match=r"train .*val .*ants, cat, dog .*cat, dog"):
        dataset.find_training(tmp_path)


def test_further_folders_are_learned_from_and_measured_by_themselves(two_folders):
    data, more = two_folders
    train, val = dataset.find_training(data, None, [more])
    assert train.classes == val.classes == ("cat", "dog")
    assert np.unique(train.labels, return_counts=True)[1].tolist() == [3, 16, 8, 8]  # unlabelled, cat, dog, neither
    assert len(train.of_neither) == 8
    assert {path.is_relative_to(data) for path in val.paths} == {True}
    elsewhere = dataset.find_elsewhere(data, "val", [more])
    assert np.unique(elsewhere.labels, return_counts=True)[1].tolist() == [6, 6]
    assert len(dataset.find_elsewhere(data, "val")) == 0
    limited, _ = dataset.find_training(data, 2, [more])
    assert limited.labels.tolist() == [0, 0, 1, 1, 2, 2, -1, -1]


def test_folders_beside_the_classes_are_no_classes(tmp_path):
    write_pictures(tmp_path, {"cats": disc, "dogs": stripes}, {"val": 1})
    folders = {"cats": disc, "dogs": stripes, "neither": waves, "unlabelled": disc, ".hidden": disc}
    write_pictures(tmp_path, folders, {"train": 2})
    train, _ = dataset.find_training(tmp_path)
    assert train.classes == ("cat", "dog")
    assert train.labels.tolist() == [0, 0, 1, 1, 2, 2, -1, -1]


def test_a_further_folder_of_another_class_is_refused(two_folders, tmp_path):
    write_pictures(tmp_path, {"birds": waves}, {"train": 1})
    with pytest.raises(DatasetError, match=r"birds .* cat, dog"):
        dataset.find_training(two_folders[0], None, [tmp_path])


def test_a_further_folder_that_is_no_data_folder_is_refused(two_folders):
    data, more = two_folders
    for wrong in (more / "train", more / "misspelt"):
        with pytest.raises(DatasetError, match=wrong.name):
            dataset.find_training(data, None, [wrong])
        with pytest.raises(DatasetError, match=wrong.name):
            dataset.find_elsewhere(data, "val", [more, wrong])


def test_small_photos_of_neither_are_drawn_as_often_as_large_ones(tmp_path):
    sizes = {"small": (64, 3), "large": (200, 1)}
    paths, labels = [], []
    for label, name in enumerate(("cats", "dogs", "neither")):
        for kind, (side, count) in sizes.items():
            for index in range(count):
                paths.append(tmp_path / f"{name}-{kind}{index}.png")
                Image.new("RGB", (side, side)).save(paths[-1])
                labels.append(label)
    chances = dataset.chances(dataset.Split(("cat", "dog"), tuple(paths), np.array(labels)))
    assert chances.mean() == pytest.approx(1)
    assert chances.tolist() == pytest.approx([1] * 8 + [2 / 3] * 3 + [2], rel=1e-4)
