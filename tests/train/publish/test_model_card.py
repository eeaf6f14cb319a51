"""The model card: every number in it stands in a spec, and what people wrote stays."""

import ast
import contextlib
import json
import re
import shutil

import pytest
from huggingface_hub import ModelCard

from catdog import load
from catdog.models.locate import locate
from catdog.models.spec import ModelSpec
from catdog.settings import BUNDLED_WEIGHTS, Settings
from tests.conftest import ROOT
from tests.hub.metadata import problems_of
from tests.tiny import write_tiny_model
from tests.train.recorded import spec
from train.__main__ import main
from train.publish import model_card
from train.report import results


def text_of(folder, *specs: ModelSpec) -> str:
    model_card.write(folder, specs, folder / "report")
    return (folder / "README.md").read_text()


def test_a_new_card_is_one_that_the_hub_takes(tmp_path):
    content = text_of(tmp_path, spec(), spec("xception", classes=("owl", "lynx", "mouse")))
    assert list(problems_of(content, "model")) == []
    data = ModelCard(content).data
    assert (data.library_name, data.pipeline_tag, data.license) == ("keras", "image-classification", "apache-2.0")
    assert data.datasets == ["dogs-vs-cats-kaggle"]
    assert data.tags == ["image-classification", "keras", "cat", "dog", "lynx", "mouse", "owl"]
    assert data.metrics == ["accuracy", "log_loss", "calibration_error"]
    assert len(data.eval_results) == 8
    for heading in ("# Cat or dog or owl or lynx or mouse", "## How to load", "## Intended use", "## Limits"):
        assert f"\n{heading}\n" in content
    assert "| `xception.h5` | float32 (N, 128, 128, 3), RGB 0 to 255;" in content


ADOPTED = {
    "adopted_from": "keras_model.h5", "adopted_sha256": "a" * 64, "keras_version": "2.4.0", "date": "2026-01-31",
    "parameters": 540_000,
}  # fmt: skip


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"chosen_on": {"photos": 60, "agreement": {"scaling": 0.98, "order": 1.0}}}, ["60 labelled photos", "98%"]),
        ({"assumed": ["order"], "head": "sigmoids"}, ["Assumed", "order of the classes", "divided by their sum"]),
        ({"assumed": 3, "chosen_on": "?", "keras_version": None}, ["unknown version"]),
    ],
)
def test_a_card_says_what_an_adopted_model_is(more, said, tmp_path):
    figures = {"photos": {"images": 60, "accuracy": 0.9, "log_loss": 0.3}}
    adopted = spec("mine", training=ADOPTED | more, metrics=figures)
    content = text_of(tmp_path, spec(), adopted)
    assert list(problems_of(content, "model")) == []
    assert ModelCard(content).data.license == "unknown"
    words = " ".join(content.split())
    for text in ("Somebody else's model", "keras_model.h5", "aaaaaaaaaaaa", "2026-01-31", "flatter it", *said):
        assert text in words
    assert "| mine | 60 photos | 90.00% |" in content


@pytest.mark.parametrize(
    ("classes", "changes"),
    [
        (("cat", "dog"), {"temperature": 0.4}),
        (("cat", "dog"), {"resize": "crop", "scaling": "symmetric"}),
        (("cat", "dog"), {"scaling": "caffe"}),
        (("cat", "dog", "an owl's"), {"temperature": 2.5, "scaling": "unit"}),
        (("cat", "dog", "?"), {"classes": ("cat", "dog"), "neither": {"threshold": 0.5}, "temperature": 0.5}),
    ],
)
def test_its_code_says_of_a_photo_what_catdog_says(tmp_path, monkeypatch, cat, capsys, classes, changes):
    made = write_tiny_model(tmp_path, "tiny", image_size=40, classes=classes).replace(**changes)
    made.write(tmp_path / "tiny.json")
    with contextlib.closing(load(Settings(weights=tmp_path))) as comparator:
        expected = comparator.compare(cat).models[0].probabilities
    shutil.copy(cat, tmp_path / "photo.jpg")
    monkeypatch.chdir(tmp_path)
    loading, judging = re.findall(r"```python\n(.*?)```", text_of(tmp_path, made), re.DOTALL)
    exec(loading + judging, {})
    said = ast.literal_eval(capsys.readouterr().out.splitlines()[-1])
    assert said == pytest.approx(expected, abs=1e-4)
    assert list(said) == list(made.classes)


def test_images_of_the_report_are_shown(tmp_path):
    (tmp_path / "report").mkdir()
    for name in ("learning_curves.png", "confusion.png", "mistakes.jpg", "notes.md"):
        (tmp_path / "report" / name).touch()
    (tmp_path / "report" / "README.md").write_text("# Report\n\n![What they took for what](confusion.png)\n")
    (tmp_path / "weights").mkdir()
    model_card.write(tmp_path / "weights", [spec()], tmp_path / "report")
    content = (tmp_path / "weights" / "README.md").read_text()
    shown = "![What they took for what]({0}/confusion.png)\n\n![Learning curves]({0}/learning_curves.png)"
    assert shown.format("../report") in content
    assert "![Mistakes](../report/mistakes.jpg)" in content


@pytest.mark.parametrize("name", ["report.json", "insight.json"])
def test_images_of_a_report_on_other_models_are_left_out(tmp_path, name):
    (tmp_path / "confusion.png").touch()
    (tmp_path / name).write_text(json.dumps({"models": {"m": {"sha256": spec().sha256}}}))
    assert not model_card.about_others(tmp_path, [spec()])
    assert list(model_card.images_of(tmp_path, [spec()])) == ["confusion.png"]
    retrained = spec().replace(sha256="f" * 64)
    for others in ([retrained], [spec(), retrained]):
        assert f"{name} is about other models" in model_card.about_others(tmp_path, others)
        assert not model_card.images_of(tmp_path, others)
    (tmp_path / name).write_text("{")
    assert list(model_card.images_of(tmp_path, [retrained])) == ["confusion.png"]  # nothing tells whose they are


def test_the_command_writes_the_card_and_says_so(tiny_weights, tmp_path, capsys):
    folder = shutil.copytree(tiny_weights, tmp_path / "weights")
    for changed in (True, False):
        assert main(["card", "--weights", str(folder)]) == 0
        out = capsys.readouterr().out.splitlines()
        assert json.loads(out[-1]) == {"card": str(folder / "README.md"), "changed": changed}
    path = folder / "README.md"
    assert "| xception | 10 validation | 95.00% |" in path.read_text()
    path.write_text(path.read_text().replace("95.00%", "99.99%").replace("## Limits", "My words.\n\n## Limits"))
    assert main(["card", "--weights", str(folder)]) == 0
    assert "My words.\n\n## Limits" in path.read_text() and "99.99%" not in path.read_text()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("xception.h5", "damaged", "xception.h5 is damaged"),
        ("README.md", "---\na: [\n---\nMy words\n", "README.md cannot be brought up to date"),
    ],
)
def test_a_damaged_model_is_not_described_and_a_damaged_card_left_alone(
    tiny_weights, tmp_path, capsys, name, content, said
):
    folder = shutil.copytree(tiny_weights, tmp_path / "weights")
    (folder / name).write_text(content)
    assert main(["card", "--weights", str(folder)]) == 1
    assert said in capsys.readouterr().err
    assert (folder / name).read_text() == content
    assert (folder / "README.md").exists() == (name == "README.md")


def test_the_shipped_card_is_up_to_date(tmp_path):
    """If not: python -m train card."""
    weights, report = tmp_path / "weights", tmp_path / "docs" / "report"
    weights.mkdir()
    shutil.copy(BUNDLED_WEIGHTS / "README.md", weights)
    shutil.copytree(ROOT / "docs" / "report", report)
    specs = [model.spec for model in locate(Settings()).models]
    assert not model_card.write(weights, specs, report)


def test_the_table_of_the_readme_tells_the_figures_of_the_specs():
    text = (ROOT / "README.md").read_text()
    for made in [model.spec for model in locate(Settings()).models]:
        accuracy, interval = made.metrics["test"]["accuracy"], results.interval(made.metrics["test"])
        assert f"| {made.name} | {accuracy:.2%} | {interval} | {made.bytes / 1e6:.1f} MB" in text


def test_no_figure_of_the_shipped_card_was_typed_by_hand():
    written = re.sub(
        r"<!-- generated: .*?<!-- end of \w+ -->", "", (BUNDLED_WEIGHTS / "README.md").read_text(), flags=re.S
    )
    words = written.split("\n---\n", 1)[1]
    assert re.findall(r"\d+[.,]\d+ ?%|\d+ ?%|\b0\.\d{2,}", words) == []
