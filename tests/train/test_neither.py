"""Photos of neither, without a label, of further folders, and made worse: found, drawn, learned from, and refused."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest
from PIL import Image

from catdog import ModelSpec, Settings, load
from train import architectures, calibrate, dataset, degrade, distill, fit, trainer
from train.__main__ import main
from train.dataset import Batches, DatasetError
from train.trainer import Recipe

from .conftest import disc, small, stripes, waves, write_pictures

COUNTS = {"train": 8, "val": 6}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Discs and stripes, and a further folder with more discs, with waves as neither, and some without a label."""
    data, more = (tmp_path_factory.mktemp(name) for name in ("data", "more"))
    write_pictures(data, {"cats": disc, "dogs": stripes}, COUNTS)
    write_pictures(more, {"cat": disc, "neither": waves}, COUNTS)
    write_pictures(more, {"unlabelled": stripes}, {"train": 3})
    return data, more


@pytest.fixture
def small_networks(monkeypatch):
    for name, architecture in small().items():
        monkeypatch.setitem(architectures.ARCHITECTURES, name, architecture)


# --- data ---------------------------------------------------------------------------------------


def test_further_folders_are_learned_from_and_measured_by_themselves(folders):
    data, more = folders
    train, val = dataset.find_training(data, None, [more])
    assert train.classes == val.classes == ("cat", "dog")
    assert np.unique(train.labels, return_counts=True)[1].tolist() == [3, 16, 8, 8]  # unlabelled, cat, dog, neither
    assert len(train.of_classes) == 24 and len(train.of_neither) == 8
    assert {path.is_relative_to(data) for path in val.paths} == {True}
    elsewhere = dataset.find_elsewhere(data, "val", [more])
    assert np.unique(elsewhere.labels, return_counts=True)[1].tolist() == [6, 6]
    assert len(dataset.find_elsewhere(data, "val")) == 0
    limited, _ = dataset.find_training(data, 2, [more])
    assert limited.labels.tolist() == [0, 0, 1, 1, 2, 2, -1, -1]


def test_folders_beside_the_classes_are_no_classes(folders, tmp_path):
    write_pictures(tmp_path, {"cats": disc, "dogs": stripes, "neither": waves, "unlabelled": disc}, {"train": 2})
    assert dataset.find(tmp_path, "train").classes == ("cat", "dog")
    beside = dataset.find_beside(tmp_path, "train", ("cat", "dog"))
    assert beside.labels.tolist() == [2, 2, -1, -1]


def test_a_further_folder_of_another_class_is_refused(folders, tmp_path):
    write_pictures(tmp_path, {"birds": waves}, {"train": 1})
    with pytest.raises(DatasetError, match="birds is none of the classes cat, dog"):
        dataset.find_training(folders[0], None, [tmp_path])


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


def test_photos_without_a_label_have_no_weight_nor_have_mixes_with_them():
    labels = np.array([0, 1, 2, -1] * 6)
    batches = Batches(np.arange(24), labels, 2, 8, neither=True, shuffle_seed=0, cutmix=0.5)
    for inputs, targets, weights in (batches[index] for index in range(3)):
        known, mixed = labels[inputs["photos"]] >= 0, inputs["shares"][:, 0] < 1
        assert weights.tolist() == (known & (~mixed | known[::-1])).astype(float).tolist()
        assert targets.shape == (8, 3)
        whole = known & ~mixed
        np.testing.assert_array_equal(targets[whole], np.eye(3)[labels[inputs["photos"]][whole]])


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


# --- what photos suffer -------------------------------------------------------------------------


PHOTO = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)


@pytest.mark.parametrize("way", degrade.WAYS)
def test_each_way_changes_a_photo_and_keeps_its_size(way):
    image = Image.fromarray(PHOTO)
    changed = [np.asarray(way(image, np.random.default_rng(seed))) for seed in range(20)]
    assert {(one.shape, one.dtype) for one in changed} == {((64, 64, 3), np.dtype(np.uint8))}
    assert sum((one != PHOTO).any() for one in changed) >= 18  # 64 pixels can be shrunk to 64
    np.testing.assert_array_equal(changed[3], way(image, np.random.default_rng(3)))
    np.testing.assert_array_equal(np.asarray(image), PHOTO)


def test_what_a_teacher_sees_has_lost_no_quality():
    smooth = np.asarray(Image.fromarray(PHOTO[:4, :4]).resize((64, 64), Image.Resampling.BICUBIC))
    moved = lost = 0
    for seed in range(60):
        clean, suffered = degrade.degraded(smooth, np.random.default_rng(seed))
        assert clean.shape == suffered.shape == smooth.shape
        moved += (clean != smooth).any()
        lost += (suffered != clean).any()
    assert 10 < moved < 40 < lost


def test_as_many_photos_suffer_as_the_recipe_says_and_anew_in_each_epoch():
    images = np.repeat(PHOTO[None], 100, axis=0)
    batches = Batches(images, np.zeros(100, int), 2, 50, shuffle_seed=1, degrade=0.3)
    first, _ = batches[0]
    suffered = (first["photos"] != PHOTO).any(axis=(1, 2, 3))
    assert 8 <= suffered.sum() <= 22
    assert not (first["clean"] != PHOTO).any(axis=(1, 2, 3))[~suffered].any()
    same = Batches(images, np.zeros(100, int), 2, 50, shuffle_seed=1, degrade=0.3)[0][0]
    np.testing.assert_array_equal(same["photos"], first["photos"])
    batches.on_epoch_end()
    assert (batches[0][0]["photos"] != first["photos"]).any()


def test_both_views_of_a_photo_are_cut_alike():
    recipe = Recipe(stages=((16, 1),), jitter=0.0, degrade=0.5, scale=(0.3, 1.0))
    batch, crops, clean = fit.augmented(16, recipe)
    model = keras.Model(batch, [crops, clean])
    photos = np.random.default_rng(0).integers(0, 100, (6, 24, 24, 3), np.uint8)
    shares = np.array([[1.0], [0.5]] * 3, np.float32)
    dark, light = model({"photos": photos, "clean": photos + 100, "shares": shares}, training=True)
    np.testing.assert_allclose(light - dark, 100, atol=1e-3)
    assert dark.shape == (6, 16, 16, 3)


# --- the output for neither ---------------------------------------------------------------------


def test_a_sigmoid_is_gone_on_from_as_a_softmax_with_neither(small_networks, tmp_path):
    before = architectures.build("scratch_cnn", image_size=24)
    before.save(tmp_path / "before.h5")
    after = architectures.build("scratch_cnn", neither=True, image_size=24)
    architectures.load_classifier(after, tmp_path / "before.h5")
    photos = np.random.default_rng(0).uniform(0, 255, (4, 24, 24, 3)).astype(np.float32)
    dog, said = before.predict_on_batch(photos)[:, 0], after.predict_on_batch(photos)
    np.testing.assert_allclose(said[:, 1] / said[:, :2].sum(axis=1), dog, atol=1e-5)
    assert said.shape == (4, 3) and (said[:, 2] < 0.2).all()


def test_the_accuracy_is_that_among_the_classes():
    metric = fit.Accuracy()
    targets = np.float32([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0]])
    said = np.float32([[0.2, 0.1, 0.7], [0.3, 0.2, 0.5], [0.0, 0.1, 0.9], [0.9, 0.1, 0.0]])
    metric.update_state(targets, said)
    assert float(metric.result()) == 0.5
    metric.update_state(targets[:1], said[:1], sample_weight=np.float32([0]))
    assert float(metric.result()) == 0.5


def test_the_threshold_refuses_what_it_should():
    random = np.random.default_rng(0)
    found = calibrate.fit_neither(random.normal(-6, 1, 2000), random.normal(0, 1, 500))
    assert found.threshold == pytest.approx(1 / (1 + np.exp(6 - 2.17)), rel=0.2)
    assert found.auroc > 0.99 and found.caught > 0.95 and found.photos == 500
    alone = calibrate.fit_neither(random.normal(-6, 1, 2000), np.zeros(0))
    assert (alone.auroc, alone.caught, alone.photos) == (None, None, None)
    certain = calibrate.fit_neither(np.full(10, -50.0), np.full(10, 50.0))
    assert 0 < certain.threshold < 1e-6 and certain.caught == 1


def test_what_is_neither_is_learned_and_served(folders, small_networks, tmp_path, capsys):
    data, more = folders
    command = ["fit", "scratch_cnn", "--data", str(data), "--more", str(more), "--stages", "24x30", "--crop", "0.8"]
    command += ["--learning-rate", "0.01", "--batch-size", "8", "--precision", "float32", "--image-size", "24"]
    places = ["--run", str(tmp_path / "run"), "--out", str(tmp_path / "weights")]
    assert main([*command, *places, "--degrade", "0.1", "--ema", "0"]) == 0
    spec = ModelSpec.read(tmp_path / "weights" / "scratch_cnn.json")
    assert spec.metrics["val"]["images"] == 12 and spec.metrics["elsewhere"]["images"] == 6
    assert spec.neither["photos"] == 6 and spec.neither["auroc"] > 0.8
    assert spec.training["photos"] == {"train": 32, "val": 12}  # those without a label teach nothing
    comparator = load(Settings(weights=tmp_path / "weights"))
    assert not comparator.problems
    refused = comparator.compare(more / "val" / "neither" / "neither.0.png")
    told = comparator.compare(data / "val" / "cats" / "cats.0.png")
    comparator.close()
    assert refused.models[0].neither > told.models[0].neither
    assert set(told.models[0].probabilities) == {"cat", "dog"}
    capsys.readouterr()
    weights = ["--weights", str(tmp_path / "weights")]
    assert main(["calibrate", "--data", str(data), "--more", str(more), *weights]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["neither"] == pytest.approx(spec.neither, abs=1e-4)
    assert main(["evaluate", "--data", str(data), "--split", "val", *weights]) == 0
    assert ModelSpec.read(tmp_path / "weights" / "scratch_cnn.json").metrics["val"]["images"] == 12


# --- a teacher that knew more -------------------------------------------------------------------


def write_network(path, classes: int = 5) -> None:
    """The small network that `small` builds for every name, with a last layer for other classes."""
    base = architectures.build_base("efficientnet_lite2")
    last = keras.layers.Dense(classes, activation="softmax")
    keras.Model(base.input, last(base.output)).save(path)


def distilled(folders, tmp_path, *arguments: str) -> ModelSpec:
    data, more = map(str, folders)
    command = ["distill", "efficientnet_lite2", "--data", data, "--more", more, "--stages", "24x2"]
    command += ["--batch-size", "8", "--image-size", "24", "--teacher-size", "24", "--precision", "float32"]
    places = ["--run", str(tmp_path / "run"), "--out", str(tmp_path / "weights")]
    assert main([*command, *places, *arguments]) == 0
    return ModelSpec.read(tmp_path / "weights" / "efficientnet_lite2.json")


def test_a_network_is_fine_tuned_beside_what_it_was(folders, small_networks, tmp_path, monkeypatch):
    file = str(tmp_path / "before.h5")
    write_network(file)
    monkeypatch.setattr(distill, "load_teacher", lambda path, classes, neither: (tiny_base(path), None))
    spec = distilled(
        folders, tmp_path, "--base", file, "--teacher", file, "--answers", file, "--imitation", "0.1", "--steps", "2",
        "--settled", "--degrade", "0.5", "--stages", "24x1,24x1", "--frozen-stages", "1",
    )  # fmt: skip
    training = spec.training
    assert training["photos"]["train"] == 35  # with those that have no label
    assert training["weight_of_imitation"] == 0.1 and training["weight_of_earlier_answers"] == distill.EARLIER
    assert training["base"]["sha256"] == training["teacher"]["sha256"] == training["answers"]["sha256"]
    assert training["recipe"]["steps"] == 2 and training["recipe"]["degrade"] == 0.5 and training["recipe"]["settled"]


def tiny_base(path) -> keras.Model:
    base = architectures.build_base("efficientnet_lite2", weights=str(path))
    return distill.up_to_last_map(base)


def test_a_classifier_with_neither_teaches_its_three_answers(folders, small_networks, tmp_path):
    first = distilled(folders, tmp_path / "first", "--teacher", write_fitted(folders, tmp_path))
    assert first.training["weight_of_answers"] == distill.ANSWERS
    assert first.neither is not None


def write_fitted(folders, tmp_path) -> str:
    data, more = map(str, folders)
    out = tmp_path / "fitted"
    command = ["fit", "mobilenet_v2", "--base", "none", "--data", data, "--more", more, "--stages", "24x1"]
    command += ["--batch-size", "8", "--image-size", "24", "--precision", "float32", "--run", str(tmp_path / "fit")]
    assert main([*command, "--out", str(out)]) == 0
    return str(out / "mobilenet_v2.h5")


def owed(taught, itself: bool, places, photos) -> float:
    imitation = distill.Imitation(taught, itself=itself)
    imitation.build(None, places.shape, None)
    imitation(np.full((len(photos), 3), 1 / 3, np.float32), places, photos, training=True)
    return sum(map(float, imitation.losses))


def test_a_student_owes_what_its_teacher_knew_before():
    photos = np.random.default_rng(0).uniform(0, 255, (4, 8, 8, 3)).astype(np.float32)
    pixels = keras.Input((None, None, 3))
    colours = keras.Model(pixels, keras.layers.Identity()(pixels))
    random = np.random.default_rng(1)
    earlier = random.normal(0, 0.1, (3, 7)).astype(np.float32), random.normal(size=7).astype(np.float32)
    silent, knowing = (distill.Taught(colours, None, photos, earlier=known, size=8) for known in (None, earlier))
    half = distill.Taught(colours, None, photos, earlier=earlier, size=8, weight=0.5)
    assert owed(knowing, True, photos, photos) == pytest.approx(0, abs=1e-5)
    other = photos[::-1].copy()
    assert imitation_has_no_weights(knowing)

    def answers(features):
        logits = features.mean(axis=(1, 2)) @ earlier[0] + earlier[1]
        return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)

    known, said = answers(photos), answers(other)
    divergence = (known * np.log(known / said)).sum(axis=1).mean()
    expected = owed(silent, True, other, photos) + distill.EARLIER * divergence
    assert owed(knowing, True, other, photos) == pytest.approx(expected, rel=1e-3)
    assert owed(half, True, other, photos) == pytest.approx(expected / 2, rel=1e-3)


def imitation_has_no_weights(taught) -> bool:
    imitation = distill.Imitation(taught, itself=True)
    imitation.build(None, (4, 8, 8, 3), None)
    return not imitation.weights


def test_answers_of_another_network_are_refused(folders, small_networks, tmp_path, capsys):
    keras.Sequential([keras.Input((9,)), keras.layers.Dense(5)]).save(tmp_path / "other.h5")
    write_network(tmp_path / "before.h5")
    teacher = write_fitted(folders, tmp_path)
    command = ["distill", "efficientnet_lite2", "--data", str(folders[0]), "--teacher", teacher, "--stages", "24x1"]
    command += ["--out", str(tmp_path / "weights"), "--run", str(tmp_path / "run"), "--image-size", "24"]
    assert main([*command, "--answers", str(tmp_path / "other.h5")]) == 1
    assert "The answers take 9 features" in capsys.readouterr().err
    (tmp_path / "broken.h5").write_bytes(b"broken")
    assert main([*command, "--answers", str(tmp_path / "broken.h5")]) == 1
    assert "broken.h5 cannot be loaded" in capsys.readouterr().err


def test_recipes_of_earlier_versions_have_none_of_this():
    recipe = Recipe(stages=((8, 1),))
    assert (recipe.degrade, recipe.steps, recipe.settled) == (0, 0, False)
    assert {"degrade", "steps", "settled"} <= trainer.DEFAULTS.keys()
