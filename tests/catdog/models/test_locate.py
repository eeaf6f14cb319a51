"""The bundled folder: what is verified, and what is said of a folder that is not as it should be."""

import json
import os
import shutil

import pytest

from catdog import ModelUnavailable, Settings
from catdog.models.locate import locate
from tests.damage import flip_a_bit, remove, truncate


@pytest.fixture
def folder(tiny_weights, tmp_path):
    """A copy of the tiny weights that a test may damage, and beside it a file that no spec may name."""
    shutil.copy(tiny_weights / "xception.h5", tmp_path / "evil.h5")
    return shutil.copytree(tiny_weights, tmp_path / "weights")


def test_finds_both_models_in_the_order_of_display(folder):
    located = locate(Settings(weights=folder))
    assert [model.spec.name for model in located.models] == ["scratch_cnn", "xception"]
    assert [model.path for model in located.models] == [folder / "scratch_cnn.h5", folder / "xception.h5"]
    assert (located.source, located.problems) == ("folder weights", ())


def test_an_h5_without_a_spec_and_json_that_is_none_are_left_alone(folder):
    (folder / "other.h5").write_bytes(b"whatever")
    (folder / "report.json").write_text('{"accuracy": NaN}')
    located = locate(Settings(weights=folder))
    assert (len(located.models), located.problems) == (2, ())


def make_a_folder(path):
    path.unlink()
    path.mkdir()


def edit(**changes):
    return lambda path: path.write_text(json.dumps(json.loads(path.read_text()) | changes))


DAMAGES = [
    ("xception.h5", remove, "xception.h5 is missing"),
    ("xception.h5", truncate, "xception.h5 is damaged"),
    ("xception.h5", flip_a_bit, "xception.h5 is damaged"),
    ("xception.h5", make_a_folder, "xception.h5 is missing"),
    ("xception.json", truncate, "cannot be read"),
    ("xception.json", edit(file="../evil.h5"), "'../evil.h5'"),
    ("xception.json", edit(sha256="0" * 64), "xception.h5 is damaged"),
]


@pytest.mark.parametrize(("name", "damage", "said"), DAMAGES)
def test_a_damaged_model_is_named_and_the_other_one_is_used(folder, name, damage, said):
    damage(folder / name)
    located = locate(Settings(weights=folder))
    assert [model.spec.name for model in located.models] == ["scratch_cnn"]
    [problem] = located.problems
    assert said in problem and "CATDOG_WEIGHTS" in problem
    assert problem.startswith("weights, xception.json: ")
    assert str(folder.parent) not in problem  # pages show it


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: None, "does not exist"),
        (lambda path: path.mkdir(), "holds no model spec"),
        (lambda path: path.write_text("a file"), "does not exist"),
        (lambda path: path.symlink_to(path), "does not exist or cannot be read"),
    ],
    ids=["missing", "empty", "a file", "a loop"],
)
def test_a_folder_without_models_is_named(tmp_path, make, said):
    path = tmp_path / "nothing"
    make(path)
    with pytest.raises(ModelUnavailable, match=said) as caught:
        locate(Settings(weights=path))
    assert str(path) in str(caught.value) and "CATDOG_WEIGHTS" in str(caught.value)


def test_all_models_damaged_says_why_for_each(folder):
    truncate(folder / "scratch_cnn.h5")
    remove(folder / "xception.h5")
    with pytest.raises(ModelUnavailable, match=r"scratch_cnn.h5 is damaged.*xception.h5 is missing"):
        locate(Settings(weights=folder))


def test_several_folders_are_shown_together(folder, tmp_path):
    other = shutil.copytree(folder, tmp_path / "mine")
    for suffix in (".h5", ".json"):
        (other / f"scratch_cnn{suffix}").unlink()
        (other / f"xception{suffix}").rename(other / f"foreign{suffix}")
    spec = json.loads((other / "foreign.json").read_text()) | {"name": "foreign", "file": "foreign.h5"}
    (other / "foreign.json").write_text(json.dumps(spec))
    located = locate(Settings(weights=f"{other}{os.pathsep}{folder}{os.pathsep}{tmp_path / 'none'}"))
    assert [model.spec.name for model in located.models] == ["scratch_cnn", "xception", "foreign"]
    assert [model.source for model in located.models] == ["folder weights", "folder weights", "folder mine"]
    assert located.source == "folder weights: scratch_cnn, xception; folder mine: foreign"
    assert len(located.problems) == 1 and "none" in located.problems[0]


def test_of_two_models_of_one_name_the_first_is_used_and_the_other_named(folder, tmp_path):
    other = shutil.copytree(folder, tmp_path / "mine")
    remove(other / "xception.json")
    located = locate(Settings(weights=f"{other}{os.pathsep}{folder}"))
    assert [model.path.parent.name for model in located.models] == ["mine", "weights"]
    assert len(located.problems) == 1 and located.problems[0].startswith("weights, scratch_cnn.h5: ")


def test_the_shipped_models_are_told_from_copies_in_a_folder():
    assert {model.source for model in locate(Settings()).models} == {"bundled"}


@pytest.mark.parametrize("weights", [os.pathsep, "x" * 5000, f"{'x' * 5000}{os.pathsep}nowhere"])
def test_folders_that_cannot_be_are_named(weights):
    with pytest.raises(ModelUnavailable, match=r"The weights folder .* does not exist"):
        locate(Settings(weights=weights))
