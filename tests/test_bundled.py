"""The models in weights/ are what their specs say, open anywhere, and know a cat from a dog."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import keras
import pytest
from packaging.specifiers import SpecifierSet

from catdog import ModelSpec, Settings, load
from catdog.models.spec import sha256_of
from tests.conftest import EXAMPLES, PATIENCE, ROOT
from tests.tiny import write_tiny_model

pytestmark = pytest.mark.long
WEIGHTS = ROOT / "weights"
# Bytes of the files, and parameters.
LARGEST = {"scratch_cnn": 48e6, "xception": 48e6, "efficientnet_lite2": 12e6}
MOST_PARAMETERS = {"scratch_cnn": 5_000_000, "xception": 21_000_000, "efficientnet_lite2": 4_900_000}
# Accuracy on the 2,000 test photos below which a model is not shipped.
LEAST_ACCURACY = {"scratch_cnn": 0.97, "xception": 0.98, "efficientnet_lite2": 0.99}
TRAINING_PHOTOS = {"scratch_cnn": 36114, "xception": 43346, "efficientnet_lite2": 43346}
PROMISED = SpecifierSet(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"])
HERE = "{}.{}".format(*sys.version_info)


@pytest.mark.parametrize("name", LEAST_ACCURACY)
def test_a_model_is_what_its_spec_says(name):
    spec = ModelSpec.read(WEIGHTS / f"{name}.json")
    path = WEIGHTS / spec.file
    assert sha256_of(path) == spec.sha256
    assert path.stat().st_size == spec.bytes <= LARGEST[name]
    assert spec.training["parameters"] <= MOST_PARAMETERS[name]
    assert spec.metrics["test"]["images"] == 2000
    assert spec.metrics["test"]["accuracy"] >= LEAST_ACCURACY[name]
    assert spec.sureness and spec.disagreement and spec.neither
    assert spec.training["photos"]["train"] == TRAINING_PHOTOS[name]


@pytest.mark.parametrize("name", LEAST_ACCURACY)
def test_a_model_opens_without_this_package_and_scales_its_own_pixels(name):
    model = keras.models.load_model(WEIGHTS / f"{name}.h5", compile=False)
    spec = ModelSpec.read(WEIGHTS / f"{name}.json")
    assert model.input_shape == (None, spec.image_size, spec.image_size, 3)
    assert model.output_shape == (None, 3 if spec.neither else 1)
    assert model.count_params() == spec.training["parameters"]
    assert any(isinstance(layer, keras.layers.Rescaling) for layer in model.layers)
    assert {type(layer).__module__.split(".")[0] for layer in model.layers} == {"keras"}


@pytest.mark.parametrize("animal", ["cat", "dog"])
def test_all_models_know_the_examples(bundled_comparator, animal):
    comparison = bundled_comparator.compare(EXAMPLES / f"{animal}.jpg")
    assert [verdict.label for verdict in comparison.models] == [animal] * 3
    assert (comparison.verdict, comparison.agree, comparison.source) == (animal, True, "bundled")


def test_the_verdict_is_right_of_a_hard_photo_and_of_other_animals(bundled_comparator):
    expected = {"blurred": "dog", "duck": "neither", "owl": "neither"}
    assert {name: bundled_comparator.compare(EXAMPLES / f"{name}.jpg").verdict for name in expected} == expected


@pytest.mark.parametrize("version", [v for v in PROMISED.filter(f"3.{n}" for n in range(30)) if v != HERE])
def test_another_promised_python_converts_a_model_and_answers_alike(version, cat, tmp_path):
    """On a bare machine: with no variable of this one, and an empty home."""
    installed, lock = ROOT / "build" / f"python{version}", ROOT / "locks" / "runtime.txt"
    if not (installed / ".runtime").exists() or (installed / ".runtime").stat().st_mtime < lock.stat().st_mtime:
        pytest.skip(f"needs Python {version}, and `make pythons`, which installs the app there")
    weights = tmp_path / "weights"
    weights.mkdir()
    write_tiny_model(weights, "scratch_cnn", convolutions=4)  # of which two are quantized
    bare = {"PATH": os.defpath, "HOME": str(tmp_path), "CATDOG_WEIGHTS": str(weights)}
    bare |= {"CATDOG_ENGINE": "openvino"}  # without TensorFlow instead
    command = [installed / "bin" / "python", "-m", "catdog", "predict", "--json", cat]
    done = subprocess.run(command, cwd=ROOT, env=bare, capture_output=True, text=True, timeout=3 * PATIENCE)
    assert done.returncode == 0, done.stderr
    with contextlib.closing(load(Settings(weights=weights))) as comparator:
        (expected,) = comparator.compare(cat).models
    (answered,) = json.loads(done.stdout)["models"]
    assert answered["probabilities"] == pytest.approx(expected.probabilities, abs=1e-4)


def test_the_readme_says_how_often_they_are_right():
    specs = [ModelSpec.read(WEIGHTS / f"{name}.json") for name in LEAST_ACCURACY]
    first, second, third = (f"{100 * spec.metrics['test']['accuracy']:.1f}" for spec in specs)
    words = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    assert f"On 2,000 test photos they are right {first}, {second} and {third} % of the time." in words


def test_every_example_has_its_source():
    sources = (EXAMPLES / "SOURCES.md").read_text()
    for path in Path(EXAMPLES).glob("*.jpg"):
        assert f"| {path.name} |" in sources
