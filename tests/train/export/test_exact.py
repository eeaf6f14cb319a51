"""ONNX files that lose nothing: servers take them instead of TensorFlow, and leave those that are not what they say."""

import json
import shutil
import sys

import numpy as np
import pytest

from catdog import Settings
from catdog.engine import convert, exported, load_engine
from catdog.errors import NotConverted
from catdog.models.spec import sha256_of
from tests.conftest import EXAMPLES
from tests.processes import python
from tests.tiny import write_tiny_model
from train.export import onnx_folder

NAME = "tiny"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with a model, from which it was exported into the same folder, and the spec."""
    folder = tmp_path_factory.mktemp("weights")
    spec = write_tiny_model(folder, NAME, convolutions=4, filters=64)
    onnx_folder.export(folder, [EXAMPLES / "cat.jpg"], folder, exact=True)
    return folder, spec


@pytest.fixture
def folder(made, tmp_path):
    """A copy of that folder, for changes."""
    return shutil.copytree(made[0], tmp_path / "weights")


@pytest.fixture
def without_tensorflow(monkeypatch):
    for library in ("keras", "tensorflow"):
        monkeypatch.setitem(sys.modules, library, None)


@pytest.fixture(scope="module")
def expected(made):
    folder, spec = made
    return load_engine(folder / spec.file, spec, Settings(engine="tensorflow"))(convert.check_batch(spec))


def test_it_answers_as_keras_does_to_rounding(made):
    (entry,) = json.loads((made[0] / exported.MANIFEST).read_text(encoding="utf-8"))["models"]
    assert entry["exact"] and entry["bits"] is None
    assert entry["largest_difference"] <= convert.LARGEST_DIFFERENCE


def test_a_server_needs_no_tensorflow_for_it(made, expected, without_tensorflow, tmp_path):
    folder, spec = made
    settings = Settings(cache=tmp_path, engine="openvino")
    for precision in ("float32", "int8"):
        engine = load_engine(folder / spec.file, spec, settings, precision=precision)
        outputs = engine(convert.check_batch(spec))
        for name in ("probabilities", "maps"):
            tolerance = 1e-5 if precision == "float32" else 0.2
            np.testing.assert_allclose(getattr(outputs, name), getattr(expected, name), atol=tolerance, err_msg=name)
    assert engine.runtime.startswith("OpenVINO") and not engine.problem


def test_the_process_that_converts_it_imports_no_tensorflow(made, tmp_path):
    folder, spec = made
    code = (
        "import sys; from pathlib import Path; from catdog.engine import convert; "
        "from catdog.models.spec import ModelSpec; path = Path(sys.argv[1]); "
        "spec = ModelSpec.read(path.with_suffix('.json')); "
        "assert convert.attempt(convert.Job(path, spec, Path(sys.argv[2]))) is None; "
        "assert not {'keras', 'tensorflow', 'onnx'} & {*sys.modules}"
    )
    python(code, folder / spec.file, tmp_path)


def rewritten(folder, **changes) -> None:
    path = folder / exported.MANIFEST
    (entry,) = json.loads(path.read_text(encoding="utf-8"))["models"]
    path.write_text(json.dumps({"models": [entry | changes]}), encoding="utf-8")


def damaged(folder) -> None:
    file = folder / f"{NAME}.onnx"
    file.write_bytes(file.read_bytes()[::-1])


def no_model(folder) -> None:
    damaged(folder)
    rewritten(folder, sha256=sha256_of(folder / f"{NAME}.onnx"))


BROKEN = {
    "no manifest": lambda folder: (folder / exported.MANIFEST).unlink(),
    "no file": lambda folder: (folder / f"{NAME}.onnx").unlink(),
    "another manifest": lambda folder: (folder / exported.MANIFEST).write_text('{"models": {"a": 1}}'),
    "no JSON": lambda folder: (folder / exported.MANIFEST).write_bytes(b"\xff{"),
    "damaged": damaged,
    "no model": no_model,
    "of another h5": lambda folder: rewritten(folder, h5_sha256="0" * 64),
    "rounded": lambda folder: rewritten(folder, exact=False),
    "without answers": lambda folder: rewritten(folder, answers=[["a"]]),
    "other answers": lambda folder: rewritten(folder, answers=[[0.5, 0.5]] * 10),
}


@pytest.mark.parametrize("break_it", BROKEN.values(), ids=BROKEN)
def test_one_that_is_not_what_it_says_is_left_alone(folder, made, break_it, without_tensorflow, tmp_path):
    spec = made[1]
    break_it(folder)
    with pytest.raises(NotConverted, match="TensorFlow is not installed"):
        load_engine(folder / spec.file, spec, Settings(cache=tmp_path / "cache"))


def test_keras_does_what_a_damaged_one_cannot(folder, made, expected, tmp_path):
    spec = made[1]
    no_model(folder)
    engine = load_engine(folder / spec.file, spec, Settings(cache=tmp_path / "cache", engine="openvino"))
    found = engine(convert.check_batch(spec)).probabilities
    np.testing.assert_allclose(found, expected.probabilities, atol=1e-5)
