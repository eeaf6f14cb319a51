"""Train one classifier and write its `.h5` and spec."""

from __future__ import annotations

import dataclasses
import datetime
import json
import platform
import shutil
import time
from pathlib import Path

import keras
import numpy as np

from catdog.spec import ModelSpec, sha256_of

from . import architectures, augment, dataset, h5, trainer
from .trainer import Recipe

# Chosen on the validation photos of Dogs vs. Cats.
RECIPES = {
    "scratch_cnn": Recipe(
        stages=((64, 6), (96, 16), (112, 2)), learning_rate=2e-3, weight_decay=0.05, ema=0.998
    ),
    "xception": Recipe(stages=((112, 1),), learning_rate=2e-4, scale=(0.5, 1.0), ema=0.99),
}
# Photos are kept somewhat larger than the crops that are cut from them.
STORED_SIZE = 160
STAGE_METRIC = "accuracy"


def fit(name: str, data: Path, *, base: str | None, recipe: Recipe, run: Path, out: Path,
        image_size: int | None = None, limit: int | None = None, command: str = "") -> ModelSpec:
    """Train `name` on `data`/train, watched on `data`/val; write `out`/name.h5 and its spec.

    A run that was killed goes on from its last finished epoch when called with the same settings.
    `limit` takes the first photos of each class only.
    """
    architecture = architectures.get(name)
    image_size = image_size or architecture.image_size
    train_split = dataset.find(data, "train").head(limit)
    photos = load_data(train_split, dataset.find(data, "val").head(limit), image_size, data / ".cache")
    with trainer.precision(recipe.precision):
        network = architectures.build(name, classes=photos.classes, base=base)

        def make_model(size: int, optimizer: keras.Optimizer) -> keras.Model:
            return _training_model(network, size, photos.classes, recipe, optimizer)

        history = trainer.train(make_model, recipe, photos, run)
    final = architectures.build(name, classes=photos.classes, image_size=image_size)
    final.set_weights(network.get_weights())
    ...
    return final, history


def load_data(train: dataset.Split, val: dataset.Split, image_size: int, cache: Path) -> trainer.Data:
    """Decode both splits: training photos at STORED_SIZE, validation photos as they are served."""
    return trainer.Data(
        dataset.load_images(train, max(STORED_SIZE, image_size), cache=cache), train.labels,
        dataset.load_images(val, image_size, cache=cache), val.labels, len(train.classes),
    )


def _training_model(network, size, classes, recipe, optimizer) -> keras.Model:
    crop = augment.RandomResizedCrop((size,), recipe.scale, seed=recipe.seed, name="crop")
    pixels = keras.Input((None, None, 3), dtype="uint8", name="photos")
    crops = augment.ColorJitter(recipe.jitter, seed=recipe.seed + 1, name="jitter")(crop(pixels))
    model = keras.Model(pixels, network(crops))
    model.compile(optimizer, loss=loss(classes, recipe.label_smoothing), metrics=["accuracy"])
    return model


def loss(classes: int, label_smoothing: float) -> keras.losses.Loss:
    """Cross entropy for the targets that `dataset.targets` makes."""
    kind = keras.losses.BinaryCrossentropy if classes == 2 else keras.losses.CategoricalCrossentropy
    return kind(label_smoothing=label_smoothing)
