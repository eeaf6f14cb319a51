"""Drawings say what they are given."""

import numpy as np
import pytest
from PIL import Image

from train.report import plots
from train.report.plots import RIGHT, WIDTH, Tile

EPOCHS = [{"seconds": 30.0, "accuracy": a, "loss": 1 - a, "val_accuracy": a, "val_loss": 1 - a} for a in (0.6, 0.8)]
RUNS = [{"title": "trained", "epochs": EPOCHS}, {"title": "continued", "epochs": EPOCHS}]


@pytest.fixture(autouse=True)
def style():
    with plots.style():
        yield


def texts(figure) -> set[str]:
    return {text.get_text() for text in figure.findobj(match=lambda artist: hasattr(artist, "get_text"))}


def matrices(*counts) -> list[dict]:
    return [{"title": f"Model {i}", "figures": {"confusion": rows}} for i, rows in enumerate(counts)]


def test_confusion_shows_counts_and_shares_of_the_row():
    figure = plots.confusion(matrices([[1200, 300], [1, 0]], [[0, 0], [0, 5]]), ("cat", "dog"))
    assert {"Model 0", "Model 1", "1,200\n80.0%", "300\n20.0%", "1\n100.0%", "0\n0.0%"} <= texts(figure)


@pytest.mark.parametrize(
    ("classes", "columns"),
    [
        (("a", "b", "c"), [0, 1, 2]),
        (("golden retriever", "labrador", "german shepherd", "border collie"), [0, 0, 0]),
        ([f"class $^$ {i}" for i in range(12)], [0, 0, 0]),
    ],
)
def test_confusions_that_are_too_wide_stand_one_below_another(classes, columns, tmp_path):
    figure = plots.confusion(matrices(*[np.eye(len(classes), dtype=int)] * 3), classes)
    assert [axes.get_subplotspec().colspan.start for axes in figure.axes] == columns
    assert figure.get_size_inches()[0] == WIDTH and set(classes) <= texts(figure)
    plots.save(figure, tmp_path / "confusion.png")
    assert Image.open(tmp_path / "confusion.png").format == "PNG"


def test_reliability_shows_every_bin_with_and_without_the_temperature():
    bins = [{"confidence": 0.62, "right": 5, "total": 10}, {"confidence": 0.97, "right": 90, "total": 94}]
    model = {"title": "One", "calibration_bins": {"with_temperature": bins, "without_temperature": bins[:1]}}
    figure = plots.reliability([model], 2)
    assert {"One", "10", "94", "confidence", "share that is right"} <= texts(figure)
    _, without, served = (line for line in figure.axes[0].lines)
    np.testing.assert_allclose(without.get_ydata(), [0.5])
    np.testing.assert_allclose(served.get_ydata(), [0.5, 90 / 94])


def test_curves_go_through_all_runs():
    figure = plots.curves([{"title": "One", "runs": RUNS}, {"title": "Two", "runs": RUNS[:1]}])
    validation = figure.axes[0].lines[0]
    assert list(validation.get_xdata()) == [1, 2, 3, 4]
    assert list(validation.get_ydata()) == [0.6, 0.8] * 2
    assert {"trained", "continued", "epoch", "accuracy", "loss", "validation photos"} <= texts(figure)


def test_convergence_is_by_minutes():
    (line,) = plots.convergence([{"title": "One", "runs": RUNS}]).axes[0].lines
    np.testing.assert_allclose(line.get_xdata(), [0.5, 1.0, 1.5, 2.0])


@pytest.mark.parametrize("name", ["WhatsApp Image 2023-05-01 at 10.11.12 AM (1).jpeg", f"{'W' * 60}.jpeg"])
def test_what_is_written_at_a_photo_stays_with_it(name):
    lines = (("✓ CNN from scratch: golden retriever >99.9%", RIGHT),)
    figure = plots.gallery([Tile(Image.new("RGB", (64, 64)), name, lines)] * 4)
    assert {text.get_text()[-5:] for text in figure.texts} == {".jpeg", "99.9%"}
    side = figure.dpi * WIDTH / 4
    assert all(0.8 * side < text.get_window_extent().width < side for text in figure.texts)


@pytest.mark.parametrize("count", [1, 13])
def test_a_gallery_shows_photos_of_any_shape_and_is_drawn_again_the_same(count, tmp_path):
    tiles = [Tile(Image.new("RGB", (30 + 40 * i, 50)), f"a$^$b {i}.jpg", (("✓ cat", RIGHT),)) for i in range(count)]
    for name in ("one.jpg", "two.jpg"):
        figure = plots.gallery(tiles)
        assert {"a$^$b 0.jpg", f"a$^$b {count - 1}.jpg", "✓ cat"} <= texts(figure)
        plots.save(figure, tmp_path / name)
    assert Image.open(tmp_path / "one.jpg").format == "JPEG"
    assert (tmp_path / "one.jpg").read_bytes() == (tmp_path / "two.jpg").read_bytes()
    assert len(list(tmp_path.iterdir())) == 2
