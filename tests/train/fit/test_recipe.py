"""A recipe from the command line to the layers, the loss and the optimizer that train by it."""

import dataclasses
from pathlib import Path

import keras
import numpy as np
import pytest

from tests.train.fit.students import colours
from train.__main__ import main
from train.fit import distill, supervised, trainer
from train.fit.job import Job
from train.fit.teacher import Teacher
from train.fit.trainer import Data
from train.networks import architectures
from train.networks.recipes import DISTILLATION, RECIPES, TEACHER_SIZE, Recipe

RECIPE = Recipe(
    stages=((24, 3),), batch_size=5, learning_rate=0.1, weight_decay=0.5, warmup_steps=1, label_smoothing=0.3,
    scale=(0.2, 0.3), jitter=0.15, seed=4, cutmix=0.4,
)  # fmt: skip


@pytest.fixture
def asked(monkeypatch):
    """Run a command up to its training; returns the job to do and what else it is told."""
    calls = []
    for module, name in ((supervised, "fit"), (distill, "distill")):
        monkeypatch.setattr(module, name, lambda job, **more: calls.append((job, more)))
    monkeypatch.setattr("train.__main__._print_trained", lambda spec, job: None)

    def run(words: str) -> tuple[Job, dict]:
        assert main([*words.split(), "--data", "photos"]) == 0
        return calls.pop()

    return run


# From the command line to the recipe


OTHER = {
    "batch_size": 7, "learning_rate": 0.5, "cutmix": 0.4, "degrade": 0.3, "steps": 5, "head_learning_rate": 0.25,
    "warmup_steps": 6, "weight_decay": 0.125, "label_smoothing": 0.2, "jitter": 0.35, "width": 0.75, "depth": 2.0,
    "dropout": 0.45, "ema": 0.55, "seed": 9, "precision": "float32",
}  # fmt: skip


@pytest.mark.parametrize(
    ("options", "changes"),
    {
        "": {},
        "--base imagenet --stages 24x1,32x2": {"stages": ((24, 1), (32, 2)), "frozen_stages": 0},
        "--base imagenet --stages 24x1 --frozen-stages 1": {"stages": ((24, 1),), "frozen_stages": 1},
        "--start a.h5 --frozen-stages 2": {"frozen_stages": 2},
        "--start a.h5 --frozen-stages 0": {"frozen_stages": 0},
        "--base none": {"frozen_stages": 0},
        "--crop 0.6 --no-settled": {"scale": (0.6, 1.0), "settled": False},
        " ".join(f"--{name.replace('_', '-')} {value}" for name, value in OTHER.items()): OTHER,
    }.items(),
)
def test_options_change_the_recipe_and_nothing_else_of_it(asked, options, changes):
    begins = "" if options.startswith(("--base", "--start")) else "--base imagenet"
    for command, usual in (("fit xception", RECIPES["xception"]), ("distill xception --teacher t.h5", DISTILLATION)):
        job, _ = asked(f"{command} {begins} {options}")
        assert job.recipe(usual) == dataclasses.replace(usual, **changes)
        assert asked(f"{command} {begins} {options} --settled")[0].recipe(usual).settled


@pytest.mark.parametrize(
    ("options", "changes"),
    {
        "--out there": {"out": Path("there")},
        "--restart --overwrite --run elsewhere --image-size 64 --limit 3 --dataset pets --more a --more b": {
            "restart": True, "overwrite": True, "run": Path("elsewhere"), "image_size": 64, "limit": 3,
            "dataset": "pets", "more": [Path("a"), Path("b")],
        },
        "--start a.h5": {"start": Path("a.h5")},
        "--base none": {"base": "none"},
    }.items(),
)  # fmt: skip
def test_what_else_is_asked_for_is_done(asked, options, changes):
    usual = {"name": "xception", "data": Path("photos"), "more": [], "out": Path("weights"), "image_size": 160}
    place = "xception-there" if "--out" in options else "xception"
    teaching = {"teacher": Path("t.h5"), "answers": Path("a.h5"), "teacher_size": 48, "imitation": 0.5}
    words = "--teacher t.h5 --answers a.h5 --teacher-size 48 --imitation 0.5"
    for name, more, expected in (("fit", "", {}), ("distill", words, teaching)):
        job, told = asked(f"{name} xception {more} {options}")
        assert told == expected and job.command.startswith(f"python -m train {name} xception")
        assert job == Job(**usual | {"run": Path("runs") / f"{name}-{place}", "command": job.command} | changes)


def test_a_run_begins_with_a_base_or_with_a_start(asked, capsys):
    assert main(["fit", "xception", "--data", "photos", "--base", "imagenet", "--start", "a.h5"]) == 2
    assert "--start" in capsys.readouterr().err


# From the recipe to what trains


def network(classes: int = 2) -> keras.Model:
    """A convolution with a batch norm, and a head."""
    pixels = keras.Input((None, None, 3))
    features = keras.layers.BatchNormalization()(keras.layers.Conv2D(4, 3)(pixels))
    pooled = keras.layers.GlobalAveragePooling2D()(features)
    return keras.Model(pixels, architectures.head(classes)(pooled), name="network")


def training_model(command: str, recipe: Recipe, classes: int = 2) -> keras.Model:
    """As fit, or as distill with a teacher whose features are colours, builds it at 24 pixels."""
    if command == "fit":
        return supervised._training_model(network(classes), 24, recipe, keras.optimizers.SGD())
    photos = np.random.default_rng(0).uniform(0, 255, (4, 8, 8, 3)).astype(np.float32)
    teacher = Teacher(colours(), None, photos)
    return distill._training_model(network(classes), teacher, None, 24, recipe, keras.optimizers.SGD())


@pytest.mark.parametrize(("command", "size"), [("fit", 24), ("distill", TEACHER_SIZE)])
@pytest.mark.parametrize(("classes", "target"), [(2, [1.0]), (3, [0.0, 0.0, 1.0])])
def test_photos_are_cropped_and_jittered_and_the_loss_smoothed_as_the_recipe_says(command, size, classes, target):
    model = training_model(command, RECIPE, classes)
    crop, jitter = model.get_layer("crop"), model.get_layer("jitter")
    assert (crop.size, crop.scale, jitter.amount) == (size, RECIPE.scale, RECIPE.jitter)
    assert jitter.input is crop.output and model.get_layer("cutmix").input[0] is jitter.output
    said = np.float32([[0.8]] if classes == 2 else [[0.1, 0.1, 0.8]])
    wrong, other = 0.3 * (classes - 1) / classes, 0.2 if classes == 2 else 0.1
    loss = -(1 - wrong) * np.log(0.8) - wrong * np.log(other)
    assert float(model.loss(np.float32([target]), said)) == pytest.approx(loss, rel=1e-4)


def test_weights_decay_as_the_recipe_says_but_biases_gammas_and_betas_do_not():
    model = network()
    model.set_weights([np.ones_like(weights) for weights in model.get_weights()])
    optimizer = trainer._optimizer(RECIPE, 100, frozen=False)
    optimizer.build(model.trainable_variables)
    optimizer.iterations.assign(1)  # where the rate has its peak
    optimizer.apply([np.zeros(variable.shape, np.float32) for variable in model.trainable_variables])
    left = {variable.name: float(variable.numpy().max()) for variable in model.trainable_variables}
    kept = 1 - RECIPE.learning_rate * RECIPE.weight_decay
    assert left == pytest.approx({"kernel": kept, "bias": 1, "gamma": 1, "beta": 1})


@pytest.mark.parametrize(
    ("ema", "steps", "momentum"),
    [(0.99, 2000, 0.99), (0.99, 100, 0.9), (0.5, 100, 0.5), (0.99, 5, 0), (0.0, 100, None)],
)
def test_the_average_spans_at_most_a_tenth_of_the_run(ema, steps, momentum):
    optimizer = trainer._optimizer(dataclasses.replace(RECIPE, stages=((24, 1),), ema=ema), steps, frozen=False)
    assert optimizer.use_ema == (momentum is not None)
    assert not optimizer.use_ema or optimizer.ema_momentum == pytest.approx(momentum)


def test_training_photos_come_in_the_batches_of_the_recipe_and_validation_photos_as_they_are():
    images, labels = np.zeros((50, 8, 8, 3), np.uint8), np.arange(50) % 2
    training, validation = trainer._batches(Data(images, labels, images, labels, 2), RECIPE, 1)
    assert (len(training), len(validation)) == (10, 10)
    assert (training.shuffle_seed, training.epoch) == (4, 1)
    assert 0.2 < (training.shares < 1).mean() < 0.6
    assert (validation.shares == 1).all() and (validation.order == np.arange(50)).all()
