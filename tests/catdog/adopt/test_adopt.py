"""From somebody's file to a model that is served: `python -m catdog adopt`."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shlex
import shutil
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image

from catdog import InvalidSettings, ModelSpec, Settings, load
from catdog.__main__ import main
from catdog.adopt import source
from catdog.adopt.adoption import adopt
from catdog.adopt.guess import usual_scaling
from catdog.adopt.labelled import find_labelled, read_pixels
from catdog.adopt.table import report
from catdog.engine import load_engine
from catdog.errors import NotWritten
from catdog.keras_file.refusals import Refused
from catdog.models.spec import sha256_of
from catdog.photo.array import Input, to_array
from catdog.photo.reader import Reader
from tests.catdog.keras_file import recorded
from tests.damage import full

RECORDS = recorded.records()
RED, BLUE = (190, 60, 40), (40, 60, 190)


@pytest.fixture(scope="session")
def photos(tmp_path_factory):
    """30 reddish cats and 30 bluish dogs that overlap a little, wide, with grey sides; and a file that is none."""
    random, folder = np.random.default_rng(0), tmp_path_factory.mktemp("photos")
    for name, colour in (("Cats", RED), ("dogs", BLUE)):
        (folder / name).mkdir()
        for number in range(30):
            pixels = np.full((16, 32, 3), 128) + random.normal(0, 20, (16, 32, 3))
            pixels[:, 8:24] += np.array(colour) - 128 + random.normal(0, 70, 3)
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / name / f"{number}.png")
    (folder / "dogs" / "broken.png").write_bytes(b"no photo")
    return folder


def colours(path, *, cat_first=True, factor=1.0, shape=(16, 16, 3)):
    """A model of Keras 3 that says cat, its first output, to red photos whose values reach `factor`."""
    model = keras.Sequential([keras.Input(shape), layers.GlobalAveragePooling2D(), layers.Dense(2, "softmax")])
    kernel = np.zeros((shape[2], 2), np.float32)
    kernel[0], kernel[-1] = (8, -8), (-8, 8)
    model.set_weights([kernel[:, :: 1 if cat_first else -1] / factor, np.zeros(2)])
    model.save(path)
    return path


def test_an_export_of_teachable_machine_is_adopted_as_it_is_known(tmp_path, cat):
    recorded.write(RECORDS["nested twice"], tmp_path / "keras_model.h5")
    (tmp_path / "labels.txt").write_text("0 Dog\n1 Cats\n\n")
    with zipfile.ZipFile(tmp_path / "converted_keras.zip", "w") as archive:
        for name in ("keras_model.h5", "labels.txt"):
            archive.write(tmp_path / name, f"export/{name}")
    for number, given in enumerate((tmp_path, tmp_path / "converted_keras.zip")):
        spec = adopt(given, tmp_path / "mine", name=f"mine{number}").spec
        assert (spec.classes, spec.scaling, spec.resize) == (("dog", "cat"), "symmetric", "crop")
        assert spec.training["keras_version"] == RECORDS["nested twice"]["version"]
        engine = load_engine(tmp_path / "mine" / spec.file, spec, Settings())
        answers = engine(recorded.photos((12, 12, 3))).probabilities
        assert np.abs(answers - RECORDS["nested twice"]["answers"]).max() < 1e-4
    with contextlib.closing(load(Settings(weights=tmp_path / "mine"))) as comparator:
        assert (len(comparator.models), comparator.problems) == (2, ())
        assert comparator.compare(cat).prediction in ("Cat", "Dog")


@pytest.mark.parametrize(("scaling", "factor"), [("none", 255.0), ("unit", 1.0), ("symmetric", 2.0)])
@pytest.mark.parametrize("cat_first", [True, False])
def test_photos_tell_scaling_and_order(scaling, factor, cat_first, photos, tmp_path):
    path = colours(tmp_path / "model.h5", cat_first=cat_first, factor=factor)
    adopted = adopt(path, tmp_path / "mine", photos=photos)
    spec = adopted.spec
    assert spec.classes == (("cat", "dog") if cat_first else ("dog", "cat"))
    assert adopted.choice.shares["order"] > 0.9
    if scaling == "none":  # with a shift that both outputs share, the other two answer alike
        assert spec.scaling == scaling and adopted.choice.shares["scaling"] > 0.9
    figures = spec.metrics["photos"]
    assert figures["images"] == 60 and figures["accuracy"] > 0.8 and adopted.photos == (60, 1)
    assert spec.validation_accuracy == 0  # a few photos make no model the leader
    assert spec.temperature != 1 and spec.sureness
    assert ModelSpec.read(tmp_path / "mine" / "model.json") == spec


def test_photos_overrule_classes_that_were_named_the_wrong_way_round(photos, tmp_path):
    path = colours(tmp_path / "model.h5", cat_first=False)
    assert adopt(path, tmp_path / "mine", photos=photos, classes=("cat", "dog")).spec.classes == ("dog", "cat")


def of_colours(path, count):
    """A model of Keras 3 with `count` outputs, which say nothing of a photo."""
    photo = keras.Input((16, 16, 3))
    keras.Sequential([photo, layers.GlobalAveragePooling2D(), layers.Dense(count, "softmax")]).save(path)
    return path


@pytest.fixture
def flowers(tmp_path):
    """Two photos of each of five flowers."""
    for name in ("daisy", "iris", "lily", "rose", "tulip"):
        (tmp_path / "flowers" / name).mkdir(parents=True)
        for number in range(2):
            Image.new("RGB", (16, 16), RED).save(tmp_path / "flowers" / name / f"{number}.png")
    return tmp_path / "flowers"


def test_labels_name_the_classes_of_photos_whatever_their_case(flowers, tmp_path):
    names = ("Tulip", "Rose", "Daisy", "Lily", "Iris")
    (tmp_path / "labels.txt").write_text("\n".join(names))
    adopted = adopt(of_colours(tmp_path / "model.h5", 5), tmp_path / "mine", photos=flowers)
    assert adopted.spec.classes == names and "order" not in adopted.assumed
    assert "order" not in adopted.choice.shares and "Rose, Daisy, Lily, Iris\n" in report(adopted)


@pytest.mark.parametrize("labels", [None, "Class 1\nClass 2\nClass 3\nClass 4\nClass 5\n"])
def test_an_order_of_many_classes_is_asked_for(labels, flowers, tmp_path):
    if labels:
        (tmp_path / "labels.txt").write_text(labels)
    with pytest.raises(InvalidSettings, match="--labels"):
        adopt(of_colours(tmp_path / "model.h5", 5), tmp_path / "mine", photos=flowers)
    assert not (tmp_path / "mine").exists()


def test_two_classes_must_be_readable(photos, tmp_path):
    shutil.copytree(photos / "Cats", tmp_path / "photos" / "cat")
    (tmp_path / "photos" / "dog").mkdir()
    shutil.copy(photos / "dogs" / "broken.png", tmp_path / "photos" / "dog")
    with pytest.raises(InvalidSettings, match="two classes"):
        adopt(colours(tmp_path / "model.h5"), tmp_path / "mine", photos=tmp_path / "photos")


def first_layers(*made):
    photo = keras.Input((16, 16, 3))
    return keras.Sequential([photo, *made, layers.Flatten(), layers.Dense(2, "softmax")])


@pytest.mark.parametrize(
    ("scales", "known"), [([1 / 127.5], True), ([1.0, [1 / 255] * 3], True), ([1.0], False), ([2.0], False)]
)
def test_only_a_layer_that_makes_pixels_small_says_that_they_are_wanted_as_they_are(scales, known):
    model = first_layers(*(layers.Rescaling(scale) for scale in scales))
    assert usual_scaling(model) == (("none", True) if known else ("unit", False))


@pytest.mark.parametrize(
    ("names", "scaling"),
    [
        (("Conv1", "expanded_conv_depthwise"), "symmetric"),
        (("block1_conv1", "block2_sepconv1"), "symmetric"),
        (("block1_conv1", "block1_conv2"), "caffe"),
        (("conv2_block1_1_conv", "conv2_block1_concat"), "torch"),
        (("conv2_block1_1_conv", "conv2_block1_out"), "caffe"),
        (("conv2d",), "unit"),
    ],
)
def test_layers_tell_the_network_that_they_are_of(names, scaling):
    assert usual_scaling(first_layers(*(layers.Conv2D(2, 1, name=name) for name in names))) == (scaling, False)


def test_grey_and_wide_photos_are_served(photos, tmp_path):
    path = tmp_path / "model.h5"
    recorded.write(RECORDS["grey"], path)
    spec = adopt(path, tmp_path / "mine", classes=("cat", "dog")).spec
    assert (spec.image_size, spec.image_width, spec.channels) == (12, 16, 1)
    image = Image.open(photos / "Cats" / "0.png")
    array = to_array(image, spec.input)
    assert array.shape == (12, 16, 1)
    with contextlib.closing(load(Settings(weights=tmp_path / "mine"))) as comparator:
        answer = comparator.compare(image, explain=True).models[0]
    engine = load_engine(tmp_path / "mine" / spec.file, spec, Settings(engine="tensorflow"))
    assert np.allclose(list(answer.probabilities.values()), engine(array[None]).probabilities, atol=1e-4)
    assert answer.heatmap


def test_without_photos_it_says_what_it_assumed(tmp_path, capfd):
    recorded.write(RECORDS["list of layers"], tmp_path / "my model (1).h5")
    assert main(["adopt", str(tmp_path / "my model (1).h5"), "--out", str(tmp_path / "my mine")]) == 0
    said = capfd.readouterr().out
    assert said.count("Assumed") == 3 and "--overwrite --photos" in said
    assert shlex.split(said.splitlines()[-1])[-3] == f"CATDOG_WEIGHTS={tmp_path / 'my mine'}:weights"
    assert (tmp_path / "my mine" / "my_model_1_.json").exists()


def test_a_table_says_how_good_it_is_on_the_photos(photos, tmp_path, capfd):
    path = colours(tmp_path / "model.h5")
    labels = tmp_path / "classes.json"
    labels.write_text(json.dumps({"cats": 0, "dogs": 1}))
    out = ["--out", str(tmp_path / "mine"), "--photos", str(photos), "--labels", str(labels)]
    assert main(["adopt", str(path), *out]) == 0
    said = capfd.readouterr().out
    assert "of 60" in said and "1 could not be read" in said and "cat, dog" in said and "Assumed" not in said


def test_nothing_is_overwritten_unless_asked_for(tmp_path):
    path = colours(tmp_path / "model.h5")
    before = path.read_bytes()
    with pytest.raises(InvalidSettings, match="--overwrite"):
        adopt(path, tmp_path)
    assert path.read_bytes() == before and sorted(tmp_path.iterdir()) == [path]
    assert adopt(path, tmp_path, overwrite=True).spec.file == path.name


def test_a_failure_leaves_what_was_there(photos, tmp_path):
    path = colours(tmp_path / "model.h5")
    old = adopt(path, tmp_path / "mine").spec
    (tmp_path / "mine" / "partial-model.h5").mkdir()  # in the way of the new file
    with pytest.raises(NotWritten):
        adopt(path, tmp_path / "mine", overwrite=True)
    with pytest.raises(NotWritten):
        adopt(path, path)  # a file is no folder to write to
    assert ModelSpec.read(tmp_path / "mine" / "model.json") == old
    assert sha256_of(tmp_path / "mine" / "model.h5") == old.sha256


def classifier(*shapes, heads=1):
    """A model of inputs of these shapes, with a softmax over two classes for each head."""
    inputs = [keras.Input(shape) for shape in shapes]
    flat = [layers.Flatten()(each) for each in inputs]
    features = layers.Concatenate()(flat) if len(flat) > 1 else flat[0]
    return keras.Model(inputs, [layers.Dense(2, "softmax")(features) for _ in range(heads)])


def cropped_when_trained():
    """A model that Keras crops photos for in training only, so that they do not fit when it predicts."""
    return keras.Sequential([keras.Input((16, 16, 3)), layers.RandomCrop(8, 8), *classifier((8, 8, 3)).layers[1:]])


@pytest.mark.parametrize(
    ("model", "code"),
    [
        (cropped_when_trained, "not_loaded"),
        (lambda: classifier((16, 16, 4)), "not_for_photos"),
        (lambda: classifier((16,)), "not_for_photos"),
        (lambda: classifier((4, 16, 3)), "not_for_photos"),
        (lambda: classifier((16, 16, 3), (16, 16, 3)), "not_for_photos"),
        (lambda: classifier((16, 16, 3), heads=2), "several_outputs"),
    ],
)
def test_a_model_that_cannot_judge_a_photo_is_refused(model, code, tmp_path):
    model().save(tmp_path / "model.h5")
    with pytest.raises(Refused) as caught:
        adopt(tmp_path / "model.h5", tmp_path / "mine")
    assert caught.value.code == code and not (tmp_path / "mine").exists()


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("0 Cats\r\n1 Big dog 2\r\n", ("cat", "Big dog 2")),
        ("\ufeff1. Dog\n0. Cat\n", ("cat", "dog")),
        ("1) Cat\n2) Dog", ("cat", "dog")),
        ("Dog\x1b\nCat", ("dog", "cat")),
        ("3 Cat\n7 Dog", ("3 Cat", "7 Dog")),
        ('{"Dogs": 1, "owl": 2, "cats": 0}', ("cat", "dog", "owl")),
        ('\n{"1": "dog", "0": "Cat"}', ("cat", "dog")),
        ('[\n "cats",\n "Dogs"\n]', ("cat", "dog")),
        ("[other]\ncat", ("[other]", "cat")),
        ("", ()),
    ],
)
def test_labels_are_read_with_or_without_numbers(text, names, tmp_path):
    (tmp_path / "labels.txt").write_text(text, newline="")
    assert source.read_labels(tmp_path / "labels.txt") == names


@pytest.mark.parametrize("text", ['["cat", ["dog"]]', '["cat", "dog"', '{"0": ["n02123045", "tabby"]}'])
def test_labels_in_another_form_of_json_are_refused(text, tmp_path):
    (tmp_path / "labels.json").write_text(text)
    with pytest.raises(InvalidSettings, match=r"labels\.json must be like"):
        source.read_labels(tmp_path / "labels.json")


def described(path):
    """A file that looks like a model."""
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = "{}"


@pytest.mark.parametrize(
    ("model", "labels", "teachable"),
    [
        ("keras_Model.h5", "Labels.txt", True),
        ("keras_model (1).h5", "labels (1).txt", True),
        ("keras_model.h5", "requirements.txt", False),
        ("model.h5", "labels.txt", False),
    ],
)
def test_an_export_of_teachable_machine_is_known_by_its_names(model, labels, teachable, tmp_path):
    described(tmp_path / model)
    (tmp_path / labels).write_text("0 Cat\n1 Dog")
    found = source.find_source(tmp_path, tmp_path)
    assert found.teachable == teachable
    assert found.labels == (("cat", "dog") if labels != "requirements.txt" else None)


def test_of_several_labels_those_of_the_same_download_count(tmp_path):
    for copy, names in (("", "Cat\nDog"), (" (1)", "Dog\nCat")):
        described(tmp_path / f"keras_model{copy}.h5")
        (tmp_path / f"labels{copy}.txt").write_text(names)
    for copy, names in (("", ("cat", "dog")), (" (1)", ("dog", "cat"))):
        assert source.find_source(tmp_path / f"keras_model{copy}.h5", tmp_path).labels == names


@pytest.mark.parametrize("with_photos", [True, False])
def test_answers_that_are_no_numbers_are_refused(with_photos, photos, tmp_path):
    path = colours(tmp_path / "model.h5", factor=np.nan)
    with pytest.raises(NotWritten):
        adopt(path, tmp_path / "mine", photos=photos if with_photos else None)
    assert not [*tmp_path.glob("mine/*")]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"classes": ("cat", "dog", "owl")}, "2 classes"),
        ({"classes": ("cat", "cat")}, "2 classes"),
        ({"classes": ("Owl", "owl")}, "2 classes"),
        ({"classes": ("cat", "")}, "2 classes"),
        ({"name": "../../x"}, "--name"),
        ({"photos": "nowhere"}, "No such file"),
        ({"photos": "x" * 300}, "name too long"),
        ({"photos": "."}, "a folder of photos for each of at least two classes"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_written(options, said, tmp_path):
    path = colours(tmp_path / "model.h5")
    if "photos" in options:
        options = {"photos": tmp_path / options["photos"]}
    with pytest.raises(InvalidSettings, match=said):
        adopt(path, tmp_path / "mine", **options)
    assert not (tmp_path / "mine").exists()


@pytest.mark.parametrize(
    ("names", "code"),
    [
        (["saved_model.pb"], "saved_model"),
        (["model.savedmodel/saved_model.pb", "labels.txt"], "saved_model"),
        (["export.pkl"], "pickle"),
        (["model_unquant.tflite", "labels.txt"], "tensorflow_lite"),
        (["a.h5", "b.h5"], "several_files"),
        ([], "not_a_model"),
    ],
)
def test_a_folder_without_a_model_says_what_is_in_it(names, code, tmp_path):
    (tmp_path / "export").mkdir()
    for name in names:
        (tmp_path / "export" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "export" / name).write_text("x")
    with pytest.raises(Refused) as caught:
        adopt(tmp_path / "export", tmp_path / "mine")
    assert caught.value.code == code


def test_a_model_is_found_in_the_folders_of_a_repository(tmp_path):
    for name in (".git/lfs", "docs", "saved/best", "saved/old.keras"):
        (tmp_path / "repo" / name).mkdir(parents=True)
    colours(tmp_path / "repo" / "saved" / "best" / "model.h5")
    (tmp_path / "repo" / ".git" / "lfs" / "other.h5").touch()
    assert adopt(tmp_path / "repo", tmp_path / "mine").spec.training["adopted_from"] == "repo/model.h5"
    (tmp_path / "repo" / "docs" / "other.h5").touch()
    with pytest.raises(Refused, match=r"docs/other\.h5, saved/best/model\.h5"):
        adopt(tmp_path / "repo", tmp_path / "mine")


@pytest.mark.parametrize(
    ("names", "flags", "code"),
    [
        (["model.json", "weights.bin"], 0, "tensorflow_js"),
        (["model.json"], 0, "zip_file"),
        (["model.h5"], 1, "archive"),
        (["a/folder.h5/", "a/keras_model.h5", "b/keras_model.h5"], 0, "several_files"),
    ],
    ids=["TensorFlow.js", "description", "password", "two of one name"],
)
def test_a_zip_of_something_else_says_what_it_is(names, flags, code, tmp_path):
    with zipfile.ZipFile(tmp_path / "model.zip", "w") as archive:
        for name in names:
            archive.writestr(name, b"{}")
            archive.getinfo(name).flag_bits |= flags
    with pytest.raises(Refused) as caught:
        adopt(tmp_path / "model.zip", tmp_path / "mine")
    assert caught.value.code == code


def test_labels_of_any_size_are_not_read(tmp_path):
    text = b"x" * (source.LARGEST_LABELS + 1)
    with zipfile.ZipFile(tmp_path / "export.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(colours(tmp_path / "keras_model.h5"), "keras_model.h5")
        archive.writestr("labels.txt", text)
    with pytest.raises(InvalidSettings, match="1 MB"):
        adopt(tmp_path / "export.zip", tmp_path / "mine")


def test_a_zip_is_unpacked_as_far_as_it_can_be_used(tmp_path, monkeypatch):
    monkeypatch.setattr(source, "LARGEST_TEXT", 10)
    with zipfile.ZipFile(tmp_path / "export.zip", "w") as archive:
        archive.write(colours(tmp_path / "model.h5"), "model.h5")
        archive.writestr("history.json", b"x" * 100)
    (tmp_path / "files").mkdir()
    source.find_source(tmp_path / "export.zip", tmp_path / "files")
    assert (tmp_path / "files" / "history.json").stat().st_size == 10
    assert (tmp_path / "files" / "model.h5").read_bytes() == (tmp_path / "model.h5").read_bytes()


def test_a_full_disk_is_no_damage(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "export.zip", "w") as archive:
        archive.write(colours(tmp_path / "model.h5"), "model.h5")
    monkeypatch.setattr(shutil, "copyfileobj", full)
    with pytest.raises(NotWritten, match="No space left"):
        adopt(tmp_path / "export.zip", tmp_path / "mine")


def test_the_first_split_with_two_classes_is_used(photos, tmp_path):
    shutil.copytree(photos, tmp_path / "pets" / "Training_set" / "training_set")
    shutil.copytree(photos / "Cats", tmp_path / "pets" / "test" / "all")
    (tmp_path / "README.md").touch()  # beside the folder of the photos
    found = find_labelled(tmp_path)
    assert (found.folder, found.classes) == (tmp_path / "pets" / "Training_set" / "training_set", ("cat", "dog"))


@pytest.mark.parametrize(
    ("files", "known", "classes"),
    [
        (("IMG_1.jpg", "DSC_1.jpg", "cat.1.jpg", "Dogs (2).png"), (), ("cat", "dog")),
        (("IMG_1.jpg", "rose1.jpg", "tulip_1.jpg"), ("Tulip", "Rose"), ("rose", "tulip")),
        (("sea lion 1.jpg", "Sea_otter.2.jpg", "sea.jpg"), ("Sea lion", "Sea_otter"), ("Sea_otter", "sea lion")),
        (
            ("type 1.jpg", "type 12.jpg", "type 123.jpg", "cats.jpg"),
            ("type 1", "type 12"),
            ("cat", "type 1", "type 12"),
        ),
        (("IMG_1.jpg", "DSC_1.jpg"), (), ()),
        (("IMG_1.jpg", "DSC_1.jpg"), ("Tulip", "Rose"), ()),
        (("rose1.jpg", "tulip_1.jpg"), (), ()),
    ],
)
def test_names_of_photos_are_classes_only_if_these_are_known(files, known, classes, tmp_path):
    for name in files:
        (tmp_path / name).touch()
    if classes:
        assert find_labelled(tmp_path, known).classes == classes
    else:
        with pytest.raises(InvalidSettings, match="a folder of photos for each of at least two classes"):
            find_labelled(tmp_path, known)


def test_a_pipe_among_labelled_photos_is_not_waited_for(photos, tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    photo = next(photos.glob("Cats/*"))
    paths = [tmp_path / "pipe.jpg", photo, tmp_path / "gone.jpg"]
    pixels, readable = read_pixels(paths, [(16, "stretch")], Reader.of([Input(16)], Settings()))
    assert readable.tolist() == [False, True, False] and pixels[16, "stretch"].shape == (1, 16, 16, 3)


def test_a_folder_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    with pytest.raises(Refused) as caught:
        source.find_source(tmp_path / ("x" * 300), tmp_path)
    assert caught.value.code == "file_unreadable"

    def closed(folder):
        raise PermissionError(errno.EACCES, "Permission denied", str(folder))

    monkeypatch.setattr(Path, "iterdir", closed)
    with pytest.raises(InvalidSettings, match="Permission denied"):
        find_labelled(tmp_path)
    with pytest.raises(Refused, match="Permission denied") as caught:
        source.find_source(tmp_path, tmp_path)
    assert caught.value.code == "file_unreadable"


def test_weights_find_their_description_beside_them(tmp_path):
    record = RECORDS["layers"]
    recorded.write(record, tmp_path / "weights.h5", whole=False)
    (tmp_path / "model.json").write_text(json.dumps(record["config"] | {"keras_version": record["version"]}))
    for number, given in enumerate((tmp_path, tmp_path / "model.json", tmp_path / "weights.h5")):
        assert adopt(given, tmp_path / "mine", name=f"m{number}").spec.image_size == 12


def test_two_sigmoids_are_adopted_and_divided_by_their_sum(tmp_path, capfd):
    path = recorded.write(RECORDS["two sigmoids"], tmp_path / "model.h5")
    assert main(["adopt", str(path), "--out", str(tmp_path / "mine")]) == 0
    assert "divided by their sum" in capfd.readouterr().out
    with contextlib.closing(load(Settings(weights=tmp_path / "mine"))) as comparator:
        assert comparator.problems == ()
