"""What may be published: models that load, are what their specs say, and measure as recorded."""

import json
import shutil

import pytest

from catdog import ModelMismatch, ModelSpec
from tests.tiny import write_tiny_model
from train.measure import evaluate
from train.publish import verification
from train.publish.verification import NotReproduced


@pytest.fixture(scope="module")
def measured(tiny_weights, tiny_data, tmp_path_factory):
    """The tiny models with figures that were measured on tiny_data/val."""
    folder = shutil.copytree(tiny_weights, tmp_path_factory.mktemp("measured") / "weights")
    evaluate.evaluate(folder, tiny_data, "val")
    return folder


@pytest.fixture
def folder(measured, tmp_path):
    """A copy that a test may damage."""
    return shutil.copytree(measured, tmp_path / "weights")


def change(folder, name="xception", **fields):
    path = folder / f"{name}.json"
    ModelSpec.read(path).replace(**fields).write(path)


def record(folder, split="val", name="xception", **figures):
    path = folder / f"{name}.json"
    content = json.loads(path.read_text())
    content["metrics"].setdefault(split, {}).update(figures)
    path.write_text(json.dumps(content))


def test_good_models_pass_and_the_report_says_what_was_measured(folder, tiny_data):
    """A figure that is no number is not compared."""
    record(folder, "test", images=5, accuracy=0.5)
    record(folder, name="scratch_cnn", log_loss=None, roc_auc="high")
    specs, report = verification.verify(folder, tiny_data)
    assert [spec.name for spec in specs] == ["scratch_cnn", "xception"]
    accuracy = specs[1].metrics["val"]["accuracy"]
    assert report[-1] == (
        f"xception: accuracy {accuracy:.2%} on all 16 val photos, as recorded; "
        "its figures on test were not measured again"
    )
    text = "\n".join(verification.verify(folder)[1])
    assert "were not measured again: that needs --data" in text
    assert "On the bundled cat.jpg: scratch_cnn says" in text
    assert "as recorded" not in text


@pytest.mark.parametrize(
    "figures", [{"accuracy": 0.999}, {"log_loss": 0.01}, {"calibration_error": 0.9}, {"roc_auc": 0.01}]
)
def test_a_figure_that_was_not_measured_is_refused(folder, tiny_data, figures):
    record(folder, **figures)
    with pytest.raises(NotReproduced, match=rf"xception does not measure .* {next(iter(figures))} .*train evaluate"):
        verification.verify(folder, tiny_data)


def test_a_temperature_that_was_changed_afterwards_is_refused(folder, tiny_data):
    change(folder, "scratch_cnn", temperature=0.02)
    with pytest.raises(NotReproduced, match=r"scratch_cnn does not measure .* log_loss"):
        verification.verify(folder, tiny_data)


def test_without_recorded_figures_there_is_nothing_to_reproduce(tmp_path, tiny_data):
    write_tiny_model(tmp_path, "xception")
    change(tmp_path, metrics={})
    with pytest.raises(NotReproduced, match=r"records no figures.*train evaluate"):
        verification.verify(tmp_path, tiny_data)
    verification.verify(tmp_path)


def test_an_adopted_model_without_such_figures_may_be_published(folder, tiny_data):
    figures = {"photos": {"images": 60, "accuracy": 0.9}}
    change(folder, metrics=figures, training={"adopted_from": "theirs.h5"})
    specs, report = verification.verify(folder, tiny_data)
    assert [spec.adopted for spec in specs] == [False, True]
    assert any(line.startswith("xception: adopted, and not measured again") for line in report)


def test_test_photos_are_read_only_if_there_are_no_others(folder, tiny_data):
    for name in ("scratch_cnn", "xception"):
        val = ModelSpec.read(folder / f"{name}.json").metrics["val"]
        change(folder, name, metrics={"test": val | {"log_loss": None}})
    with pytest.raises(NotReproduced, match=r"data.*test") as caught:  # recorded on val, measured on test
        verification.verify(folder, tiny_data)
    assert "calibration_error" in str(caught.value)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: (folder / "xception.h5").write_bytes(b"damaged"), "xception.h5 is damaged"),
        (lambda folder: (folder / "xception.json").unlink(), r"holds xception\.h5 without a spec"),
        (
            lambda folder: change(folder, image_size=50),
            r"xception\.h5 (takes inputs|does not turn pixels) of shape .*50",
        ),
    ],
)
def test_one_bad_model_is_enough_to_refuse_a_folder(folder, spoil, said):
    spoil(folder)
    with pytest.raises(ModelMismatch, match=said):
        verification.verify(folder)
