"""Batches of photos in every kind of table, and the rows of one part."""

import contextlib
import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pandas
import pyarrow
import pytest
from pyarrow import parquet

from catdog import Settings
from catdog.cluster import part_rows
from catdog.cluster.judge import Judge, made_once, settings_to_send
from catdog.cluster.photo_source import STATE, Source, counted, prepare
from catdog.errors import UnknownModel
from catdog.folder.run import classify
from tests.catdog.folder.conftest import Here, read_csv
from tests.conftest import EXAMPLES


@pytest.fixture(scope="module")
def judge(tiny_weights):
    with contextlib.closing(Judge(Settings(weights=tiny_weights))) as judge:
        yield judge


@pytest.fixture
def photos(tmp_path):
    """A folder with photos of several kinds, bad ones among them."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("cat.jpg", "dog.jpg", "owl.jpg"):
        shutil.copy(EXAMPLES / name, folder)
    (folder / "bad.png").write_bytes(b"no photo")
    (folder / "empty.jpg").touch()
    os.mkfifo(folder / "pipe.jpg")
    return folder


@pytest.fixture
def expected(photos, judge, tmp_path, monkeypatch):
    """The rows of plain `classify` by path and model."""
    monkeypatch.setattr("catdog.folder.run.Workers", Here)
    classify(photos, tmp_path / "plain.csv", judge.comparator)
    return {(row["path"], row["model"]): row for row in read_csv(tmp_path / "plain.csv")}


def check(table: pyarrow.Table, expected: dict, *, folder: str = "") -> None:
    rows = table.to_pylist()
    assert len(rows) == len(expected)
    for row in rows:
        plain = expected[os.path.relpath(row["path"], folder or None), row["model"] or ""]
        for name, value in row.items():
            if isinstance(value, float):
                assert value == pytest.approx(float(plain[name]), abs=1e-6), name
            elif name != "path":
                assert (value or "") == plain[name]


def as_table(batch: dict) -> pyarrow.Table:
    return pyarrow.table(batch)


def as_arrays(batch: dict) -> dict:
    return {name: np.array(values, object) for name, values in batch.items()}


@pytest.mark.parametrize("form", [as_table, pandas.DataFrame, as_arrays, dict])
@pytest.mark.parametrize("as_bytes", [False, True])
def test_a_batch_of_any_kind_gets_the_rows_of_classify_in_its_kind(judge, photos, expected, form, as_bytes):
    paths = sorted(str(path) for path in photos.iterdir())
    batch = {"path": paths}
    if as_bytes:
        batch["bytes"] = [None if "pipe" in path else Path(path).read_bytes() for path in paths]
    result = judge(form(batch))
    assert isinstance(result, type(form(batch)))
    table = pyarrow.table(result) if isinstance(result, dict) else result
    table = pyarrow.Table.from_pandas(table, judge.schema) if isinstance(table, pandas.DataFrame) else table
    assert table.column_names == judge.columns.names
    check(table, expected, folder=str(photos))


def test_empty_batches_and_cells(judge):
    assert judge(pyarrow.table({"path": pyarrow.array([], pyarrow.string())})).schema == judge.schema
    (row,) = judge(pyarrow.table({"path": pyarrow.array([None], pyarrow.string())})).to_pylist()
    assert row["error"]
    with pytest.raises(KeyError):
        judge({"file": []})


def test_it_is_sent_as_its_arguments_and_loaded_once(judge, cat):
    content = pickle.dumps(judge)
    assert len(content) < 1000
    sent = pickle.loads(content)
    assert pickle.loads(content) is sent and sent.__reduce__() == judge.__reduce__()
    assert sent({"path": [str(cat)]}) == judge({"path": [str(cat)]})
    made_once.cache_clear()


def test_only_the_models_asked_answer(tiny_weights, cat):
    settings = Settings(weights=tiny_weights)
    with contextlib.closing(Judge(settings, models=["xception"])) as judge:
        assert judge({"path": [str(cat)]})["model"] == ["xception"]
    with pytest.raises(UnknownModel):
        Judge(settings, models=["nobody"])


@pytest.mark.parametrize("form", ["folder", "hub", "tar"])
def test_parts_of_each_form_have_the_rows_of_classify(photos, expected, pack, tmp_path, judge, monkeypatch, form):
    (photos / "pipe.jpg").unlink()
    expected = {key: row for key, row in expected.items() if key[0] != "pipe.jpg"}
    source = Source.of(str(photos if form == "folder" else pack(photos, form)))
    out = str(tmp_path / "out")
    prepare(out, {}, source, restart=False)
    settings = judge.comparator.settings
    identity = part_rows.models_of([classifier.spec for classifier in judge.classifiers])
    monkeypatch.setattr(part_rows, "_judge", lambda _: judge)
    task = part_rows.Job(out, settings_to_send(settings), (), identity, 1)
    parts = source.parts(out)
    done = [part_rows.do(task, part) for part in parts]
    assert not any(one.problem for one in done)
    check(pyarrow.concat_tables([parquet.read_table(f"{out}/{part.name}") for part in parts]), expected)
    check(parquet.read_table(out), expected)  # as any reader of the folder sees it
    assert counted(out, [part.name for part in parts]) == (5, 2)
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*.parquet")}
    assert sum(part_rows.do(task, part).photos for part in parts) == 5  # as by one thought lost
    assert before == {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*.parquet")}


def test_a_folder_that_a_machine_lacks_is_a_problem_and_no_rows(photos, tmp_path, judge, monkeypatch):
    monkeypatch.setattr(part_rows, "_judge", lambda _: judge)
    source, out = Source.of(str(photos)), str(tmp_path / "out")
    prepare(out, {}, source, restart=False)
    (part,) = source.parts(out)
    task = part_rows.Job(out, (), (), "", 1)
    shutil.move(photos, tmp_path / "elsewhere")
    assert "is not there" in part_rows.do(task, part).problem
    shutil.move(f"{out}/{STATE}", tmp_path / "state")
    assert "not the same folder" in part_rows.do(task, part).problem
    assert os.listdir(out) == []


def test_an_address_that_cannot_be_reached_is_a_problem_and_no_rows(photos, tmp_path, judge, monkeypatch):
    monkeypatch.setattr(part_rows, "_judge", lambda _: judge)
    (tmp_path / "list.csv").write_text(f"path\n{photos}/cat.jpg\nnosuch://bucket/a.jpg\n")
    source, out = Source.of(str(tmp_path / "list.csv")), str(tmp_path / "out")
    prepare(out, {}, source, restart=False)
    (part,) = source.parts(out)
    assert "nosuch://bucket/a.jpg" in part_rows.do(part_rows.Job(out, (), (), "", 1), part).problem
    assert os.listdir(out) == [STATE]


def test_other_models_are_a_problem(tiny_weights, photos, tmp_path):
    source, out = Source.of(str(photos)), str(tmp_path / "out")
    prepare(out, {}, source, restart=False)
    (part,) = source.parts(out)
    settings = Settings(weights=tiny_weights)
    task = part_rows.Job(out, settings_to_send(settings), (), "others", 1)
    assert "other models" in part_rows.do(task, part).problem
    made_once.cache_clear()


def test_settings_are_sent_without_those_of_a_machine(tmp_path):
    assert settings_to_send(Settings()) == ()
    weights = f"mine{os.pathsep}{tmp_path}{os.pathsep}user/name@v1"
    assert dict(settings_to_send(Settings(max_pixels=5, weights=weights))) == {
        "weights": f"{os.path.abspath('mine')}{os.pathsep}{tmp_path}{os.pathsep}user/name@v1", "max_pixels": 5,
    }  # fmt: skip
