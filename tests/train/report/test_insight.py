"""How far what is said beside a label can be trusted."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score

from catdog.classifier import Classifier
from catdog.engine import Outputs
from catdog.errors import InvalidSettings
from catdog.models.spec import ModelSpec
from catdog.verdict import Verdict
from tests.catdog import fakes
from tests.train.conftest import disc, waves, write_pictures
from train.__main__ import main
from train.data.dataset import DatasetError, find
from train.measure import faithfulness
from train.report import insight


@pytest.fixture(scope="module")
def strangers(tmp_path_factory):
    """Photos of two kinds of other things, a hidden folder and an empty one."""
    folder = tmp_path_factory.mktemp("strangers")
    random = np.random.default_rng(1)
    for kind, count in (("waves", 3), ("red", 2)):
        (folder / kind).mkdir()
        for index in range(count):
            pixels = waves(random) if kind == "waves" else np.broadcast_to([200, 10 * index, 0], (30, 30, 3))
            Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(folder / kind / f"{index}.png")
    (folder / ".hidden").mkdir()
    (folder / "empty").mkdir()
    (folder / "ABOUT.md").write_text("From a test: all free.\n")
    return folder


def test_one_command_writes_page_figures_and_drawings(tiny_data, tiny_weights, strangers, tmp_path, capsys):
    weights = shutil.copytree(tiny_weights, tmp_path / "weights")
    assert main(["calibrate", "--data", str(tiny_data), "--weights", str(weights)]) == 0
    command = ["insight", "--data", str(tiny_data), "--weights", str(weights), "--strangers", str(strangers)]
    assert main([*command, "--out", str(tmp_path / "report"), "--photos", "5"]) == 0
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    figures = json.loads((tmp_path / "report" / "insight.json").read_text())
    page = (tmp_path / "report" / "insight.md").read_text()
    assert sorted(path.name for path in (tmp_path / "report").iterdir()) == [
        "faithfulness.png", "insight.json", "insight.md", "maps.png", "neither.png", "sureness.png"
    ]  # fmt: skip
    assert figures["split"] == "test"
    assert figures["neither"]["pets"] == 16 and figures["neither"]["others"] == {"red": 2, "waves": 3}
    assert set(figures["neither"]["rules"]) == {"scratch_cnn", "xception"} == set(said["neither"])
    assert figures["neither"]["decided_by"] == "xception"
    assert figures["neither"]["rules"]["xception"]["caught"]["of"] == 5
    assert figures["cost"]["photos"] == figures["heat_maps"]["xception"]["photos"] == 5
    assert sum(level["photos"] for level in figures["sureness"]["xception"]) == 16
    area = figures["neither"]["rules"]["xception"]["auroc"]["area"]
    assert f"| **xception** | all | {insight_of(figures, 'refused_pets')}" in page and f"| {area:.3f} (" in page
    assert "From a test: all free.\n" in page
    for name in ("maps", "faithfulness", "sureness", "neither"):
        assert f"({name}.png)" in page
    assert "Measured on the test photos by" in page and " pets" not in page


def insight_of(figures: dict, key: str) -> str:
    share = figures["neither"]["rules"]["xception"][key]
    return f"{share['count']} of {share['of']}, {share['share']:.1%}"


def test_models_that_know_nothing_of_themselves_are_measured_too(tiny_data, tiny_weights, strangers, tmp_path):
    for name in ("faithfulness.png", "sureness.png", "neither.png"):
        (tmp_path / name).write_text("of an earlier report")
    figures = insight.insight(tiny_weights, tiny_data, strangers, tmp_path, photos=2)
    assert figures["neither"]["rules"] == figures["sureness"] == {}
    assert "Not measured: the specs know nothing of it." in (tmp_path / "insight.md").read_text()
    assert sorted(path.name for path in tmp_path.glob("*.png")) == ["faithfulness.png", "maps.png"]
    assert all(Image.open(path).format == "PNG" for path in tmp_path.glob("*.png"))


def test_models_of_other_classes_are_refused(tiny_weights, strangers, tmp_path):
    write_pictures(tmp_path, {"discs": disc, "waves": waves}, {"test": 2})
    with pytest.raises(DatasetError, match="knows the classes cat, dog; the data folder has discs, waves"):
        insight.insight(tiny_weights, tmp_path, strangers, tmp_path / "report")


def test_other_things_may_be_called_anything(tiny_data, tiny_comparator):
    split = find(tiny_data, "test").head(1)
    figures, strangeness = insight.measure(tiny_comparator, split, {"pets": split.paths[:1]}, split)
    assert set(strangeness) == {"", "pets"}
    assert figures["neither"]["pets"] == 2 and figures["neither"]["others"] == {"pets": 1}


def test_photos_too_large_for_serving_have_no_maps(tiny_data, tiny_weights, strangers, tmp_path, monkeypatch):
    sizes = sorted(path.stat().st_size for path in find(tiny_data, "test").paths)
    monkeypatch.setenv("CATDOG_MAX_UPLOAD_MB", str(sizes[2] / 2**20))
    figures = insight.insight(tiny_weights, tiny_data, strangers, tmp_path)
    assert figures["neither"]["pets"] == 16
    assert figures["cost"]["photos"] == figures["heat_maps"]["xception"]["photos"] == 3
    monkeypatch.setenv("CATDOG_MAX_UPLOAD_MB", str((sizes[0] - 1) / 2**20))
    with pytest.raises(InvalidSettings, match="raise CATDOG_MAX_UPLOAD_MB"):
        insight.insight(tiny_weights, tiny_data, strangers, tmp_path)


def test_a_photo_that_does_not_decode_is_named(tiny_data, tiny_weights, strangers, tmp_path):
    data = shutil.copytree(tiny_data, tmp_path / "data")
    (data / "test" / "cats" / "broken.png").write_bytes(b"broken")
    with pytest.raises(DatasetError, match=r"broken\.png"):
        insight.insight(tiny_weights, data, strangers, tmp_path / "report")


@pytest.mark.parametrize("make", [lambda folder: None, lambda folder: (folder / "cups").mkdir(parents=True)])
def test_without_photos_of_other_things_nothing_is_measured(tiny_data, tiny_weights, tmp_path, make):
    make(tmp_path / "strangers")
    with pytest.raises(DatasetError, match=r"strangers must hold folders with photos"):
        insight.insight(tiny_weights, tiny_data, tmp_path / "strangers", tmp_path / "report")


def verdict(label: str, confidence: float = 0.9, strangeness: float | None = None, model: str = "m") -> Verdict:
    error_rate = 0.1 if confidence < 0.95 else 0.01
    return fakes.verdict(model, label, confidence=confidence, error_rate=error_rate, strangeness=strangeness)


def classifier(engine=None, **changes) -> Classifier:
    values = {
        "name": "m", "title": "m", "architecture": "m", "file": "m.h5", "sha256": "0" * 64, "bytes": 1,
        "image_size": 16, "classes": ("cat", "dog"),
        "sureness": {"confidence": [0.0, 0.95], "error_rate": [0.1, 0.01]},
    }  # fmt: skip
    return Classifier(ModelSpec(**values | changes), engine)


def test_heat_maps_need_a_photo(tiny_data, tiny_weights, strangers, tmp_path):
    with pytest.raises(InvalidSettings, match="at least one photo"):
        insight.insight(tiny_weights, tiny_data, strangers, tmp_path, photos=0)


def test_promises_are_held_against_what_was_wrong():
    pets = [[verdict("cat")], [verdict("dog")], [verdict("dog", 0.99)]]
    first, second = insight.sureness(classifier(), pets, ["cat", "cat", "dog"])
    assert (first["promised"], first["photos"], first["wrong"], first["rate"]) == (0.1, 2, 1, 0.5)
    assert (second["promised"], second["photos"], second["wrong"]) == (0.01, 1, 0)


def test_refused_and_caught_are_counted():
    pets = [[verdict("cat", strangeness=value)] for value in (0.1, 0.2, 1.5, 0.3)]
    others = {"owls": [[verdict("cat", strangeness=value)] for value in (1.1, 0.5)]}
    figures = insight.neither([classifier()], pets, others)
    rule = figures["rules"]["m"]
    assert (rule["refused_pets"]["count"], rule["refused_pets"]["of"]) == (1, 4)
    assert (rule["caught"]["count"], rule["caught"]["of"]) == (1, 2)
    assert rule["auroc"]["area"] == rule["kinds"]["owls"]["auroc"]["area"] == pytest.approx(6 / 8)
    assert figures["sure_of_others"]["m"]["share"] == 1
    assert figures["decided_by"] is None  # its spec has no statistics


def test_the_area_is_that_under_the_curve_with_ties_too():
    random = np.random.default_rng(0)
    pets, others = np.round(random.normal(size=50), 1), np.round(random.normal(1, 1, 20), 1)
    figures = insight.auroc(pets, others)
    expected = roc_auc_score(np.repeat([0, 1], [50, 20]), np.concatenate([pets, others]))
    assert figures["area"] == pytest.approx(expected, abs=1e-12)
    low, high = figures["interval"]
    assert 0.5 < low < expected < high < 1


# --- faithfulness -------------------------------------------------------------------------------


class Corner:
    """Sees a dog where the upper left corner is bright; its map says so, or with `wrong` the opposite."""

    def __init__(self, wrong: bool = False):
        self.map = np.array([[4.0, 0.0], [0.0, 0.0]]) * (-1 if wrong else 1)

    def __call__(self, batch: np.ndarray) -> Outputs:
        light = batch[:, :8, :8].mean(axis=(1, 2, 3)) / 255
        maps = np.repeat(self.map[None, ..., None], len(batch), axis=0)
        return Outputs.from_model((1 / (1 + np.exp(-12 * (light - 0.5))))[:, None].astype(np.float32), None, maps)


def bright_corner(random: np.random.Generator) -> np.ndarray:
    array = random.uniform(0, 40, (16, 16, 3)).astype(np.float32)
    array[:8, :8] += 200
    return array


@pytest.mark.parametrize("wrong", [False, True])
def test_a_map_that_points_at_what_counts_is_told_from_one_that_does_not(wrong):
    random = np.random.default_rng(0)
    figures = faithfulness.measure(classifier(Corner(wrong)), [bright_corner(random) for _ in range(30)])
    deletion, insertion = figures["deletion"], figures["insertion"]
    assert figures["photos"] == 30
    if wrong:
        assert deletion["interval"][0] > 0 > insertion["interval"][1]
    else:
        assert deletion["interval"][1] < 0 < insertion["interval"][0]
        assert deletion["better"] > 0.6 and insertion["better"] > 0.6
    assert deletion["difference"] == pytest.approx(deletion["map"] - deletion["random"])
    assert deletion["curves"]["map"][0] == pytest.approx(insertion["curves"]["map"][-1])
    assert deletion["curves"]["map"][0] > 0.9


def test_a_model_without_maps_is_left_out():
    def engine(batch: np.ndarray) -> Outputs:
        return Outputs.from_model(np.full((len(batch), 1), 0.5, np.float32))

    assert faithfulness.measure(classifier(engine), [np.zeros((16, 16, 3), np.float32)]) is None
