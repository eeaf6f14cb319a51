"""What a search may vary, a grid of it, and the command line that repeats one combination."""

import dataclasses
import shlex
from pathlib import Path

import pytest
import typer

import train.__main__
from catdog import InvalidSettings
from train.fit import supervised
from train.fit.job import Job

optuna = pytest.importorskip("optuna", reason="needs Optuna: pip install -r requirements-tune.txt")
from train.tune import search_space, study_file  # noqa: E402

where = optuna.distributions

JOB = Job(name="scratch_cnn", data=Path("photos"))
EVERYTHING = """
learning_rate = {low = 1e-4, high = 1e-2, log = true}
weight_decay = {low = 0, high = 1}
batch_size = {low = 16, high = 64, step = 16}
crop = [0.3, 1]
width = [0.5, 1.0]
stages = ["24x1", "24x1,32x2"]
settled = [true, false]
"""


@pytest.fixture
def read(tmp_path):
    def read(text: str | bytes) -> search_space.Space:
        file = tmp_path / "space.toml"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return search_space.read(file)

    return read


def test_a_file_names_lists_and_ranges_of_the_options_of_fit(read):
    assert read(EVERYTHING) == {
        "learning_rate": where.FloatDistribution(1e-4, 1e-2, log=True),
        "weight_decay": where.FloatDistribution(0, 1),
        "batch_size": where.IntDistribution(16, 64, step=16),
        "crop": where.CategoricalDistribution([0.3, 1.0]),
        "width": where.CategoricalDistribution([0.5, 1.0]),
        "stages": where.CategoricalDistribution(["24x1", "24x1,32x2"]),
        "settled": where.CategoricalDistribution([True, False]),
    }
    search_space.require_possible(JOB, read(EVERYTHING), supervised.recipe_of(JOB))


def test_all_that_a_recipe_has_can_be_searched():
    recipe = {field.name for field in dataclasses.fields(supervised.recipe_of(JOB))} - {"scale"} | {"crop"}
    assert recipe | {"image_size"} <= search_space.searchable().keys()


@pytest.mark.parametrize(
    "text",
    [
        "", "crop", b"\xff", "data = ['a']", "crops = [0.5]", "crop = 0.5", "crop = []", "crop = ['0.5']",
        "crop = [true]", "crop = [nan]", "crop = {low = 0.1}", "crop = {low = 0.5, high = 0.1}", "settled = [1]",
        "crop = {low = 0.1, high = 0.5, steps = 3}", "batch_size = [1.5]", "batch_size = {low = 1, high = 2.5}",
        "stages = {low = 1, high = 2}", "crop = {low = 0.1, high = 0.5, log = 1}", "crop = {low = 0.1, high = inf}",
        "crop = {low = 0.1, high = 0.5, step = 0.1, log = true}", "weight_decay = {low = 0, high = 1, log = true}",
    ],
)  # fmt: skip
def test_what_is_no_space_is_refused(read, text):
    with pytest.raises(InvalidSettings):
        read(text)


@pytest.mark.parametrize(
    "text",
    [
        "crop = [0.0]", "cutmix = {low = 0, high = 1.1}", "batch_size = [0]", "stages = ['24']", "image_size = [4]",
        "width = [0.01]", "depth = [9]", "dropout = [1]", "ema = [1]", "label_smoothing = [-0.1]", "jitter = [2]",
        "weight_decay = [-1]", "warmup_steps = [-1]", "head_learning_rate = [0]", "precision = ['float8']",
    ],
)  # fmt: skip
def test_values_that_no_recipe_may_have_are_refused_before_a_trial(read, text):
    with pytest.raises(InvalidSettings):
        search_space.require_possible(JOB, read(text), supervised.recipe_of(JOB))


@pytest.mark.parametrize(
    ("name", "base", "text"),
    [
        ("xception", "none", "depth = [1.0, 2.0]"), ("resnet50", "imagenet", "width = {low = 0.5, high = 1.0}"),
        ("resnet50", "none", "base = ['imagenet', 'none']\nwidth = [0.5, 1.0]"),
        ("scratch_cnn", None, "base = ['imagenet']"), ("efficientnet_lite0", "none", "base = ['imagenet']"),
    ],
)  # fmt: skip
def test_networks_that_there_are_not_are_refused_before_a_trial(read, name, base, text):
    job = dataclasses.replace(JOB, name=name, base=base, image_size=None)
    with pytest.raises(InvalidSettings):
        search_space.require_possible(job, read(text), supervised.recipe_of(job))


def test_a_grid_has_all_values(read):
    space = read("crop = [0.3, 0.5]\nbatch_size = {low = 1, high = 3}\ndropout = {low = 0, high = 0.3, step = 0.1}")
    found = search_space.grid(space)
    assert (found["crop"], found["batch_size"]) == ([0.3, 0.5], [1, 2, 3])
    assert found["dropout"] == pytest.approx([0, 0.1, 0.2, 0.3])
    for unending in ("crop = {low = 0.1, high = 0.5}", "seed = {low = 0, high = 20_000}"):
        with pytest.raises(InvalidSettings):
            search_space.grid(read(unending))


def test_the_usual_recipe_is_a_point_of_its_space_unless_the_space_leaves_it_out(read):
    recipe = supervised.recipe_of(JOB)
    values = search_space.usual_values(JOB, search_space.usual(recipe))
    assert dataclasses.replace(JOB, **values).recipe(recipe) == dataclasses.replace(recipe, dropout=0.3)
    assert search_space.usual_values(JOB, read("crop = [0.5]")) == {}


def test_the_command_of_a_job_makes_that_job_again():
    job = dataclasses.replace(
        JOB, more=[Path("a b"), Path("c")], stages="24x1", settled=False, width=0.5, learning_rate=1 / 3, image_size=64
    )
    words = shlex.split(study_file.command(study_file.options(job)))
    assert words[:4] == ["python", "-m", "train", "fit"]
    command = typer.main.get_command(train.__main__.app).commands["fit"]
    said = command.make_context("fit", words[4:]).params
    assert Job(**{field.name: said[field.name] for field in dataclasses.fields(Job) if field.name in said}) == job
