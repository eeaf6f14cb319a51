"""The page as static files: built of complete exports only, and never over other files."""

import json

import pytest

from catdog.comparator import Comparator
from catdog.errors import InvalidSettings, ModelMismatch
from tests.catdog import fakes
from tests.specs import minimal
from train.__main__ import main
from train.export import static_page
from train.export.onnx_folder import MANIFEST


@pytest.fixture(autouse=True)
def runtime(tmp_path, monkeypatch):
    """A folder that stands for onnxruntime-web."""
    monkeypatch.setattr(static_page, "RUNTIME", tmp_path)


def test_an_export_must_be_there_and_complete(tmp_path, tiny_weights):
    for content in ("", "{}", '{"models": [{}]}'):
        (tmp_path / MANIFEST).write_text(content)
        with pytest.raises(ModelMismatch, match="completely"):
            static_page.build(tmp_path, tiny_weights, tmp_path / "out")
    (tmp_path / "a.onnx").write_bytes(b"changed")
    (tmp_path / MANIFEST).write_text(json.dumps({"models": [{"file": "a.onnx", "sha256": "0" * 64}]}))
    with pytest.raises(ModelMismatch, match=r"a\.onnx"):
        static_page.build(tmp_path, tiny_weights, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_other_models_are_refused(tmp_path, tiny_weights):
    (tmp_path / MANIFEST).write_text(json.dumps({"models": []}))
    with pytest.raises(ModelMismatch, match="other models"):
        static_page.build(tmp_path, tiny_weights, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == [MANIFEST]


def test_models_can_be_those_of_a_hub_repository(tmp_path, tiny_weights, stand_in, capsys):
    commit = stand_in.publish("user/models", tiny_weights)
    stand_in.publish("user/models", {"README.md": b"no models any more"})
    (tmp_path / MANIFEST).write_text(json.dumps({"models": []}))
    asked = ["static", "--onnx", str(tmp_path), "--out", str(tmp_path / "out"), "--repo", "user/models"]
    assert main([*asked, "--revision", commit]) == 1
    assert commit in capsys.readouterr().err  # of the folder whose models are others
    assert main(asked) == 1
    assert "no model spec" in capsys.readouterr().err


@pytest.mark.parametrize("worker", [None, "// of another page", 'const KEPT = {"./": ""};\nconst FETCHED = [];\n'])
def test_other_folders_are_not_overwritten(tmp_path, tiny_weights, worker):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("dear")
    if worker:
        (tmp_path / "out" / "service-worker.js").write_text(worker)
    with pytest.raises(InvalidSettings, match="out"):
        static_page.build(tmp_path, tiny_weights, tmp_path / "out")
    assert (tmp_path / "out" / "thesis.txt").exists()


def test_the_runtime_must_be_installed(tmp_path, tiny_weights, monkeypatch):
    monkeypatch.setattr(static_page, "RUNTIME", tmp_path / "none")
    with pytest.raises(InvalidSettings, match="make static"):
        static_page.build(tmp_path, tiny_weights, tmp_path / "out")


def test_words_about_a_model_leave_its_file_as_it_is(tmp_path):
    (tmp_path / "tiny.onnx").write_bytes(b"network")
    entry, spec = {"file": "tiny.onnx", "ramp": [0.5, 0.5]}, minimal("tiny")
    others = (spec, spec.replace(title="Another", training={"adopted_from": "x.h5"}), spec.replace(temperature=2.0))
    first, same, other = (static_page._model(tmp_path, tmp_path, entry, each)["file"] for each in others)
    assert first == same != other


@pytest.mark.parametrize(("classes", "offered"), [(("cat", "dog"), True), (("rose", "tulip"), False)])
def test_examples_are_offered_to_models_that_know_them(tmp_path, classes, offered):
    comparator = Comparator([fakes.fixed("m", 0.9, classes=classes)])
    assert ("Take our examples" in static_page._page(tmp_path, comparator.specs, comparator, "")) == offered
