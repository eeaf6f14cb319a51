"""A folder of photos -> rows. How processes decode is tested in test_workers.py."""

import os
import sys
import threading

import numpy as np
import pytest
from pyarrow import parquet

from catdog.errors import FolderLost, InvalidSettings
from catdog.folder import run
from catdog.folder.rows import to_path
from catdog.folder.run import BATCH, check, classify
from catdog.folder.walk import find
from catdog.folder.workers import Workers
from catdog.photo.array import to_array
from tests.catdog.photos import noise

from .conftest import Brightness, brightness, comparator, grey_row, read_csv

pytestmark = pytest.mark.usefixtures("decoded_here")


class Then:
    """An engine that tells brightness and does something else at its second batch."""

    runtime, problem = "a test", ""

    def __init__(self, act):
        self.act, self.brightness = act, Brightness()

    def __call__(self, batch: np.ndarray):
        if len(self.brightness.batches) == 1:
            self.act()
        return self.brightness(batch)


def test_every_photo_gets_its_own_answers_in_order_from_two_processes(greys, tmp_path, monkeypatch):
    monkeypatch.setattr(run, "Workers", Workers)
    folder, out = greys(BATCH + 3), tmp_path / "out.csv"
    summary = classify(folder, out, comparator(), workers=2)
    assert read_csv(out) == [grey_row(grey) for grey in range(BATCH + 3)]
    assert (summary.photos, summary.failed, summary.judged, summary.finished) == (BATCH + 3, 0, BATCH + 3, True)
    assert summary.photos_per_second == pytest.approx(summary.judged / summary.seconds, rel=0.01, abs=0.06)


def test_the_numbers_are_those_of_compare(cat, dog, tiny_comparator, tmp_path):
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    (folder / "more" / "cat.jpg").symlink_to(cat)
    (folder / "dog.jpg").symlink_to(dog)
    classify(folder, tmp_path / "out.csv", tiny_comparator)
    comparisons = {name: tiny_comparator.compare(folder / name) for name in ("dog.jpg", "more/cat.jpg")}
    expected = [(name, answer.verdict, v) for name, answer in comparisons.items() for v in answer.models]
    for row, (name, verdict, one) in zip(read_csv(tmp_path / "out.csv"), expected, strict=True):
        assert [row[key] for key in ("path", "model", "label", "verdict")] == [name, one.model, one.label, verdict]
        numbers = [float(row[key]) for key in ("confidence", "p_cat", "p_dog")]
        assert numbers == pytest.approx([one.confidence, *one.probabilities.values()], abs=1e-6)


def test_large_photos_that_models_are_in_doubt_of_are_judged_as_a_whole_and_stay_in_order(greys, tmp_path):
    class Corner(Brightness):
        def __call__(self, batch):
            return super().__call__(batch[:, :1, :1])

    folder, clear, doubtful = greys(0), noise(64, 48, seed=1), noise(64, 48, seed=2)
    clear.paste("white", (0, 0, 32, 24))
    for number in range(3 * BATCH):
        (doubtful if number in (0, 5, BATCH) else clear).save(folder / f"{number:03}.png")
    models = comparator(brightness(engine=Corner()))
    classify(folder, tmp_path / "out.csv", models)
    rows = read_csv(tmp_path / "out.csv")
    assert [row["path"] for row in rows] == [f"{number:03}.png" for number in range(3 * BATCH)]
    assert [number for number, row in enumerate(rows) if row["confidence"] != "1.000000"] == [0, 5, BATCH]
    (expected,) = models.compare(folder / "000.png").models
    grey = models.models["grey"]
    array = to_array(models.read(folder / "000.png").image, grey.spec.input)
    reduced = grey.outputs(array[None]).probabilities[0]
    assert rows[5]["p_cat"] == f"{expected.probabilities['cat']:.6f}" != f"{reduced[0]:.6f}"


def test_models_may_differ_in_input_scaling_and_classes(greys, tmp_path):
    class Unit(Brightness):
        def __call__(self, batch):
            assert batch.shape[1:] == (12, 12, 3) and batch.max() <= 1
            return super().__call__(batch * 255)

    unit = brightness("unit", image_size=12, resize="crop", scaling="unit", classes=("owl", "cat"), engine=Unit())
    classify(greys(3), tmp_path / "out.csv", comparator(brightness(), unit))
    rows = read_csv(tmp_path / "out.csv")
    assert [row["model"] for row in rows] == ["grey", "unit"] * 3
    for row in rows:
        assert " ".join(row) == "path model label verdict confidence p_cat p_dog p_owl neither error"
        assert (row["p_owl"] == "") == (row["model"] == "grey")
        assert (row["p_dog"] == "") == (row["model"] == "unit")
    assert (rows[5]["label"], rows[5]["p_cat"]) == ("owl", f"{2 / 255:.6f}")


def test_bad_files_and_odd_names_are_rows(greys, tmp_path, cat):
    folder = greys(2)
    bad = {"empty.jpg": b"", "pdf.jpg": b"%PDF-1.7", "torn.jpg": cat.read_bytes()[:5000], "zero.png": bytes(99)}
    for name, content in bad.items():
        (folder / name).write_bytes(content)
    (folder / "broken.jpg").symlink_to("nowhere")
    os.mkfifo(folder / "pipe.jpg")
    odd = ["a,b.png", "new\nline.png", 'quo"te.png', os.fsdecode(b"\xff\xfe.png"), r"\xff.png", "=1.png"]
    for name in odd:
        os.link(folder / "001.png", folder / name)

    summary = classify(folder, tmp_path / "out.csv", comparator())
    rows = {to_path(row["path"]): row for row in read_csv(tmp_path / "out.csv")}
    assert rows.keys() == {"000.png", "001.png", *odd, *bad, "broken.jpg", "pipe.jpg"}
    assert (summary.photos, summary.failed) == (len(rows), len(bad) + 2)
    for name in odd:
        assert {**rows[name], "path": "001.png"} == grey_row(1)
    for name in (*bad, "broken.jpg", "pipe.jpg"):
        error = rows[name].pop("error")
        assert error.endswith(".") and set(rows[name].values()) == {name, ""}


def test_a_photo_that_a_model_cannot_answer_is_a_row_and_spoils_no_others(greys, tmp_path):
    class Picky(Brightness):
        def __call__(self, batch):
            outputs = super().__call__(batch)
            outputs.probabilities[batch[:, 0, 0, 0] == 2] = np.nan
            return outputs

    models = comparator(brightness(), brightness("picky", engine=Picky()))
    summary = classify(greys(4), tmp_path / "out.csv", models)
    rows = read_csv(tmp_path / "out.csv")
    assert (summary.photos, summary.failed) == (4, 1)
    assert "picky" in rows[4].pop("error")
    assert set(rows.pop(4).values()) == {"002.png", ""}
    assert rows == [grey_row(grey, model) for grey in (0, 1, 3) for model in ("grey", "picky")]


def test_a_later_run_asks_about_new_photos_only(greys, tmp_path):
    out, models = tmp_path / "out.csv", comparator()
    folder = greys(2)
    (folder / "bad.png").touch()
    classify(folder, out, models)
    first = out.read_bytes()
    os.link(folder / "001.png", folder / "000a.png")
    again = classify(folder, out, models)
    assert (again.photos, again.failed, again.judged) == (4, 1, 1)
    assert out.read_bytes().startswith(first)
    assert [row["path"] for row in read_csv(out)] == ["000.png", "001.png", "bad.png", "000a.png"]
    anew = classify(folder, out, models, restart=True)
    assert (anew.photos, anew.judged) == (4, 4)
    assert [row["path"] for row in read_csv(out)] == ["000.png", "000a.png", "001.png", "bad.png"]


def test_a_run_that_is_stopped_looks_no_further_and_goes_on_to_the_same_rows(greys, tmp_path, monkeypatch):
    folder, stop, seen = greys(10 * BATCH), threading.Event(), []
    part, whole = tmp_path / "part.csv", tmp_path / "whole.csv"
    with monkeypatch.context() as patch:
        patch.setattr(run, "find", lambda folder: (seen.append(found) or found for found in find(folder)))
        stopped = classify(folder, part, comparator(brightness(engine=Then(stop.set))), stop=stop)
    assert (stopped.photos, stopped.finished) == (2 * BATCH, False)
    assert len(seen) < 18 * BATCH  # 10 to count them, and what was decoded ahead
    finished = classify(folder, part, comparator())
    assert (finished.photos, finished.judged, finished.finished) == (10 * BATCH, 8 * BATCH, True)
    classify(folder, whole, comparator())
    assert part.read_bytes() == whole.read_bytes()


def test_a_folder_that_goes_away_makes_no_rows_of_errors(greys, tmp_path):
    folder, out = greys(8 * BATCH), tmp_path / "out.csv"
    gone = Then(lambda: folder.rename(tmp_path / "elsewhere"))
    with pytest.raises(FolderLost, match="is gone"):
        classify(folder, out, comparator(brightness(engine=gone)))
    (tmp_path / "elsewhere").rename(folder)
    assert classify(folder, out, comparator()).failed == 0
    assert read_csv(out) == [grey_row(grey) for grey in range(8 * BATCH)]


@pytest.mark.parametrize("left", ["nothing", "another", "empty"])
def test_a_folder_that_goes_away_while_photos_are_counted_is_not_done(greys, tmp_path, monkeypatch, left):
    folder, out = greys(2), tmp_path / "out.csv"
    walks = []

    def find_then_lose(path):
        yield from find(path)
        walks.append(path)
        if len(walks) == 2:  # the first was to see whether there is any photo
            folder.rename(tmp_path / "elsewhere")
            if left != "nothing":
                greys(2 if left == "another" else 0)

    monkeypatch.setattr(run, "find", find_then_lose)
    check(folder, out)
    with pytest.raises(FolderLost, match="is gone"):
        classify(folder, out, comparator())


# --- Parquet ------------------------------------------------------------------------------------


def test_parquet_holds_what_csv_holds(greys, tmp_path):
    folder = greys(3)
    (folder / "bad\n.png").touch()
    (folder / os.fsdecode(b"\xff.png")).symlink_to("002.png")
    models = comparator(brightness("a"), brightness("b", classes=("cat", "owl")))
    for name in ("out.csv", "out.parquet"):
        summary = classify(folder, tmp_path / name, models)
        assert (summary.photos, summary.failed) == (5, 1)
    table = parquet.read_table(tmp_path / "out.parquet")
    numbers = ["confidence", "p_cat", "p_dog", "p_owl", "neither"]
    assert {field.name: str(field.type) for field in table.schema} == {
        name: "double" if name in numbers else "string"
        for name in ["path", "model", "label", "verdict", *numbers, "error"]
    }  # fmt: skip
    shown = [
        {name: "" if value is None else f"{value:.6f}" if name in numbers else value for name, value in row.items()}
        for row in table.to_pylist()
    ]
    assert shown == read_csv(tmp_path / "out.csv")
    assert (tmp_path / "out.parquet.csv").read_bytes() == (tmp_path / "out.csv").read_bytes()


def test_parquet_appears_when_all_is_done(greys, tmp_path):
    folder, out, stop = greys(2 * BATCH), tmp_path / "out.parquet", threading.Event()
    out.write_bytes(b"of an earlier run")
    first = brightness(engine=Then(stop.set))
    first.engine.brightness.batches.append(0)  # stop at the first batch
    assert not classify(folder, out, comparator(first), stop=stop).finished
    assert out.read_bytes() == b"of an earlier run"
    classify(folder, out, comparator())
    assert parquet.read_table(out).num_rows == 2 * BATCH


def test_without_pyarrow_parquet_is_refused_at_once(greys, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InvalidSettings, match=r"needs pyarrow: `pip install pyarrow`, or let --out end in \.csv\."):
        classify(greys(1), tmp_path / "out.parquet", comparator())
    assert classify(greys(1), tmp_path / "out.csv", comparator()).photos == 1
