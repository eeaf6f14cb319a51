"""Frozen stages: the base is kept while the head learns, and then learns along, killed in between or not."""

import dataclasses
import json

import keras
import numpy as np
import pytest
from keras import layers

from catdog import InvalidSettings
from train.fit import trainer
from train.fit.checkpoints import Checkpoints
from train.fit.trainer import Data, Diverged
from train.networks.recipes import Recipe

FROZEN_FIRST = Recipe(stages=((8, 1), (12, 1)), batch_size=8, warmup_steps=1, ema=0.5, frozen_stages=1)


@pytest.fixture
def photos() -> Data:
    """Sixteen photos, dark ones and light ones."""
    labels = np.arange(16) % 2
    images = np.random.default_rng(0).integers(0, 128, (16, 16, 16, 3)) + 100 * labels[:, None, None, None]
    return Data(images.astype(np.uint8), labels, images.astype(np.uint8), labels, 2)


def make_model(size: int, optimizer: keras.Optimizer) -> keras.Model:
    """A base of a convolution and a batch norm that is always the same at the start, and a head."""
    pixels = keras.Input((None, None, 3))
    convolution = layers.Conv2D(4, 3, kernel_initializer=keras.initializers.GlorotUniform(seed=1))
    features = layers.GlobalAveragePooling2D()(layers.BatchNormalization()(convolution(pixels)))
    network = keras.Model(pixels, layers.Dense(1, activation="sigmoid")(features), name="network")
    photos = keras.Input((None, None, 3), dtype="uint8", name="photos")
    shares = keras.Input((1,), name="shares")
    model = keras.Model({"photos": photos, "shares": shares}, network(layers.Rescaling(1 / 255)(photos)))
    model.compile(optimizer, loss="binary_crossentropy", metrics=["accuracy"], run_eagerly=True)
    return model


def changed(model: keras.Model) -> list[bool]:
    """Which weights training changed: kernel, bias, gamma, beta, mean, variance; kernel, bias of the head."""
    start = make_model(8, keras.optimizers.AdamW()).get_weights()
    return [not np.array_equal(w, before) for w, before in zip(model.get_weights(), start, strict=True)]


def assert_same(model: keras.Model, other: keras.Model, atol: float = 0.0, last: int = 8) -> None:
    for one, two in zip(model.get_weights()[-last:], other.get_weights()[-last:], strict=True):
        np.testing.assert_allclose(one, two, rtol=0, atol=atol)


def test_a_frozen_base_keeps_its_weights_and_statistics_and_is_let_go_with_the_head_that_was_trained(photos, tmp_path):
    head = dataclasses.replace(FROZEN_FIRST, stages=((8, 1),))
    alone, history = trainer.train(make_model, head, photos, tmp_path / "alone", inputs={})
    assert changed(alone) == [False] * 6 + [True] * 2
    assert len(history) == 1
    again, _ = trainer.train(make_model, head, photos, tmp_path / "alone", inputs={})
    assert_same(alone, again)
    still = dataclasses.replace(FROZEN_FIRST, learning_rate=1e-30)
    both, _ = trainer.train(make_model, still, photos, tmp_path / "both", inputs={})
    assert_same(both, alone, 1e-6, last=2)


def test_a_base_that_is_let_go_learns_and_a_run_killed_before_ends_alike(photos, tmp_path, monkeypatch):
    unbroken, _ = trainer.train(make_model, FROZEN_FIRST, photos, tmp_path / "unbroken", inputs={})
    assert all(changed(unbroken))
    real = Checkpoints.save

    def killed_after_the_epoch(self, model, row):
        real(self, model, row)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, "save", killed_after_the_epoch)
        with pytest.raises(KeyboardInterrupt):
            trainer.train(make_model, FROZEN_FIRST, photos, tmp_path / "killed", inputs={})
    resumed, history = trainer.train(make_model, FROZEN_FIRST, photos, tmp_path / "killed", inputs={})
    assert [(row["epoch"], row["size"]) for row in history] == [(1, 8), (2, 12)]
    assert_same(unbroken, resumed, 2e-3)


def test_what_is_trained_and_validated_is_the_average_of_the_weights(photos, tmp_path):
    recipe = Recipe(stages=((8, 3),), batch_size=2, warmup_steps=1, learning_rate=0.5, ema=0.5)
    model, history = trainer.train(make_model, recipe, photos, tmp_path, inputs={})
    last = make_model(8, trainer._optimizer(recipe, 8, frozen=False))
    Checkpoints(tmp_path, dataclasses.asdict(recipe), {}).restore(last)
    averages = last.optimizer._model_variables_moving_average
    for weight, average, other in zip(model.trainable_weights, averages, last.trainable_weights, strict=True):
        np.testing.assert_array_equal(weight, average)
        assert np.abs(average.numpy() - other.numpy()).max() > 1e-4
    _, validation = trainer._batches(photos, recipe, 0)
    losses = [one.evaluate(validation, verbose=0)[0] for one in (model, last)]
    assert history[-1]["val_loss"] == pytest.approx(losses[0], rel=1e-5)
    assert losses[0] != pytest.approx(losses[1], rel=1e-4)


def test_training_stops_when_the_loss_is_no_number(photos, tmp_path):
    recipe = Recipe(stages=((8, 1),), batch_size=4, warmup_steps=1, learning_rate=1e30)
    with pytest.raises(Diverged):
        trainer.train(make_model, recipe, photos, tmp_path, inputs={})
    assert list(tmp_path.iterdir()) == []


def test_the_head_has_a_schedule_of_its_own():
    recipe = Recipe(
        stages=((8, 2), (8, 3)), frozen_stages=1, learning_rate=1e-4, head_learning_rate=1e-2, warmup_steps=2
    )

    def rate(frozen: bool, step: int) -> float:
        return float(trainer._optimizer(recipe, 4, frozen)._learning_rate(step))

    assert [rate(True, 2), rate(False, 2)] == pytest.approx([1e-2, 1e-4])
    assert [rate(True, 8), rate(False, 12)] == pytest.approx([0, 0], abs=1e-9)
    assert rate(False, 8) > 1e-6


@pytest.mark.parametrize(("restart", "finished"), [(True, 0), (False, 3)])
def test_a_state_that_a_kill_left_half_removed_stops_no_run_and_goes(restart, finished, tmp_path, monkeypatch):
    class Model:
        def save_weights(self, path):
            path.write_text("weights")

    recipe = dataclasses.asdict(Recipe(stages=((8, 2),)))
    for epoch in (1, 2):
        Checkpoints(tmp_path, recipe, {}).save(Model(), {"epoch": epoch})

    def killed(folder, ignore_errors=False):
        if (folder / "state.json").is_file():
            (folder / "state.json").unlink()
            raise KeyboardInterrupt

    again = Checkpoints(tmp_path, recipe, {}, restart=restart)
    with monkeypatch.context() as patch:
        patch.setattr("shutil.rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            again.save(Model(), {"epoch": 3})
    for epoch in range(finished + 1, finished + 4):
        assert [row["epoch"] for row in Checkpoints(tmp_path, recipe, {}).history()] == [*range(1, epoch)]
        Checkpoints(tmp_path, recipe, {}).save(Model(), {"epoch": epoch})
    assert [path.name for path in tmp_path.iterdir()] == [f"epoch-{epoch:04d}"]


@pytest.mark.parametrize("inputs", [{}, {"inputs": {}}, {"inputs": {"photos": 3}}])
def test_a_run_of_an_earlier_version_goes_on_unless_it_would_change(tmp_path, inputs):
    recipe = dataclasses.asdict(Recipe(stages=((8, 1),)))
    del recipe["frozen_stages"], recipe["head_learning_rate"]
    (tmp_path / "epoch-0001").mkdir()
    state = {"recipe": json.loads(json.dumps(recipe)), "history": [{"epoch": 1}]} | inputs
    (tmp_path / "epoch-0001" / "state.json").write_text(json.dumps(state))
    now = {"photos": 3, "base": None}
    assert Checkpoints(tmp_path, dataclasses.asdict(Recipe(stages=((8, 1),))), now).history() == [{"epoch": 1}]
    with pytest.raises(InvalidSettings, match="frozen_stages was 0, is 1"):
        Checkpoints(tmp_path, dataclasses.asdict(Recipe(stages=((8, 1),), frozen_stages=1)), now)
