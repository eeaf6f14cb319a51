"""Figures of known answers, and `evaluate` on tiny models: what it measures, records and refuses."""

import shutil

import pytest

from catdog import ModelMismatch, ModelSpec
from catdog.engine import fast_here, precisions_of
from tests.tiny import write_tiny_model
from tests.train.conftest import disc, waves, write_pictures
from train.__main__ import main
from train.data.dataset import DatasetError
from train.measure import evaluate


@pytest.fixture
def weights(tiny_weights, tmp_path):
    """The tiny models, to be changed."""
    return shutil.copytree(tiny_weights, tmp_path / "weights")


def test_evaluate_records_what_it_measured(tiny_data, weights, capsys):
    assert main(["evaluate", "--data", str(tiny_data), "--weights", str(weights)]) == 0
    table = capsys.readouterr().out
    for name in ("scratch_cnn", "xception"):
        spec = ModelSpec.read(weights / f"{name}.json")
        assert spec.metrics["test"]["images"] == 16
        assert spec.metrics["test"]["calibration_error_uncalibrated"] == spec.metrics["test"]["calibration_error"]
        assert spec.metrics["val"]["accuracy"] in (0.90, 0.95)
        assert f"| {name} | 16 test | {spec.metrics['test']['accuracy']:.2%} |" in table


def test_who_stops_evaluate_before_its_end_has_nothing_recorded(tiny_data, weights, monkeypatch, capsys):
    real, measured = evaluate.measure, []

    def stopped(*known, **more):
        measured.append(known)
        if len(measured) == 2:  # the last model
            raise KeyboardInterrupt
        return real(*known, **more)

    before = {path.name: path.read_bytes() for path in weights.glob("*.json")}
    monkeypatch.setattr(evaluate, "measure", stopped)
    assert main(["evaluate", "--data", str(tiny_data), "--weights", str(weights)]) == 130
    assert "nothing was recorded" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in weights.glob("*.json")} == before


needs_fast = pytest.mark.skipif(not fast_here(), reason="this processor is fast at nothing but float32")


@needs_fast
@pytest.mark.parametrize("serving", ["float32", *fast_here()[:1]])
def test_evaluate_measures_what_fast_arithmetic_changes(tiny_data, tmp_path, serving):
    weights = tmp_path / "weights"
    weights.mkdir()
    harmless = {"images": 2000, "labels_changed": 0, "largest_change_of_probability": 0.0}
    for name in ("scratch_cnn", "xception"):
        spec = write_tiny_model(weights, name, convolutions=4)  # of which two are quantized
        metrics = {"test": {serving: harmless | {"clear": 0.5}}} if serving != "float32" else {}
        # From 0.5 on everything is clear: tiny models are in doubt of all.
        spec.replace(metrics=metrics, clear=dict.fromkeys(fast_here(), 0.5)).write(weights / f"{name}.json")
    figures = evaluate.evaluate(weights, tiny_data)
    assert figures.keys() == {"scratch_cnn", "xception"}
    for name in figures:
        test = ModelSpec.read(weights / f"{name}.json").metrics["test"]
        for precision in fast_here():
            changes = test[precision]
            assert changes.keys() == {*harmless, "clear"}
            assert (changes["images"], changes["labels_changed"]) == (16, 0)
            assert 0 < changes["largest_change_of_probability"] < 0.01


@needs_fast
@pytest.mark.parametrize("fast", fast_here())
def test_the_figures_are_those_of_the_arithmetic_that_serves_from_then_on(tiny_data, tmp_path, monkeypatch, fast):
    for name in ("scratch_cnn", "xception"):
        spec = write_tiny_model(tmp_path, name, convolutions=4)
        spec.replace(metrics={}, clear={fast: 0.5}).write(tmp_path / f"{name}.json")
    float32 = evaluate.evaluate(tmp_path, tiny_data)
    assert all(precisions_of(ModelSpec.read(tmp_path / f"{name}.json")) == ["float32"] for name in float32)
    monkeypatch.setattr("catdog.engine.precision.LEAST_PHOTOS", 16)
    first, again = (evaluate.evaluate(tmp_path, tiny_data) for _ in range(2))
    for name in first:
        assert precisions_of(ModelSpec.read(tmp_path / f"{name}.json"))[0] == fast
        assert first[name]["log_loss"] == again[name]["log_loss"] != float32[name]["log_loss"]


def test_evaluate_says_nothing_of_fast_arithmetic_where_there_is_none(tiny_data, weights, monkeypatch):
    monkeypatch.setattr(evaluate, "fast_here", lambda: ())
    for path in weights.glob("*.json"):
        ModelSpec.read(path).replace(clear={"int8": 0.5, "bfloat16": 0.5}).write(path)
    for figures in evaluate.evaluate(weights, tiny_data).values():
        assert not {"int8", "bfloat16"} & figures.keys()


def test_evaluate_refuses_other_classes_and_a_photo_that_does_not_decode(tiny_data, tiny_weights, tmp_path):
    write_pictures(tmp_path, {"discs": disc, "waves": waves}, {"test": 2})
    with pytest.raises(DatasetError, match=r"knows the classes cat, dog; the data folder has discs, waves"):
        evaluate.evaluate(tiny_weights, tmp_path)
    data = shutil.copytree(tiny_data, tmp_path / "data")
    (data / "test" / "cats" / "broken.png").write_bytes(b"broken")
    with pytest.raises(DatasetError, match=r"broken\.png.*python -m train prepare"):
        evaluate.evaluate(tiny_weights, data)


def test_figures_are_not_recorded_for_another_model(weights):
    measured = ModelSpec.read(weights / "xception.json")
    measured.replace(sha256="0" * 64).write(weights / "xception.json")
    with pytest.raises(ModelMismatch, match="another model than the one that was measured"):
        evaluate._record({"accuracy": 1.0}, "test", measured, weights / "xception.json")


def test_what_only_another_machine_could_measure_is_kept(weights):
    path = weights / "xception.json"
    changes = {"bfloat16": {"labels_changed": 0}, "rounding": {"labels_changed": 1}}
    evaluate._record({"images": 8, "accuracy": 0.5} | changes, "test", ModelSpec.read(path), path)
    evaluate._record({"images": 8, "accuracy": 1.0, "rounding": {}}, "test", ModelSpec.read(path), path)
    kept = {"bfloat16": changes["bfloat16"], "rounding": {}, "images": 8, "accuracy": 1.0}
    assert ModelSpec.read(path).metrics["test"] == kept
    evaluate._record({"images": 9, "accuracy": 1.0}, "test", ModelSpec.read(path), path)  # of other photos
    assert ModelSpec.read(path).metrics["test"] == {"images": 9, "accuracy": 1.0}
