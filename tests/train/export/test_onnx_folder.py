"""`.h5` models -> ONNX files: the same answers, or none at all."""

import json

import numpy as np
import onnx
import pytest

from catdog.engine.keras_engine import KerasEngine, load_model
from catdog.errors import InvalidSettings, ModelMismatch
from catdog.models.spec import ModelSpec, sha256_of
from tests.conftest import EXAMPLES
from tests.tiny import write_tiny_model
from train.export import onnx_file, onnx_folder

LADDER = (8, 9, None)
PHOTOS = sorted(EXAMPLES.glob("*.jpg"))


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    spec = write_tiny_model(folder, "two", classes=("cat", "dog", "neither"))
    spec.replace(classes=("cat", "dog"), neither={"threshold": 0.3}).write(folder / "two.json")
    write_tiny_model(folder, "three", classes=("cat", "dog", "owl"), convolutions=2, filters=64)
    return folder


@pytest.fixture(scope="module")
def exported(weights, tmp_path_factory):
    folder = tmp_path_factory.mktemp("onnx")
    return folder, onnx_folder.export(weights, PHOTOS, folder)["models"]


def test_the_manifest_names_each_file_and_the_h5_behind_it(weights, exported):
    folder, entries = exported
    assert json.loads((folder / onnx_folder.MANIFEST).read_text())["models"] == json.loads(json.dumps(entries))
    assert {entry["file"] for entry in entries} == {"two.onnx", "three.onnx"}
    for entry in entries:
        spec = ModelSpec(**entry["spec"])
        assert entry["sha256"] == sha256_of(folder / entry["file"])
        assert entry["bytes"] == (folder / entry["file"]).stat().st_size
        assert entry["h5_sha256"] == sha256_of(weights / spec.file)
        assert entry["photos"] == len(PHOTOS)
        assert 0 <= entry["largest_difference"] <= onnx_file.LARGEST_DIFFERENCE


def test_files_of_other_programs_are_not_overwritten(tmp_path):
    write_tiny_model(tmp_path, "two")
    (tmp_path / "two.onnx").write_bytes(b"somebody's")
    with pytest.raises(InvalidSettings, match=r"two\.onnx was not made"):
        onnx_folder.export(tmp_path, [], tmp_path)
    assert (tmp_path / "two.onnx").read_bytes() == b"somebody's"


def test_every_output_is_that_of_keras(weights, exported):
    folder, entries = exported
    for entry in entries:
        spec = ModelSpec(**entry["spec"])
        batch = np.random.default_rng(1).integers(0, 256, (3, 32, 32, 3)).astype(np.float32)
        keras = KerasEngine(load_model(weights / spec.file, spec))(batch)
        found = onnx_file.OnnxEngine(onnx.load(folder / entry["file"]))(batch)
        for name in ("probabilities", "maps"):
            np.testing.assert_allclose(getattr(found, name), getattr(keras, name), atol=0.02, err_msg=name)


@pytest.fixture(scope="module")
def converted(weights, exported):
    """What Keras itself exports of the model `two`, which is converted once."""
    path = weights / "two.h5"
    spec = ModelSpec.read(path.with_suffix(".json"))
    engine = KerasEngine(load_model(path, spec))
    engine(np.zeros((1, 32, 32, 3), np.float32))
    return path, spec, onnx_file._converted(engine)


@pytest.fixture
def export_changed(converted, monkeypatch):
    """export_changed(change, models) -> what is exported where `change` alters what the first models answer."""
    path, spec, whole = converted
    engine = onnx_file.OnnxEngine
    monkeypatch.setattr(onnx_file, "_converted", lambda engine: whole)
    monkeypatch.setattr(onnx_file, "LADDER", LADDER)

    def export(change, models: int):
        engines = iter(range(len(LADDER)))

        class Changed(engine):
            def __init__(self, model):
                super().__init__(model)
                self.changes = next(engines) < models

            def __call__(self, batch):
                outputs = super().__call__(batch)
                return change(outputs) if self.changes else outputs

        monkeypatch.setattr(onnx_file, "OnnxEngine", Changed)
        return onnx_file.exported(path, spec, PHOTOS)

    return export


CHANGES = {
    "labels": lambda outputs: outputs._replace(probabilities=outputs.probabilities[:, [1, 0, 2]]),
    "probabilities": lambda outputs: outputs._replace(probabilities=outputs.probabilities * [[1, 0.9, 1]]),
    "neither": lambda outputs: outputs._replace(probabilities=outputs.probabilities * [[1, 1, 0.9]]),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_file_that_answers_otherwise_is_not_exported(export_changed, change):
    with pytest.raises(onnx_file.NotExported, match=f"{len(PHOTOS)} photos"):
        export_changed(change, len(LADDER))


def test_the_smallest_file_that_answers_alike_is_exported(export_changed):
    assert export_changed(CHANGES["labels"], 0)[1]["bits"] == LADDER[0]
    assert export_changed(CHANGES["labels"], 1)[1]["bits"] == LADDER[1]
    assert export_changed(CHANGES["labels"], len(LADDER) - 1)[1]["bits"] is None


def test_nothing_is_exported_beside_a_damaged_model(tmp_path):
    write_tiny_model(tmp_path, "good")
    write_tiny_model(tmp_path, "bad")
    (tmp_path / "bad.h5").write_bytes(b"damaged")
    with pytest.raises(ModelMismatch, match=r"bad\.h5"):
        onnx_folder.export(tmp_path, PHOTOS, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_photos_to_check_on(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ours = onnx_folder.photos(None, None)
    assert {path.name for path in ours} >= {"cat.jpg", "cat-night.jpg"}
    for folder in ("cats", "dogs"):
        (tmp_path / "data" / "val" / folder).mkdir(parents=True)
        for number in range(2):
            (tmp_path / "data" / "val" / folder / f"{number}.jpg").write_bytes(PHOTOS[0].read_bytes())
    assert onnx_folder.photos(None, 1)[2:] == ours
    assert onnx_folder.photos(tmp_path / "data", None)[4:] == ours
