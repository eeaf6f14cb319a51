"""The mean of several classifiers is one that is served like any other, and says what it was made of."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest

from catdog import ModelSpec, Settings, load
from catdog.spec import sha256_of
from train import architectures
from train.__main__ import main
from train.origins import described


@pytest.fixture(autouse=True)
def small(small_networks):
    """Small networks only."""


@pytest.fixture
def members(tmp_path):
    """Two classifiers of random weights; a spec says of the first one that it took a minute."""
    paths = []
    for number in (1, 2):
        keras.utils.set_random_seed(number)
        paths.append(tmp_path / str(number) / "scratch_cnn.h5")
        paths[-1].parent.mkdir()
        architectures.build("scratch_cnn", image_size=32).save(paths[-1])
    ModelSpec(
        name="scratch_cnn", title="1", architecture="scratch_cnn", file="scratch_cnn.h5", sha256=sha256_of(paths[0]),
        bytes=1, image_size=32, classes=("cat", "dog"), training={"epochs": 3, "seconds": 60, "command": "fit one"},
    ).write(paths[0].with_suffix(".json"))  # fmt: skip
    return paths


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
        for path in (*members, tmp_path / "run" / "scratch_cnn.h5")
    )
    for a, b, c in list(zip(one, other, mean, strict=True))[:-1]:  # the last one, a bias, was balanced
        np.testing.assert_allclose(c, (a + b) / 2, atol=1e-6)
    assert [origin["sha256"] for origin in spec.training["averaged_with"]] == [sha256_of(members[0])]
    assert spec.training["base"]["sha256"] == sha256_of(members[1])
    assert spec.training_seconds == 60
    text = " ".join(described(spec).split())
    assert "2. Weights of which nothing is recorded. 3. 3 epochs; 1 minutes on one machine. `fit one`" in text
    assert f"The mean of the weights of scratch_cnn.h5 (sha256 `{sha256_of(members[0])[:12]}`) and scratch" in text
    comparison = load(Settings(weights=tmp_path / "weights")).compare(tiny_data / "val" / "cats" / "cats.0.png")
    assert comparison.models[0].confidence >= 0.5


def test_what_cannot_be_averaged_is_refused(tiny_data, members, tmp_path, capsys):
    assert average(tiny_data, tmp_path, members[0]) == 1
    assert "at least two" in capsys.readouterr().err
    (tmp_path / "bad.h5").write_bytes(b"bad")
    assert average(tiny_data, tmp_path, members[0], tmp_path / "bad.h5") == 1
    assert "bad.h5 cannot be gone on from as a scratch_cnn" in capsys.readouterr().err
    assert average(tiny_data, tmp_path, members[0], tmp_path / "weights" / "scratch_cnn.h5") == 1
    assert "choose another --out" in capsys.readouterr().err
    assert not (tmp_path / "weights" / "scratch_cnn.h5").exists()
