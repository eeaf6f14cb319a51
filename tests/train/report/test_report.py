"""One command writes the page, its drawings and all figures, and they agree with each other."""

from __future__ import annotations

import json
import os
import re
import shutil

import numpy as np
import pytest
from PIL import Image

from catdog import ModelSpec
from tests.conftest import ROOT
from train.__main__ import main
from train.fit.lineage import Run
from train.measure.metrics import Bin
from train.measure.statistics import wilson
from train.report import plots
from train.report.__main__ import main as write_again
from train.report.plots import Tile
from train.report.report_files import _write

HISTORY = [
    {"epoch": i, "size": 96, "seconds": 30.0, "accuracy": a, "loss": 1 - a, "val_accuracy": a, "val_loss": 1 - a}
    for i, a in enumerate((0.6, 0.8, 0.9), 1)
]


@pytest.fixture
def weights(tiny_weights, tmp_path):
    """Two models, one with a temperature, both with a history."""
    folder = shutil.copytree(tiny_weights, tmp_path / "weights")
    for name, temperature in (("scratch_cnn", 1.0), ("xception", 0.5)):
        spec = ModelSpec.read(folder / f"{name}.json")
        training = {"history": HISTORY, "parameters": 1234567, "hardware": "2 cores"}
        spec.replace(temperature=temperature, training=training).write(folder / f"{name}.json")
    return folder


def report(data, weights, out, *more: str) -> int:
    places = ["--data", str(data), "--weights", str(weights), "--out", str(out)]
    return main(["report", *places, "--resamples", "5", *more])


@pytest.fixture
def data(tiny_data, tmp_path):
    return shutil.copytree(tiny_data, tmp_path / "data")


def test_the_page_shows_what_was_measured(data, weights, tmp_path, capsys):
    out = tmp_path / "docs" / "report"
    out.mkdir(parents=True)
    (out / "other.md").write_text("of somebody else")
    assert report(data, weights, out, "--dataset", "tiny pictures") == 0
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    found = json.loads((out / "report.json").read_text())
    text = (out / "README.md").read_text()
    assert last["split"] == "test"
    assert last["accuracy"] == {name: model["figures"]["accuracy"] for name, model in found["models"].items()}

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
    same, cooled = (found["models"][name]["figures"] for name in ("scratch_cnn", "xception"))
    assert same["calibration_error"] == same["calibration_error_uncalibrated"]
    assert cooled["calibration_error"] != cooled["calibration_error_uncalibrated"]

    shown = re.findall(r"!\[.+\]\((.+)\)", text)
    assert sorted(shown) == sorted(found["drawings"])
    assert {path.name for path in out.iterdir()} == {*shown, "report.json", "README.md", "other.md"}
    assert {"confusion.png", "reliability.png", "curves.png", "convergence.png", "samples.jpg"} <= set(shown)
    assert sum((out / name).stat().st_size for name in shown) < 2e6
    for heading in ("Accuracy", "Differences between the models", "Confidence", "Worse photos", "Training"):
        assert f"\n## {heading}\n" in text


def test_every_photo_that_is_wrong_is_listed_with_its_answers(data, weights, tmp_path):
    assert report(data, weights, tmp_path / "out") == 0
    found = json.loads((tmp_path / "out" / "report.json").read_text())
    wrong = {
        name: sum(photo["answers"][name]["answer"] != photo["label"] for photo in found["mistakes"])
        + len(found["suspected_labels"]["photos"])
        for name in found["models"]
    }
    assert wrong == {name: round(16 * (1 - model["figures"]["accuracy"])) for name, model in found["models"].items()}
    (pair,) = found["pairs"]
    assert pair["both"] + pair["first"] + pair["second"] + pair["neither"] == 16
    assert all((data / "test" / photo["photo"]).is_file() for photo in found["mistakes"])


def test_one_model_is_compared_with_none(data, weights, tmp_path):
    (weights / "xception.json").unlink()
    assert report(data, weights, tmp_path / "out", "--split", "val", "--limit", "3") == 0
    text = (tmp_path / "out" / "README.md").read_text()
    assert "the 6 validation photos (the first 3 of each class), 3 cat and 3 dog" in text
    assert "watched on these very photos" in text
    assert "Differences" not in text


def test_models_without_a_recorded_training_have_no_curves(data, tiny_weights, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    for name in ("curves.png", "convergence.png", "suspected-labels.jpg", "mistakes.jpg"):
        (out / name).write_text("of an earlier report")
    assert report(data, tiny_weights, out, "--limit", "2") == 0
    assert "## Training" not in (out / "README.md").read_text()
    drawings = json.loads((out / "report.json").read_text())["drawings"]
    assert not {"curves.png", "convergence.png"} & set(drawings)
    assert {path.name for path in out.iterdir()} == {*drawings, "README.md", "report.json"}


def test_names_that_are_not_utf8_are_told(data, tiny_weights, tmp_path):
    name = os.fsdecode(b"caf\xe9.png")
    for label in ("cats", "dogs"):
        (data / "test" / label / f"{label}.0.png").rename(data / "test" / label / name)
    assert report(data, tiny_weights, tmp_path / "out") == 0
    found = json.loads((tmp_path / "out" / "report.json").read_text())
    listed = [photo["photo"] for photo in (*found["mistakes"], *found["suspected_labels"]["photos"])]
    assert {f"cats/{name}", f"dogs/{name}"} & set(listed)


def test_a_name_that_is_not_utf8_stands_on_a_page(tmp_path):
    _write(tmp_path / "README.md", "`caf\udce9.png`, é")
    assert (tmp_path / "README.md").read_text(encoding="utf-8") == "`caf\\udce9.png`, é"


def test_a_report_is_drawn_again_the_same(data, tiny_weights, tmp_path):
    for name in ("one", "two"):
        assert report(data, tiny_weights, tmp_path / name, "--limit", "2") == 0
    for path in (tmp_path / "one").iterdir():
        if path.suffix in (".png", ".jpg"):
            assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--limit", "0"], "must be at least 1"),
        (["--resamples", "-1"], "must be 0 or more. Received: -1"),
        (["--weights", "nowhere"], "nowhere"),
        (["--data", "nowhere"], "must hold one folder per class"),
        (["--out", "file/report"], "cannot be read or written"),
    ],
)
def test_wrong_arguments_are_told_in_one_sentence(
    data, tiny_weights, tmp_path, monkeypatch, capsys, arguments, message
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("no folder")
    assert report(data, tiny_weights, tmp_path / "out", *arguments) == 1
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ")
    assert message in error


def texts(figure) -> set[str]:
    return {text.get_text() for text in figure.findobj(match=lambda artist: hasattr(artist, "get_text"))}


def test_confusion_shows_counts_and_shares_of_the_row():
    figure = plots.confusion({"One": [[1200, 300], [1, 0]], "Two": [[0, 0], [0, 5]]}, ("cat", "dog"))
    assert {"One", "Two", "1,200", "80.0%", "300", "20.0%", "100.0%", "0.0%"} <= texts(figure)


def test_confusion_of_many_classes_is_readable():
    classes = [f"class {i}" for i in range(12)]
    figure = plots.confusion({"One": np.eye(12, dtype=int), "Two": np.eye(12, dtype=int)}, classes)
    assert {"class 0", "class 11", "1", "0"} <= texts(figure)
    assert figure.get_size_inches()[0] == plots.WIDTH
    assert [axes.get_subplotspec().colspan.start for axes in figure.axes] == [0, 0]


def test_confusions_that_are_too_wide_stand_one_below_another():
    classes = ("golden retriever", "labrador", "german shepherd", "border collie")
    matrices = {title: np.eye(4, dtype=int) for title in ("One", "Two", "Three")}
    starts = [axes.get_subplotspec().colspan.start for axes in plots.confusion(matrices, classes).axes]
    assert starts == [0, 0, 0]
    beside = plots.confusion(matrices, ("a", "b", "c"))
    assert [axes.get_subplotspec().colspan.start for axes in beside.axes] == [0, 1, 2]


@pytest.mark.parametrize("name", ["WhatsApp Image 2023-05-01 at 10.11.12 AM (1).jpeg", f"{'W' * 60}.jpeg"])
def test_what_is_written_at_a_photo_stays_with_it(name):
    photo = Image.new("RGB", (64, 64))
    lines = (("✓ CNN from scratch: golden retriever >99.9%", plots.RIGHT),)
    figure = plots.gallery([Tile(photo, name, lines)] * 4)
    assert {text.get_text()[-5:] for text in figure.texts} == {".jpeg", "99.9%"}
    side = figure.dpi * plots.WIDTH / 4
    assert all(0.8 * side < text.get_window_extent().width < side for text in figure.texts)


@pytest.mark.parametrize("name", ["x$$.jpg", "a$^$b.jpg"])
def test_dollars_are_no_mathematics(name, tmp_path):
    figure = plots.gallery([Tile(Image.new("RGB", (8, 8)), name, ((f"label: {name}", plots.INK),))])
    plots.save(figure, tmp_path / "gallery.jpg")
    plots.save(plots.confusion({"One": np.eye(2, dtype=int)}, (name, "other")), tmp_path / "confusion.png")


def test_reliability_counts_the_photos_behind_each_point():
    bins = [Bin(0.55, 3, 6), Bin(0.95, 90, 94)]
    figure = plots.reliability({"One": (bins, bins)}, 2)
    assert {"One", "6", "94"} <= texts(figure)
    points = next(line for line in figure.axes[0].lines if line.get_marker() == "o")
    np.testing.assert_allclose(points.get_ydata(), [0.5, 90 / 94])


def test_curves_go_through_all_runs():
    runs = [Run("trained", tuple(HISTORY)), Run("went on", tuple(HISTORY))]
    figure = plots.curves({"One": runs, "Two": runs[:1]})
    accuracy = figure.axes[0]
    validation = next(line for line in accuracy.lines if line.get_color() == plots.COLOURS[0])
    assert list(validation.get_xdata()) == [1, 2, 3, 4, 5, 6]
    assert list(validation.get_ydata()) == [0.6, 0.8, 0.9] * 2
    assert {"trained", "went on", "epoch", "accuracy", "loss", "validation photos"} <= texts(figure)


def test_convergence_is_by_minutes():
    (line,) = plots.convergence({"One": [Run("trained", tuple(HISTORY))]}).axes[0].lines
    np.testing.assert_allclose(line.get_xdata(), [0.5, 1.0, 1.5])


@pytest.mark.parametrize("count", [1, 4, 13])
def test_a_gallery_shows_photos_of_any_shape(count, tmp_path):
    tiles = [
        Tile(Image.new("RGB", (30 + 40 * i, 50)), f"{i}.jpg", (("✓ One: cat", plots.RIGHT),)) for i in range(count)
    ]
    figure = plots.gallery(tiles)
    assert {"0.jpg", f"{count - 1}.jpg", "✓ One: cat"} <= texts(figure)
    plots.save(figure, tmp_path / "gallery.jpg")
    assert Image.open(tmp_path / "gallery.jpg").format == "JPEG"
    assert [path.name for path in tmp_path.iterdir()] == ["gallery.jpg"]


def test_the_pages_of_the_repository_are_what_the_templates_make_of_its_figures(tmp_path):
    committed = ROOT / "docs" / "report"
    for name in ("report", "insight"):
        shutil.copy(committed / f"{name}.json", tmp_path)
    write_again(tmp_path)
    for name in ("README.md", "insight.md"):
        assert (tmp_path / name).read_text(encoding="utf-8") == (committed / name).read_text(encoding="utf-8")
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "| 0.0013 |" in text and "| < 0.0001 |" in text  # what is improbable is not impossible
