"""The mean of several classifiers is one that is served like any other, and says what it was made of."""

import json

import keras
import numpy as np
import pytest

from catdog import ModelSpec, Settings, load
from catdog.classifier import calibrated
from catdog.models.spec import sha256_of
from catdog.photo.array import resized
from catdog.photo.decode import decode
from tests.specs import minimal
from train.__main__ import main
from train.fit.job import Product
from train.fit.lineage import described, runs
from train.fit.provenance import averaged, origin_of
from train.networks import architectures

pytestmark = pytest.mark.usefixtures("small_networks")


@pytest.fixture
def members(tmp_path):
    """Two classifiers of random weights; a spec says of the first one that it took a minute."""
    paths = []
    for number in (1, 2):
        keras.utils.set_random_seed(number)
        paths.append(tmp_path / str(number) / "scratch_cnn.h5")
        paths[-1].parent.mkdir()
        architectures.build("scratch_cnn", image_size=32).save(paths[-1])
    describe(paths[0], {"epochs": 3, "seconds": 60, "command": "fit one"})
    return paths


def describe(path, training: dict, **fields) -> None:
    """Write the spec of an `.h5`, and the file where there is none."""
    path.touch()
    spec = minimal(path.stem, sha256=sha256_of(path), image_size=32, training=training, **fields)
    spec.write(path.with_suffix(".json"))


def average(data, tmp_path, *files) -> int:
    places = ["--data", data, "--run", tmp_path / "run", "--out", tmp_path / "weights", "--image-size", 32]
    return main(["average", "scratch_cnn", *map(str, [*files, *places])])


def test_the_mean_is_served_and_says_what_it_was_made_of(tiny_data, members, tmp_path, capsys):
    assert average(tiny_data, tmp_path, *members) == 0
    last_line = json.loads(capsys.readouterr().out.splitlines()[-1])
    spec = ModelSpec.read(tmp_path / "weights" / "scratch_cnn.json")
    assert last_line["val_accuracy"] == spec.validation_accuracy
    one, other, mean = (
        keras.models.load_model(path, compile=False).get_weights()
        for path in (*members, tmp_path / "weights" / "scratch_cnn.h5")
    )
    for a, b, c in list(zip(one, other, mean, strict=True))[:-1]:  # the last one, a bias, was balanced
        np.testing.assert_allclose(c, (a + b) / 2, rtol=2**-11, atol=1e-6)  # rounded
    assert [origin["sha256"] for origin in spec.training["averaged_with"]] == [sha256_of(members[0])]
    assert spec.training["base"]["sha256"] == sha256_of(members[1])
    assert spec.training_seconds == 60
    photo = tiny_data / "val" / "cats" / "cats.0.png"
    (served,) = load(Settings(weights=tmp_path / "weights")).compare(photo).models
    pixels = resized(decode(photo.read_bytes()), 32, "stretch").astype(np.float32)[None]
    of_dog = keras.models.load_model(tmp_path / "weights" / "scratch_cnn.h5", compile=False).predict_on_batch(pixels)
    expected = calibrated(np.hstack([1 - of_dog, of_dog]), spec.temperature)[0, 1]
    assert served.probabilities["dog"] == pytest.approx(expected, abs=1e-2)


def test_what_two_members_share_is_told_and_counted_once(tmp_path, members):
    """The second one went on from the first: its own training tells of both."""
    first, second = members
    describe(first, {"seconds": 60, "command": "fit one", "history": [{"epoch": 1, "seconds": 60}]})
    history = [{"epoch": 1, "seconds": 30}]
    describe(second, {"seconds": 30, "command": "fit two", "history": history, "base": origin_of(first)})
    product = Product(name="scratch_cnn", data=tmp_path, run=tmp_path / "run", out=tmp_path / "weights")
    for files in ([first, second], [second, first]):
        describe(tmp_path / "mean.h5", averaged(files, product, 8))
        spec = ModelSpec.read(tmp_path / "mean.json")
        assert spec.training_seconds == 90
        assert [(run["title"], run["epochs"][0]["seconds"]) for run in runs(spec.training)] == [
            ("trained", 60),
            ("continued", 30),
        ]
        text = described(spec)
        assert text.count("`fit one`") == text.count("`fit two`") == 1
        steps = "2 and 3" if files == [first, second] else "3 and 2"
        assert f"4. The mean of the weights after the steps {steps}." in text


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        (["1/scratch_cnn.h5"], "at least two"),
        (["1/scratch_cnn.h5", "bad.h5"], "bad.h5"),
        (["1/scratch_cnn.h5", "other/scratch_cnn.h5"], "dog, cat"),
        (["1/scratch_cnn.h5", "weights/scratch_cnn.h5"], "--out"),
    ],
)
def test_what_cannot_be_averaged_is_refused(tiny_data, members, tmp_path, capsys, files, reason):
    (tmp_path / "bad.h5").write_bytes(b"bad")
    (tmp_path / "other").mkdir()
    describe(tmp_path / "other" / "scratch_cnn.h5", {}, classes=("dog", "cat"))
    assert average(tiny_data, tmp_path, *(tmp_path / file for file in files)) == 1
    assert reason in capsys.readouterr().err
    assert not (tmp_path / "weights" / "scratch_cnn.h5").exists()


def test_the_mean_of_models_with_an_output_for_neither_has_one(tiny_data, members, tmp_path):
    for file in members:
        architectures.build("scratch_cnn", neither=True, image_size=32).save(file)
        describe(file, {}, neither={"threshold": 0.5})
    assert average(tiny_data, tmp_path, *members) == 0
    assert 0 < ModelSpec.read(tmp_path / "weights" / "scratch_cnn.json").neither.threshold < 1
    mean = keras.models.load_model(tmp_path / "weights" / "scratch_cnn.h5", compile=False)
    assert mean.output.shape == (None, 3)
