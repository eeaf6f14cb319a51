"""One command writes the page, its drawings and all figures, and they agree with each other."""

import json
import os
import re
import shutil

import numpy as np
import pytest

from catdog import ModelSpec
from tests.conftest import ROOT
from train.__main__ import main
from train.measure.statistics import wilson
from train.report import markdown
from train.report.__main__ import main as write_again

HISTORY = [
    {"epoch": i, "size": 96, "seconds": 30.0, "accuracy": a, "loss": 1 - a, "val_accuracy": a, "val_loss": 1 - a}
    for i, a in enumerate((0.6, 0.8, 0.9), 1)
]
LATIN = os.fsdecode(b"caf\xe9.png")  # no UTF-8


def report(data, weights, out, *more: str) -> int:
    places = ["--data", str(data), "--weights", str(weights), "--out", str(out)]
    return main(["report", *places, "--resamples", "5", *more])


@pytest.fixture(scope="module")
def written(tiny_data, tiny_weights, two_folders, tmp_path_factory):
    """A report on two models, one with a temperature, both with a history: (data, folder, figures, page)."""
    folder = tmp_path_factory.mktemp("report")
    data = shutil.copytree(tiny_data, folder / "data")
    for label in ("cats", "dogs"):
        (data / "test" / label / f"{label}.0.png").rename(data / "test" / label / LATIN)
    weights = shutil.copytree(tiny_weights, folder / "weights")
    for name, temperature in (("scratch_cnn", 1.0), ("xception", 0.5)):
        training = {"history": HISTORY, "parameters": 1234567, "hardware": "2 cores"}
        path = weights / f"{name}.json"
        ModelSpec.read(path).replace(temperature=temperature, training=training).write(path)
    out = folder / "docs" / "report"
    out.mkdir(parents=True)
    (out / "other.md").write_text("of somebody else")
    assert report(data, weights, out, "--dataset", "tiny pictures", "--more", str(two_folders[1])) == 0
    return data, out, json.loads((out / "report.json").read_text()), (out / "README.md").read_text()


def test_the_page_shows_what_was_measured(written):
    _, out, found, text = written
    assert "the 16 test photos of tiny pictures, 8 cat and 8 dog" in text
    assert "python -m train report --data" in text
    for model in found["models"].values():
        figures = model["figures"]
        low, high = wilson(round(figures["accuracy"] * 16), 16)
        assert f"**{figures['accuracy']:.2%}**<br>{100 * low:.2f}–{high:.2%} |" in text
        assert f"| {figures['calibration_error_uncalibrated']:.4f}<br>" in text
        assert np.sum(figures["confusion"]) == 16
        for key in ("precision", "recall", "f1", "roc_auc", "log_loss", "calibration_error"):
            low, high = model["intervals"][key]
            assert low <= high
        for condition in model["conditions"].values():
            assert condition["change"] == pytest.approx(condition["accuracy"] - figures["accuracy"], abs=1e-4)
    for name, accuracy in found["elsewhere"].items():
        assert accuracy["images"] == 6 and 0 <= accuracy["accuracy"] <= 1, name
    same, cooled = (found["models"][name]["figures"] for name in ("scratch_cnn", "xception"))
    assert same["calibration_error"] == same["calibration_error_uncalibrated"]
    assert cooled["calibration_error"] != cooled["calibration_error_uncalibrated"]

    shown = re.findall(r"!\[.+\]\((.+)\)", text)
    assert sorted(shown) == sorted(found["drawings"])
    assert {path.name for path in out.iterdir()} == {*shown, "report.json", "README.md", "other.md"}
    assert {"confusion.png", "reliability.png", "curves.png", "convergence.png", "samples.jpg"} <= set(shown)
    for heading in (
        "Accuracy",
        "Differences between the models",
        "Confidence",
        "Worse photos",
        "Other sources",
        "Training",
    ):
        assert f"\n## {heading}\n" in text


def test_every_photo_that_is_wrong_is_listed_with_its_answers(written, tmp_path):
    data, _, found, _ = written
    listed = [*found["mistakes"], *found["suspected_labels"]["photos"]]
    for name, model in found["models"].items():
        wrong = sum(photo["answers"][name]["answer"] != photo["label"] for photo in listed)
        assert wrong == round(16 * (1 - model["figures"]["accuracy"]))
    (pair,) = found["pairs"]
    assert pair["both"] + pair["first"] + pair["second"] + pair["neither"] == 16
    assert all((data / "test" / photo["photo"]).is_file() for photo in listed)
    assert {f"cats/{LATIN}", f"dogs/{LATIN}"} & {photo["photo"] for photo in listed}
    suspected = found["suspected_labels"] | {"photos": listed}  # whose names a page shows
    markdown.write("report", found | {"suspected_labels": suspected}, tmp_path)
    assert "caf\\udce9.png" in (tmp_path / "README.md").read_text()


def test_what_there_is_nothing_to_say_of_is_left_out(tiny_data, tiny_weights, tmp_path, capsys):
    """One model that was never compared, without a recorded training; drawings of an earlier report go."""
    data, out = shutil.copytree(tiny_data, tmp_path / "data"), tmp_path / "out"
    weights = shutil.copytree(tiny_weights, tmp_path / "weights")
    (weights / "xception.json").unlink()
    out.mkdir()
    for name in ("curves.png", "convergence.png", "suspected-labels.jpg", "mistakes.jpg"):
        (out / name).write_text("of an earlier report")
    assert report(data, weights, out, "--split", "val", "--limit", "3") == 0
    text, found = (out / "README.md").read_text(), json.loads((out / "report.json").read_text())
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    accuracy = found["models"]["scratch_cnn"]["figures"]["accuracy"]
    assert (last["split"], last["accuracy"]) == ("val", {"scratch_cnn": accuracy})
    assert "the 6 validation photos (the first 3 of each class), 3 cat and 3 dog" in text
    assert "watched on these very photos" in text
    assert "Differences" not in text and "## Training" not in text
    assert not {"curves.png", "convergence.png"} & set(found["drawings"])
    assert {path.name for path in out.iterdir()} == {*found["drawings"], "README.md", "report.json"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--resamples", "-1"], "Received: -1"),
        (["--out", "file/report"], "cannot be read or written"),
        (["--out", "card"], "card/README.md"),  # of somebody else
        (["--more", "nowhere"], "nowhere"),
    ],
)
def test_wrong_arguments_are_told(tiny_data, tiny_weights, tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("no folder")
    (tmp_path / "card").mkdir()
    (tmp_path / "card" / "README.md").write_text("of a model")
    assert report(tiny_data, tiny_weights, tmp_path / "out", *arguments) == 1
    assert message in capsys.readouterr().err
    assert (tmp_path / "card" / "README.md").read_text() == "of a model"


def test_pages_cannot_be_made_again_without_figures(tmp_path):
    with pytest.raises(SystemExit, match="nowhere"):
        write_again(tmp_path / "nowhere")


def test_the_pages_of_the_repository_are_what_the_templates_make_of_its_figures(tmp_path):
    committed = ROOT / "docs" / "report"
    for name in ("report", "insight"):
        shutil.copy(committed / f"{name}.json", tmp_path)
    write_again(tmp_path)
    for name in ("README.md", "insight.md"):
        assert (tmp_path / name).read_text(encoding="utf-8") == (committed / name).read_text(encoding="utf-8")
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "| < 0.0001 |" in text and "| 0.0000 |" not in text  # what is improbable is not impossible
