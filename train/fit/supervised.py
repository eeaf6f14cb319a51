"""Train a classifier on labelled photos; write its `.h5` and its spec."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import keras

from catdog.errors import InvalidSettings
from catdog.models.spec import ModelSpec
from train.fit import trainer
from train.fit.finish import finish
from train.fit.job import Job
from train.fit.provenance import base_provenance, identity, origin_of, provenance
from train.fit.start import inputs_of, prepared, started
from train.fit.training_model import Accuracy, accuracy, augmented, cross_entropy
from train.networks import architectures
from train.networks.hardware import precision
from train.networks.recipes import Recipe


def fit(job: Job, *, base: str | None = None, start: Path | None = None) -> ModelSpec:
    """Train a classifier on `data`/train, validated on `data`/val; write it and its spec.

    A run that was killed continues after its last finished epoch when called with the same settings.

    base   as in `architectures.build_base`
    start  an `.h5` of the same architecture and number of classes to continue from, instead of a base

    Raises InvalidSettings for an architecture with pretrained weights when neither is given.
    """
    if base is None and not start and architectures.get(job.name).pretrained:
        raise InvalidSettings(
            f"The recipe of {job.name} is one for pretrained weights: add --base imagenet, --base or --start with an "
            ".h5, or --base none for random weights."
        )
    if base in (None, "none") and not start:  # random weights need no protection
        job = dataclasses.replace(job, recipe=dataclasses.replace(job.recipe, frozen_stages=0))
    origin = origin_of(start) if start else base_provenance(base)
    splits, photos = prepared(job, start, base)

    def make_model(size: int, optimizer: keras.Optimizer) -> keras.Model:
        network = started(job, photos, start, base=base)
        return _training_model(network, size, job.recipe, optimizer, photos.neither)

    inputs = {"model": job.name, "base": identity(base), "start": identity(start)} | inputs_of(splits, photos)
    with precision(job.recipe.precision) as used:
        trained, history = trainer.train(make_model, job.recipe, photos, job.run, inputs=inputs, restart=job.restart)
    training = provenance(photos, job, history, precision=used) | {"base": origin}
    return finish(trained.get_layer(job.name), job, splits[1], training)


def _training_model(
    network: keras.Model, size: int, recipe: Recipe, optimizer: keras.Optimizer, neither: bool = False
) -> keras.Model:
    batch, crops, _ = augmented(size, recipe)
    model = keras.Model(batch, network(crops))
    loss = cross_entropy(network.output.shape[-1], recipe.label_smoothing)
    model.compile(optimizer, loss=loss, weighted_metrics=[Accuracy() if neither else accuracy])
    return model
