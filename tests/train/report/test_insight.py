"""How far what is said beside a label can be trusted."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score

from catdog.classifier import Classifier
from catdog.errors import InvalidSettings
from catdog.verdict import Comparison
from tests.catdog import fakes
from tests.specs import minimal
from tests.tiny import write_tiny_model
from tests.train.conftest import waves
from train.__main__ import main
from train.data.dataset import DatasetError
from train.report import insight_figures
from train.report.insight_figures import insight


@pytest.fixture(scope="module")
def strangers(tmp_path_factory):
    """Photos of two kinds of other things, a hidden folder and an empty one."""
    folder = tmp_path_factory.mktemp("strangers")
    random = np.random.default_rng(1)
    for kind, count in (("waves", 3), ("pets", 2)):  # other things may be called anything
        (folder / kind).mkdir()
        for index in range(count):
            pixels = waves(random) if kind == "waves" else np.broadcast_to([200, 10 * index, 0], (30, 30, 3))
            Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(folder / kind / f"{index}.png")
    (folder / ".hidden").mkdir()
    (folder / "empty").mkdir()
    (folder / "ABOUT.md").write_text("From a test: all free.\n")
    return folder


def test_one_command_writes_page_figures_and_drawings(
    tiny_data, tiny_weights, two_folders, strangers, tmp_path, capsys
):
    weights = shutil.copytree(tiny_weights, tmp_path / "weights")
    for name in ("scratch_cnn", "xception"):
        able = write_tiny_model(weights, name, classes=("cat", "dog", "neither"))
        able.replace(classes=("cat", "dog"), neither={"threshold": 0.3}).write(weights / f"{name}.json")
    assert main(["calibrate", "--data", str(tiny_data), "--weights", str(weights)]) == 0
    command = ["insight", "--data", str(tiny_data), "--weights", str(weights), "--strangers", str(strangers)]
    more = ["--more", str(two_folders[1]), "--photos", "5"]
    assert main([*command, "--out", str(tmp_path / "report"), *more]) == 0
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    figures = json.loads((tmp_path / "report" / "insight.json").read_text())
    page = (tmp_path / "report" / "insight.md").read_text()
    assert sorted(path.name for path in (tmp_path / "report").iterdir()) == [
        "faithfulness.png", "insight.json", "insight.md", "maps.png", "neither.png", "sureness.png"
    ]  # fmt: skip
    assert figures["split"] == "test"
    assert figures["neither"]["pets"] == 16 and figures["neither"]["others"] == {"pets": 2, "waves": 3}
    assert set(figures["neither"]["rules"]) == {"scratch_cnn", "xception"} == set(said["neither"])
    decides = figures["neither"]["decided_by"]
    assert decides in figures["neither"]["rules"]
    assert figures["neither"]["rules"]["xception"]["caught"]["of"] == 5
    assert (figures["elsewhere"]["pets"], figures["elsewhere"]["others"]) == (6, {"other things": 6})
    assert "about 6 photos of the classes and 6 of other things" in page
    assert figures["cost"]["photos"] == figures["heat_maps"]["xception"]["photos"] == 5
    assert sum(level["of"] for level in figures["sureness"]["xception"]) == 16
    area = figures["neither"]["rules"][decides]["auroc"]["area"]
    refused = figures["neither"]["rules"][decides]["refused_pets"]
    said = f"{refused['count']} of {refused['of']}, {refused['share']:.1%}"
    assert f"| **{decides}** | all | {said}" in page and f"| {area:.3f} (" in page
    assert "From a test: all free.\n" in page
    for name in ("maps", "faithfulness", "sureness", "neither"):
        assert f"({name}.png)" in page
    assert "Measured on the test photos by" in page


def test_models_that_know_nothing_of_themselves_are_measured_too(tiny_data, tiny_weights, strangers, tmp_path):
    for name in ("faithfulness.png", "sureness.png", "neither.png"):
        (tmp_path / name).write_text("of an earlier report")
    figures = insight(tiny_weights, tiny_data, strangers, tmp_path, photos=2)
    assert figures["neither"]["rules"] == figures["sureness"] == {}
    assert "Not measured" in (tmp_path / "insight.md").read_text()
    assert sorted(path.name for path in tmp_path.glob("*.png")) == ["faithfulness.png", "maps.png"]
    assert all(Image.open(path).format == "PNG" for path in tmp_path.glob("*.png"))


@pytest.fixture
def bad_data(tiny_data, tmp_path):
    """A folder with a photo that does not decode, and one of strangers without a photo."""
    data = shutil.copytree(tiny_data, tmp_path / "broken")
    (data / "test" / "cats" / "broken.png").write_bytes(b"broken")
    (tmp_path / "no strangers" / "cups").mkdir(parents=True)
    return tmp_path


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"data": "broken"}, DatasetError, r"broken\.png"),
        ({"strangers": "no strangers"}, DatasetError, "must hold folders with photos"),
        ({"strangers": "missing"}, DatasetError, "must hold folders with photos"),
        ({"photos": 0}, InvalidSettings, "at least one photo"),
    ],
)
def test_what_cannot_be_measured_is_refused(tiny_data, tiny_weights, strangers, bad_data, options, error, said):
    places = {"data": tiny_data, "strangers": strangers} | {
        key: bad_data / value if isinstance(value, str) else value for key, value in options.items()
    }
    with pytest.raises(error, match=said):
        insight(tiny_weights, out=bad_data / "report", **places)


def answer(label: str, confidence: float = 0.9, **known) -> Comparison:
    """What is said of a photo by the one model m."""
    error_rate = 0.1 if confidence < 0.95 else 0.01
    return fakes.compared(fakes.verdict("m", label, confidence=confidence, error_rate=error_rate, **known))


def classifier(**changes) -> Classifier:
    return Classifier(minimal(sureness={"confidence": [0.0, 0.95], "error_rate": [0.1, 0.01]}, **changes), None)


def test_promises_are_held_against_what_was_wrong():
    pets = [answer("cat"), answer("dog"), answer("dog", 0.99)]
    first, second = insight_figures.sureness(classifier(), pets, ["cat", "cat", "dog"])
    assert (first["promised"], first["of"], first["count"], first["share"]) == (0.1, 2, 1, 0.5)
    assert (second["promised"], second["of"], second["count"]) == (0.01, 1, 0)


def test_refused_and_caught_are_counted():
    pets = [answer("cat", neither=value) for value in (0.05, 0.1, 0.7, 0.2)]
    others = {"owls": [answer("cat", neither=value) for value in (0.6, 0.3)]}
    figures = insight_figures.neither([classifier()], pets, others)
    rule = figures["rules"]["m"]
    assert (rule["refused_pets"]["count"], rule["refused_pets"]["of"]) == (1, 4)
    assert (rule["caught"]["count"], rule["caught"]["of"]) == (1, 2)
    assert rule["auroc"]["area"] == rule["kinds"]["owls"]["auroc"]["area"] == pytest.approx(6 / 8)
    assert figures["sure_of_others"]["m"]["share"] == 1
    assert figures["decided_by"] is None  # its spec knows no such output


def test_the_best_output_for_neither_decides_and_each_has_its_figures():
    pets, others = (
        [fakes.compared(fakes.verdict("a", neither=share), fakes.verdict("b", neither=0.9))] for share in (0.4, 0.6)
    )
    specs = [minimal(name, neither={"threshold": 0.3, "auroc": auroc}) for name, auroc in (("a", 0.99), ("b", 0.9))]
    models = [Classifier(spec, None) for spec in specs]
    figures = insight_figures.neither(models, pets, {"owls": others})
    assert figures["decided_by"] == "a"
    assert figures["rules"]["a"]["refused_pets"]["count"] == 0 and figures["rules"]["a"]["caught"]["count"] == 1
    assert figures["rules"]["b"]["refused_pets"]["count"] == 1


def test_the_area_is_that_under_the_curve_with_ties_too():
    random = np.random.default_rng(0)
    pets, others = np.round(random.normal(size=50), 1), np.round(random.normal(1, 1, 20), 1)
    figures = insight_figures.auroc(pets, others)
    expected = roc_auc_score(np.repeat([0, 1], [50, 20]), np.concatenate([pets, others]))
    assert figures["area"] == pytest.approx(expected, abs=1e-12)
    low, high = figures["interval"]
    assert 0.5 < low < expected < high < 1


def test_the_model_named_as_usually_right_is_held_against_what_was_right():
    usual = {"model": "b", "rate": 0.8, "photos": 40}
    disputed = fakes.compared(fakes.verdict("a", "cat"), fakes.verdict("b", "dog"), usually_right=usual)
    unknown = fakes.compared(fakes.verdict("a", "cat"), fakes.verdict("b", "dog"))
    agreed = fakes.compared(fakes.verdict("a", "cat"), fakes.verdict("b", "cat"))
    found = insight_figures.disagreement(
        ["a", "b"], [disputed, disputed, unknown, agreed], ["dog", "cat", "cat", "dog"]
    )
    assert (found["photos"], found["disagree"], found["promised"]) == (4, 3, 0.8)
    assert (found["usually_right"]["count"], found["usually_right"]["of"]) == (1, 2)
    assert found["each_model"]["a"]["count"] == 2 and found["each_model"]["b"]["count"] == 1
