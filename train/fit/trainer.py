"""One training run in stages of growing crops, which can be killed and continued; `fit` and `distill` use it."""

import dataclasses
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from catdog.errors import CatDogError
from train.data.batches import Batches
from train.fit.checkpoints import Checkpoints
from train.fit.lineage import LABEL_LOSS
from train.networks.recipes import Recipe


class Diverged(CatDogError, ArithmeticError):
    """A training run whose loss is NaN or infinite."""

    code = "diverged"

    def __init__(self) -> None:
        super().__init__("The loss is no longer a number. Train again with --restart and a lower --learning-rate.")


@dataclass(frozen=True)
class Data:
    """The photos that a run learns from and is validated on.

    images, validation_images  uint8 (N, S, S, 3); crops are cut from training photos, validation photos are used whole
    labels, validation_labels  int64 (N,), as in `dataset.Split`
    classes  number of classes
    neither  whether some training photos show none of the classes: the network has one more output
    chances  float32 (N,), how often each training photo is drawn where the recipe has `steps`, or None
    identity  what checkpoints record of photos and labels, to know whether two runs learn from the same
    """

    images: np.ndarray
    labels: np.ndarray
    validation_images: np.ndarray
    validation_labels: np.ndarray
    classes: int
    neither: bool = False
    chances: np.ndarray | None = None
    identity: dict[str, int | str] = dataclasses.field(default_factory=dict)


def train(
    make_model: Callable[[int, keras.Optimizer], keras.Model],
    recipe: Recipe,
    data: Data,
    run: Path,
    *,
    inputs: dict,
    restart: bool = False,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> tuple[keras.Model, list[dict]]:
    """Train through all stages; return the trained model and one row of figures per epoch.

    make_model  (size, optimizer) -> a compiled training model for crops of that size, always with the same weights
    run, inputs, restart  as in `Checkpoints`
    callbacks   are called before the state of an epoch is written

    Each stage begins by reading the last checkpoint, so a run that was killed continues as if it were at the start of
    a stage. Raises InvalidSettings for a run with another recipe or other inputs, and Diverged.
    """
    checkpoints = Checkpoints(run, dataclasses.asdict(recipe), inputs, restart=restart)
    steps_per_epoch = recipe.steps or max(1, len(data.labels) // recipe.batch_size)

    def build(size: int, frozen: bool) -> keras.Model:
        model = make_model(size, _optimizer(recipe, steps_per_epoch, frozen))
        if frozen:
            _freeze(model)
        return model

    end = 0
    for size, epochs in recipe.stages:
        end += epochs
        done = len(checkpoints.history())
        if done >= end:
            continue
        keras.utils.set_random_seed(recipe.seed + done)
        model = build(size, frozen=done < recipe.frozen_epochs)
        if done and done == recipe.frozen_epochs:
            # From here on everything learns, and the optimizer begins anew.
            frozen = build(size, frozen=True)
            checkpoints.restore(frozen)
            _use_average(frozen)
            model.set_weights(frozen.get_weights())
        else:
            checkpoints.restore(model)
        print(f"{size} px: epochs {done + 1} to {end} of {recipe.epochs}", flush=True)
        _fit(model, data, recipe, done, end, [*callbacks, _SaveEachEpoch(checkpoints, size)])
    # Read once more, for a run that was finished before.
    model = build(recipe.stages[-1][0], frozen=recipe.frozen_epochs == recipe.epochs)
    checkpoints.restore(model)
    _use_average(model)
    return model, checkpoints.history()


def _fit(
    model: keras.Model, data: Data, recipe: Recipe, done: int, end: int, callbacks: list[keras.callbacks.Callback]
) -> None:
    """Train the epochs after `done` up to `end`; raises Diverged."""
    training, validation = _batches(data, recipe, done)
    callbacks = [keras.callbacks.SwapEMAWeights(), *callbacks] if recipe.ema else callbacks
    try:
        model.fit(training, validation_data=validation, initial_epoch=done, epochs=end, callbacks=callbacks)
    except Diverged:
        raise
    except Exception as error:
        # PyTorch computes no loss from predictions that are NaN.
        if all(np.isfinite(weights).all() for weights in model.get_weights()):
            raise
        raise Diverged from error


def _batches(data: Data, recipe: Recipe, epoch: int) -> tuple[Batches, Batches]:
    """Shuffled training batches that begin with `epoch`, and validation batches in order."""
    training = {"shuffle_seed": recipe.seed, "epoch": epoch, "chances": data.chances}
    training |= {name: getattr(recipe, name) for name in ("cutmix", "steps", "degrade")}
    same = {"classes": data.classes, "batch_size": recipe.batch_size, "neither": data.neither}
    return (
        Batches(data.images, data.labels, **same, **training),
        Batches(data.validation_images, data.validation_labels, **same, clean=bool(recipe.degrade)),
    )


def _freeze(model: keras.Model) -> None:
    """Let only the last layer of the network inside a training model learn."""
    for network in model.layers:
        if isinstance(network, keras.Model):
            for layer in network.layers[:-1]:
                layer.trainable = False


def _use_average(model: keras.Model) -> None:
    """Replace the weights by their moving average, where there is one."""
    if model.optimizer.use_ema:
        model.optimizer.finalize_variable_values(model.trainable_variables)


class _SaveEachEpoch(keras.callbacks.Callback):
    def __init__(self, checkpoints: Checkpoints, size: int):
        super().__init__()
        self.checkpoints, self.size = checkpoints, size

    def on_epoch_begin(self, epoch, logs=None):
        self.started = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        if f"val_{LABEL_LOSS}" in logs:
            # The same, or 0 where only the teacher's answers count: misleading in the progress that Keras prints.
            del logs["val_loss"]
        figures = {name: float(value) for name, value in logs.items()}
        if not math.isfinite(figures["loss"]):
            raise Diverged
        seconds = round(time.monotonic() - self.started, 1)
        self.checkpoints.save(self.model, {"epoch": epoch + 1, "size": self.size, "seconds": seconds} | figures)


def _optimizer(recipe: Recipe, steps_per_epoch: int, frozen: bool) -> keras.Optimizer:
    epochs = recipe.frozen_epochs if frozen else recipe.epochs - recipe.frozen_epochs
    rate = recipe.head_learning_rate if frozen else recipe.learning_rate
    steps = steps_per_epoch * epochs
    warmup = min(recipe.warmup_steps, steps // 4)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - warmup), alpha=0.0, warmup_target=rate, warmup_steps=max(1, warmup)
    )
    # In a short run the average must not reach back to the random weights of the start.
    momentum = min(recipe.ema, max(0.0, 1 - 10 / steps))
    ema = {"use_ema": True, "ema_momentum": momentum} if recipe.ema else {}
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=recipe.weight_decay, **ema)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer
