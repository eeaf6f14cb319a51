"""One resumable training run in stages of growing photo size; `fit` and `distill` both use it."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from catdog.errors import CatDogError, InvalidSettings
from train.data.dataset import Batches
from train.fit.lineage import LABEL_LOSS
from train.networks.hardware import has_fast_bfloat16

PRECISIONS = ("auto", "float32", "mixed_bfloat16")
LARGEST_SIZE = 2048


class Diverged(CatDogError, ArithmeticError):
    """Training whose loss is no longer a number."""

    code = "diverged"

    def __init__(self) -> None:
        super().__init__("The loss is no longer a number. Train again with --restart and a lower --learning-rate.")


@dataclass(frozen=True)
class Recipe:
    """How a network is trained. AdamW (Loshchilov & Hutter 2019), linear warm-up, cosine to zero.

    stages           ((photo size in pixels, epochs), ...), in order
    scale            share of the photo's area that a random crop keeps, (least, most)
    cutmix           how many of the photos, 0..1, get a box of another one pasted in (Yun et al. 2019)
    jitter           largest relative change of brightness, contrast and saturation
    label_smoothing  0..1 (Szegedy et al. 2016)
    ema              momentum per step of the moving average of the weights, lower in runs so short
                     that it would span more than a tenth of them; 0 for no average
    frozen_stages    how many of the first stages train the last layer alone: the base is frozen, and
                     its batch norm keeps its statistics
    head_learning_rate  peak rate of those stages; afterwards the schedule begins anew
    degrade          how many of the photos, 0..1, suffer as `degrade.degraded` says
    settled          whether batch norm keeps its statistics, and depthwise convolutions their kernels, as
                     `fused.settled` says
    steps            batches in an epoch, of photos drawn by `Data.chances`; 0 for all photos once
    """

    stages: tuple[tuple[int, int], ...]
    batch_size: int = 64
    learning_rate: float = 1e-3
    weight_decay: float = 0.02
    warmup_steps: int = 300
    label_smoothing: float = 0.05
    scale: tuple[float, float] = (0.35, 1.0)
    jitter: float = 0.2
    ema: float = 0.0
    seed: int = 0
    precision: str = "auto"
    frozen_stages: int = 0
    head_learning_rate: float = 1e-3
    cutmix: float = 0.0
    degrade: float = 0.0
    steps: int = 0
    settled: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.scale[0] <= self.scale[1] <= 1:
            raise InvalidSettings(
                f"The share that a crop keeps must be above 0 and at most 1. Received: {self.scale[0]}."
            )
        if not 0 <= self.cutmix <= 1:
            raise InvalidSettings(f"The share of mixed photos must be 0 to 1. Received: {self.cutmix}.")
        if not 0 <= self.degrade <= 1 or self.steps < 0:
            raise InvalidSettings(
                "The share of degraded photos must be 0 to 1, and steps at least 0. "
                f"Received: {self.degrade} and {self.steps}."
            )
        if self.batch_size < 1 or not 0 < self.learning_rate < math.inf:
            raise InvalidSettings(
                f"Batch size and learning rate must be positive. Received: {self.batch_size} and {self.learning_rate}."
            )
        if self.precision not in PRECISIONS:
            raise InvalidSettings(f"Precision must be one of {', '.join(PRECISIONS)}. Received: {self.precision!r}.")
        if not 0 <= self.seed < 2**31:
            raise InvalidSettings(f"The seed must be 0 to {2**31 - 1}. Received: {self.seed}.")
        if not 0 <= self.frozen_stages <= len(self.stages):
            raise InvalidSettings(
                f"Of {len(self.stages)} stages, 0 to {len(self.stages)} can be frozen. Received: {self.frozen_stages}."
            )

    @property
    def epochs(self) -> int:
        return sum(epochs for _, epochs in self.stages)

    @property
    def frozen_epochs(self) -> int:
        return sum(epochs for _, epochs in self.stages[: self.frozen_stages])


def parse_stages(text: str) -> tuple[tuple[int, int], ...]:
    """Read "96x20,128x4" as 20 epochs at 96 pixels, then 4 at 128."""
    try:
        stages = tuple(tuple(int(number) for number in stage.split("x")) for stage in text.split(","))
        if all(len(stage) == 2 and 8 <= stage[0] <= LARGEST_SIZE and stage[1] >= 1 for stage in stages):
            return stages
    except ValueError:
        pass
    raise InvalidSettings(
        f"Stages are written SIZExEPOCHS, as in 96x20,128x4, with sizes from 8 to {LARGEST_SIZE}. Received: {text!r}."
    )


@dataclass(frozen=True)
class Data:
    """What a run learns from and is watched on.

    images, validation_images  uint8 (N, S, S, 3); training photos are cut from theirs,
                               validation photos are used as they are
    labels, validation_labels  int64 (N,), as in `dataset.Split`
    neither  whether photos of none of the classes are learned from: a class more for the network
    chances  float32 (N,), how often each training photo is drawn where the recipe says `steps`, or None
    """

    images: np.ndarray
    labels: np.ndarray
    validation_images: np.ndarray
    validation_labels: np.ndarray
    classes: int
    neither: bool = False
    chances: np.ndarray | None = None

    def counts(self) -> dict[str, int]:
        counts = {"photos": len(self.labels), "validation_photos": len(self.validation_labels), "classes": self.classes}
        return counts | ({"neither": int((self.labels == self.classes).sum())} if self.neither else {})


def _batches(data: Data, recipe: Recipe, epoch: int) -> tuple[Batches, Batches]:
    """Shuffled training batches that begin with `epoch`, and validation batches in order."""
    training = {"shuffle_seed": recipe.seed, "epoch": epoch, "chances": data.chances}
    training |= {name: getattr(recipe, name) for name in ("cutmix", "steps", "degrade")}
    same = {"classes": data.classes, "batch_size": recipe.batch_size, "neither": data.neither}
    return (
        Batches(data.images, data.labels, **same, **training),
        Batches(data.validation_images, data.validation_labels, **same, clean=bool(recipe.degrade)),
    )


def train(
    make_model: Callable[[int, keras.Optimizer], keras.Model],
    recipe: Recipe,
    data: Data,
    run: Path,
    *,
    inputs: dict,
    restart: bool = False,
) -> tuple[keras.Model, list[dict]]:
    """Train through all stages; return the trained model and one row of figures per epoch.

    `make_model(size, optimizer)` builds and compiles the training model of a stage, anew each time
    and with the same set of weights in every stage. After each epoch the state (weights, optimizer,
    figures) is written whole to `run`. Every stage begins by reading it, so that a run which was
    killed and called again with the same recipe goes on exactly as at the start of a stage. `inputs`
    is what else the result depends on, as JSON: a run with other inputs is not gone on with. With
    `restart` none is: its state is forgotten as soon as there is a new one.

    Raises InvalidSettings for such a run, and Diverged when the loss is not a number.
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
        done = checkpoints.epochs_done()
        if done >= end:
            continue
        keras.utils.set_random_seed(recipe.seed + done)
        model = build(size, frozen=done < recipe.frozen_epochs)
        if done and done == recipe.frozen_epochs:
            _unfreeze(build(size, frozen=True), model, checkpoints)
        else:
            checkpoints.restore(model)
        training, validation = _batches(data, recipe, done)
        print(f"{size} px: epochs {done + 1} to {end} of {recipe.epochs}", flush=True)
        callbacks = [*_ema_callbacks(recipe), _SaveEachEpoch(checkpoints, size)]
        try:
            model.fit(training, validation_data=validation, initial_epoch=done, epochs=end, callbacks=callbacks)
        except Diverged:
            raise
        except Exception as error:
            # PyTorch computes no loss from predictions that are NaN.
            if all(np.isfinite(weights).all() for weights in model.get_weights()):
                raise
            raise Diverged from error
    # The last state once more, for a run that was finished before.
    model = build(recipe.stages[-1][0], frozen=recipe.frozen_epochs == recipe.epochs)
    checkpoints.restore(model)
    _finalize(model)
    return model, checkpoints.history()


def _freeze(model: keras.Model) -> None:
    """Let only the last layer of the network inside a training model learn."""
    for network in model.layers:
        if isinstance(network, keras.Model):
            for layer in network.layers[:-1]:
                layer.trainable = False


def _unfreeze(frozen: keras.Model, model: keras.Model, checkpoints: Checkpoints) -> None:
    """Give `model` the weights of a finished frozen stage; its optimizer begins anew, with more to learn."""
    checkpoints.restore(frozen)
    _finalize(frozen)
    model.set_weights(frozen.get_weights())


def _finalize(model: keras.Model) -> None:
    """Put the moving average of the weights in their place, where there is one."""
    if model.optimizer.use_ema:
        model.optimizer.finalize_variable_values(model.trainable_variables)


# What runs of earlier versions did, whose recipes lack a setting.
DEFAULTS = {f.name: f.default for f in dataclasses.fields(Recipe) if f.default is not dataclasses.MISSING}


class Checkpoints:
    """The state of a run after each epoch, in folders `epoch-NNNN` of which the newest is kept.

    With `restart`, those of an earlier run count for nothing, and go when the first of this one is there.
    """

    def __init__(self, run: Path, recipe: dict, inputs: dict, *, restart: bool = False):
        self.run = run
        self.outdated: set[Path] = set()
        if restart:
            self.outdated.update(self._folders())
        self.recipe, self.inputs, defaults = json.loads(json.dumps([recipe, inputs, DEFAULTS]))
        run.mkdir(parents=True, exist_ok=True)
        state = self._state()
        # Runs of earlier versions did not record all of their inputs.
        other = _differences(defaults | state["recipe"], self.recipe) if state else []
        other += _differences(self.inputs | state.get("inputs", {}), self.inputs) if state else []
        if other:
            raise InvalidSettings(
                f"{run} holds an unfinished or finished run with other settings: {'; '.join(other)}. "
                "Repeat its settings to go on with it, choose another --run, or pass --restart to begin anew."
            )

    def epochs_done(self) -> int:
        return len(self.history())

    def history(self) -> list[dict]:
        state = self._state()
        return state["history"] if state else []

    def save(self, model: keras.Model, row: dict) -> None:
        """Write the state after one more epoch: a new folder first, then the old one goes."""
        history = [*self.history(), row]
        folder = self.run / f"epoch-{len(history):04d}"
        partial = folder.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        model.save_weights(partial / "state.weights.h5")
        state = {"recipe": self.recipe, "inputs": self.inputs, "history": history}
        (partial / "state.json").write_text(json.dumps(state, indent=1))
        while self.outdated:
            shutil.rmtree(self.outdated.pop())
        os.replace(partial, folder)
        for old in self._folders()[:-1]:
            shutil.rmtree(old)

    def restore(self, model: keras.Model) -> None:
        """Load the newest state, if any, into a compiled model."""
        folders = self._folders()
        if folders:
            model.optimizer.build(model.trainable_variables)
            model.load_weights(folders[-1] / "state.weights.h5")

    def _folders(self) -> list[Path]:
        return sorted(p for p in self.run.glob("epoch-[0-9]*") if p.suffix != ".partial" and p not in self.outdated)

    def _state(self) -> dict | None:
        folders = self._folders()
        return json.loads((folders[-1] / "state.json").read_text()) if folders else None


def _differences(before: dict, now: dict) -> list[str]:
    """What differs, as in `seed was 0, is 5`."""
    names = dict.fromkeys([*before, *now])
    return [f"{n} was {before.get(n)}, is {now.get(n)}" for n in names if before.get(n) != now.get(n)]


class _SaveEachEpoch(keras.callbacks.Callback):
    def __init__(self, checkpoints: Checkpoints, size: int):
        super().__init__()
        self.checkpoints, self.size = checkpoints, size

    def on_epoch_begin(self, epoch, logs=None):
        self.started = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        if f"val_{LABEL_LOSS}" in logs:
            # The same, or 0 where only the teacher's answers count: misleading in the log, which comes after this.
            del logs["val_loss"]
        figures = {name: float(value) for name, value in logs.items()}
        if not math.isfinite(figures["loss"]):
            raise Diverged
        seconds = round(time.monotonic() - self.started, 1)
        self.checkpoints.save(self.model, {"epoch": epoch + 1, "size": self.size, "seconds": seconds} | figures)


def _ema_callbacks(recipe: Recipe) -> list[keras.callbacks.Callback]:
    return [keras.callbacks.SwapEMAWeights()] if recipe.ema else []


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


@contextlib.contextmanager
def precision(name: str) -> Iterator[str]:
    """Build layers with this dtype policy of PRECISIONS, whose name is given to the block, inside the block.

    `auto` is mixed_bfloat16 where the hardware multiplies bfloat16 faster than float32.
    """
    before = keras.config.dtype_policy()
    policy = ("mixed_bfloat16" if has_fast_bfloat16() else "float32") if name == "auto" else name
    keras.config.set_dtype_policy(policy)
    try:
        yield policy
    finally:
        keras.config.set_dtype_policy(before)
