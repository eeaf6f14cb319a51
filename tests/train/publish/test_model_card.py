"""The model card: every number in it stands in a spec, and what people wrote stays."""

from __future__ import annotations

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


@pytest.mark.parametrize(
    ("classes", "changes"),
    [
        (("cat", "dog"), {"temperature": 0.4}),
        (("cat", "dog"), {"resize": "crop", "scaling": "symmetric"}),
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


def test_what_people_wrote_is_kept_and_the_rest_renewed(tmp_path):
    first = text_of(tmp_path, spec())
    edited = first.replace("license: apache-2.0", "license: mit\nemoji: x").replace(
        "## Limits", "My words.\n\n## Limits"
    )
    edited = edited.replace("94.35%", "99.99%").replace("value: 0.9435", "value: 0.9999")
    (tmp_path / "README.md").write_text(edited)
    again = text_of(tmp_path, spec())
    assert "My words." in again and "license: mit\nemoji: x\n" in again
    assert "94.35%" in again and "value: 0.9435" in again
    assert "99.99%" not in again and "0.9999" not in again


def test_a_card_that_is_up_to_date_is_not_touched(tmp_path):
    assert model_card.write(tmp_path, [spec()], tmp_path / "report")
    assert not model_card.write(tmp_path, [spec()], tmp_path / "report")


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
    there, _ = model_card.published(tmp_path / "weights", None, [spec()], tmp_path / "report", "user/name")
    assert shown.format("report") in there


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


@pytest.mark.parametrize(
    ("there", "kept"), [(None, "Ours"), ("---\nlicense: mit\n---\n", "Ours"), ("Theirs\n", "Theirs")]
)
def test_whose_words_go_to_the_hub(tmp_path, there, kept):
    (tmp_path / "README.md").write_text("---\nlicense: bsd\nlanguage: en\n---\n\nOurs\n")
    content, differs = model_card.published(tmp_path, there, [spec()], tmp_path / "report", "user/name")
    assert [word for word in ("Ours", "Theirs") if word in content] == [kept]
    assert differs == (kept == "Theirs")
    data = ModelCard(content).data
    assert data.language == "en"
    assert data.license == ("mit" if there and "mit" in there else "bsd")
    assert model_card.published(tmp_path, content, [spec()], tmp_path / "report", "user/name")[0] == content


# The command


def test_the_command_writes_the_card_and_says_so(tiny_weights, tmp_path, capsys):
    folder = shutil.copytree(tiny_weights, tmp_path / "weights")
    for changed in (True, False):
        assert main(["card", "--weights", str(folder)]) == 0
        out = capsys.readouterr().out.splitlines()
        assert json.loads(out[-1]) == {"card": str(folder / "README.md"), "changed": changed}
    assert "| xception | 10 validation | 95.00% |" in (folder / "README.md").read_text()


def test_a_card_never_describes_a_damaged_model(tiny_weights, tmp_path, capsys):
    folder = shutil.copytree(tiny_weights, tmp_path / "weights")
    (folder / "xception.h5").write_bytes(b"damaged")
    assert main(["card", "--weights", str(folder)]) == 1
    assert "xception.h5 is damaged" in capsys.readouterr().err
    assert not (folder / "README.md").exists()


def test_a_card_that_cannot_be_read_is_left_alone(tiny_weights, tmp_path, capsys):
    folder = shutil.copytree(tiny_weights, tmp_path / "weights")
    (folder / "README.md").write_text("---\na: [\n---\nMy words\n")
    assert main(["card", "--weights", str(folder)]) == 1
    assert "README.md cannot be brought up to date" in capsys.readouterr().err
    assert "My words" in (folder / "README.md").read_text()


def test_the_shipped_card_is_up_to_date(tmp_path):
    """If not: python -m train card."""
    weights, report = tmp_path / "weights", tmp_path / "docs" / "report"
    weights.mkdir()
    shutil.copy(BUNDLED_WEIGHTS / "README.md", weights)
    if (ROOT / "docs" / "report").is_dir():
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
