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
from train.__main__ import main
from train.fit.origins import described
from train.publish import model_card
from train.report import results

FIGURES = {
    "images": 2000, "accuracy": 0.9435, "accuracy_interval": [0.93251, 0.95279], "log_loss": 0.14465,
    "calibration_error": 0.01792, "rounding": {"labels_changed": 3, "largest_change_of_probability": 0.00322},
}  # fmt: skip
RUN = {
    "dataset": "Dogs vs. Cats (Kaggle)", "photos": {"train": 21987, "val": 1000}, "epochs": 24, "seconds": 2878,
    "hardware": "2 cores", "keras": "3.15.1", "backend": "tensorflow", "precision": "float32", "date": "2026-01-31",
    "command": "python -m train fit x", "parameters": 2899665, "significant_bits": 11, "base": "random weights",
}  # fmt: skip


def spec(name: str = "scratch_cnn", **changes) -> ModelSpec:
    fields = {
        "name": name, "title": "A CNN", "architecture": name, "file": f"{name}.h5", "sha256": "0" * 64,
        "bytes": 6_477_384, "image_size": 128, "classes": ("cat", "dog"), "temperature": 0.76,
        "metrics": {"val": {"images": 1000, "accuracy": 0.942}, "test": FIGURES}, "training": RUN,
    }  # fmt: skip
    return ModelSpec(**fields | changes)


def text_of(folder, *specs: ModelSpec) -> str:
    model_card.write(folder, specs, folder / "report")
    return (folder / "README.md").read_text()


# Figures


def test_the_table_says_what_was_recorded_and_nothing_else():
    rows = results.table([spec()]).splitlines()
    assert rows[2] == "| scratch_cnn | 2,000 test | 94.35% | 93.25% to 95.28% | 0.1447 | 0.0179 |"
    assert rows[3] == "| scratch_cnn | 1,000 validation | 94.20% | - | - | - |"
    notes = " ".join(rows[4:])
    assert "scratch_cnn changed 3 labels of the test photos, and no probability by more than 0.00322." in notes


def test_models_without_figures_claim_none():
    bare = spec(metrics={})
    assert results.table([bare]) == "Nothing has been measured."
    assert results.model_index([bare]) == []


def test_the_model_index_has_an_entry_per_model_and_a_result_per_split():
    first, second = results.model_index([spec(), spec("xception", metrics={"val": {"images": 5, "accuracy": 1.0}})])
    assert (first["name"], second["name"]) == ("scratch_cnn", "xception")
    test, validation = first["results"]
    assert test["task"] == {"type": "image-classification", "name": "Image classification"}
    assert test["dataset"] == {
        "name": "Dogs vs. Cats (Kaggle)", "type": "dogs-vs-cats-kaggle", "split": "test", "args": {"num_images": 2000},
    }  # fmt: skip
    assert {row["type"]: row["value"] for row in test["metrics"]} == {
        "accuracy": 0.9435, "log_loss": 0.14465, "calibration_error": 0.01792,
    }  # fmt: skip
    accuracy, log_loss, _ = test["metrics"]
    assert accuracy["name"] == "Accuracy of scratch_cnn"
    assert accuracy["args"] == {"confidence_level": 0.95, "confidence_interval": [0.93251, 0.95279]}
    assert "args" not in log_loss
    assert validation["dataset"]["split"] == "validation"
    assert [row["value"] for row in second["results"][0]["metrics"]] == [1.0]


@pytest.mark.parametrize(
    ("dataset", "id"),
    [("Dogs vs. Cats (Kaggle)", "dogs-vs-cats-kaggle"), ("user/Cats.v2", "user/Cats.v2"), ("", None), ("!", None)],
)
def test_data_has_a_name_that_the_hub_takes(dataset, id):
    assert results.dataset_id(spec(training={"dataset": dataset})) == id


def test_odd_figures_break_nothing():
    odd = {"accuracy_interval": "wide", "log_loss": None, "images": "many", "rounding": 3, "extra": {}}
    assert "| scratch_cnn | ? validation | - | - | - | - |" in results.table([spec(metrics={"val": odd})])


# Provenance


def test_every_step_that_made_the_weights_is_told_first_things_first():
    distilled = {
        **RUN,
        "teacher": "teacher.h5",
        "teacher_sha256": "e461a42c3c5d8888",
        "epochs": 4,
        "command": "distill",
    }
    del distilled["base"]
    first = {**RUN, "base": distilled, "epochs": 1, "command": "fit one"}
    last = {**RUN, "base": {"went_on_from": "x.h5", "sha256": "1", "training": first}, "command": "fit two"}
    lines = described(spec(training=last)).splitlines()
    assert lines[0] == "### scratch_cnn"
    assert lines[2] == "A CNN, 2,899,665 parameters, 6.5 MB, weights rounded to 11 significant bits."
    steps = " ".join(lines[4:])
    assert re.findall(r"(?:^| )(\d)\. ", steps) == ["1", "2", "3"]
    assert "1. Distilled from teacher.h5 (sha256 `e461a42c3c5d`); 4 epochs; 21,987 training photos" in steps
    assert "2. 1 epoch; 21,987 training photos; Dogs vs. Cats (Kaggle); 48 minutes on 2 cores" in steps
    assert re.findall(r"`(distill|fit one|fit two)`", steps) == ["distill", "fit one", "fit two"]


def test_a_distilled_classifier_names_its_teacher():
    teacher = {"file": "teacher.h5", "sha256": "e461a42c3c5d8888", "training": RUN}
    earlier = {"file": "x.h5", "sha256": "1", "training": {**RUN, "command": "fit one"}}
    text = described(spec(training={**RUN, "teacher": teacher, "base": earlier, "command": "distill"}))
    assert re.findall(r"`(fit one|distill)`", text) == ["fit one", "distill"]
    assert "3. Distilled from teacher.h5 (sha256 `e461a42c3c5d`); 24 epochs" in text


@pytest.mark.parametrize(
    ("base", "said"),
    [
        ("random weights", "1. Random weights."),
        ("keras.applications, ImageNet", "1. Keras.applications, ImageNet."),
        ({"file": "base.weights.h5", "sha256": "abc"}, "1. Weights from base.weights.h5 (sha256 `abc`)"),
        ({"went_on_from": "old.h5", "sha256": "abc", "training": {}}, "1. Weights from old.h5 (sha256 `abc`)"),
        ({"file": "old.h5", "sha256": None}, "1. Weights from old.h5, of which"),
        (None, "1. Weights of which nothing is recorded."),
        (["?"], "1. Weights of which nothing is recorded."),
    ],
)
def test_what_a_run_began_with(base, said):
    assert said in described(spec(training={**RUN, "base": base}))


@pytest.mark.parametrize("training", [{}, {"seconds": "long", "photos": 3, "epochs": None, "command": None}])
def test_missing_provenance_is_said_to_be_missing(training):
    assert "of which nothing is recorded" in described(spec(training=training))


def test_how_a_model_learned_is_told_as_far_as_its_recipe_says():
    recipe = {
        "stages": [[64, 4], [96, 20], [96, 2]], "scale": [0.35, 1.0], "learning_rate": 0.002, "weight_decay": 0.05,
        "batch_size": 64, "jitter": 0.2, "cutmix": 0.5, "label_smoothing": 0.05, "ema": 0.998, "seed": 0,
    }  # fmt: skip
    text = " ".join(described(spec(training={**RUN, "recipe": recipe})).split())
    assert (
        "random crops of 35 % and more at 64 px, then 96 px, AdamW with warm-up to 0.002 and cosine to zero, weight "
        "decay 0.05, batches of 64, mirroring and colour jitter of 20 %, CutMix of 50 % of the photos, label smoothing "
        "0.05, moving average of the weights (0.998 per step), seed 0;"
    ) in text
    plain = " ".join(described(spec(training={**RUN, "recipe": recipe | {"cutmix": 0.0, "ema": 0}})).split())
    assert "CutMix" not in plain
    assert "moving average" not in plain


@pytest.mark.parametrize(
    ("history", "minutes"), [([{"seconds": 630.4}], 11), ([{"seconds": 300}, {"seconds": 390.0}], 12), ("?", 10)]
)
def test_a_run_took_as_long_as_its_epochs(history, minutes):
    text = described(spec(training={**RUN, "seconds": 630, "history": history}))
    assert f"{minutes} minutes on 2 cores" in " ".join(text.split())


@pytest.mark.parametrize(
    "recipe", [3, [], {"stages": 5, "scale": None}, {"stages": [3, []], "scale": ["a"], "ema": "x"}]
)
def test_an_odd_recipe_breaks_nothing(recipe):
    assert "24 epochs; 21,987 training photos" in described(spec(training={**RUN, "recipe": recipe}))


# The whole card


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
    assert list(said) == list(classes)


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


def test_the_table_of_the_readme_is_that_of_the_card():
    specs = [model.spec for model in locate(Settings()).models]
    table, _, _ = results.table(specs).partition("\n\n")
    assert table in (ROOT / "README.md").read_text()


def test_no_figure_of_the_shipped_card_was_typed_by_hand():
    written = re.sub(
        r"<!-- generated: .*?<!-- end of \w+ -->", "", (BUNDLED_WEIGHTS / "README.md").read_text(), flags=re.S
    )
    words = written.split("\n---\n", 1)[1]
    assert re.findall(r"\d+[.,]\d+ ?%|\d+ ?%|\b0\.\d{2,}", words) == []
