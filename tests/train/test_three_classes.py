"""Any folder of classes: prepared, trained, served, measured and reported, by the commands that people use."""

import json

import numpy as np
import pytest
from PIL import Image

from catdog.__main__ import main as catdog
from catdog.engine import FAST
from train.__main__ import main as train

pytestmark = pytest.mark.long
CLASSES = {"birds": (1.0, 0.3, 0.3), "fish": (0.3, 1.0, 0.3), "horses": (0.3, 0.3, 1.0)}


@pytest.fixture
def photos(tmp_path):
    """A folder of 20 photos per class, each of another pattern, classes told apart by colour."""
    random = np.random.default_rng(0)
    for name, colour in CLASSES.items():
        (tmp_path / "photos" / name).mkdir(parents=True)
        for index in range(20):
            grey = Image.fromarray(random.integers(80, 255, (6, 6), dtype=np.uint8)).resize((40, 40))
            pixels = np.asarray(grey, dtype=np.float32)[..., None] * np.float32(colour)
            Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "photos" / name / f"{index}.png")
    return tmp_path / "photos"


def test_three_classes_from_a_folder_to_a_report(photos, small_networks, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert train(["prepare", "photos", "--out", "data", "--val", "0.2", "--test", "0.2"]) == 0
    fit = ["fit", "scratch_cnn", "--data", "data", "--stages", "16x12", "--learning-rate", "0.01", "--image-size", "16"]
    assert train([*fit, "--batch-size", "6", "--precision", "float32"]) == 0

    monkeypatch.setenv("CATDOG_WEIGHTS", "weights")
    capsys.readouterr()
    assert catdog(["predict", "--json", "data/test/fish/16.png", "data/test/horses/17.png"]) == 0
    answered = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for probabilities in (one["models"][0]["probabilities"] for one in answered):
        assert list(probabilities) == ["birds", "fish", "horses"]
        assert sum(probabilities.values()) == pytest.approx(1)

    assert train(["evaluate", "--data", "data"]) == 0
    figures = json.loads((tmp_path / "weights" / "scratch_cnn.json").read_text())["metrics"]["test"]
    assert figures["images"] == np.sum(figures["confusion"]) == 12
    assert figures["accuracy"] == np.trace(figures["confusion"]) / 12 > 1 / 3
    assert figures["roc_auc"] > 0.5

    assert train(["report", "--data", "data", "--out", "report", "--resamples", "10"]) == 0
    found = json.loads((tmp_path / "report" / "report.json").read_text())
    assert found["photos"] == {"birds": 4, "fish": 4, "horses": 4}
    reported = found["models"]["scratch_cnn"]["figures"]
    for precision in FAST:  # measured where the processor is fast at it, for the engine alone
        figures.pop(precision, None)
    assert reported["confusion"] == figures.pop("confusion")
    assert {key: reported[key] for key in figures} == {key: pytest.approx(figures[key], abs=1e-4) for key in figures}
    assert "4 birds and 4 fish and 4 horses" in (tmp_path / "report" / "README.md").read_text()
