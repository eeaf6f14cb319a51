"""Train a classifier on labelled photos; write its `.h5` and its spec."""

from collections.abc import Sequence

import keras

from catdog.errors import InvalidSettings
from catdog.models.spec import ModelSpec
from train.fit import trainer
from train.fit.finish import finish
from train.fit.job import Job
from train.fit.provenance import beginning, identity, provenance
from train.fit.start import prepared, started
from train.fit.training_model import Accuracy, accuracy, augmented, cross_entropy
from train.networks import architectures
from train.networks.hardware import precision
from train.networks.recipes import RECIPES, Recipe


def fit(job: Job) -> ModelSpec:
    """Train a classifier on `job.data`/train, validated on `job.data`/val; write it and its spec.

    A run that was killed continues after its last finished epoch when called with the same settings. Raises as
    `recipe_of`.
    """
    recipe = recipe_of(job)
    origin = beginning(job)
    val, photos = prepared(job, recipe)
    network, history, used = train(job, recipe, photos)
    training = provenance(photos, job, recipe, history, precision=used) | {"base": origin}
    return finish(network, job, val, training)


def recipe_of(job: Job) -> Recipe:
    """The recipe that a job asks for.

    Raises InvalidSettings for values that no recipe may have, and for an architecture with pretrained weights if
    neither base nor start is given.
    """
    recipe = job.recipe(RECIPES[job.name])
    if job.base is None and not job.start and architectures.get(job.name).pretrained:
        raise InvalidSettings(
            f"The recipe of {job.name} is one for pretrained weights: add --base imagenet, --base or --start with an "
            ".h5, or --base none for random weights."
        )
    return recipe


def train(
    job: Job, recipe: Recipe, photos: trainer.Data, callbacks: Sequence[keras.callbacks.Callback] = ()
) -> tuple[keras.Model, list[dict], str]:
    """Train the network of a job; return it, the figures of its epochs, and the precision used.

    `callbacks` are as in `trainer.train`.
    """

    def make_model(size: int, optimizer: keras.Optimizer) -> keras.Model:
        return _training_model(started(job, recipe, photos), size, recipe, optimizer, photos.neither)

    inputs = {"model": job.name, "base": identity(job.base), "start": identity(job.start)} | photos.identity
    with precision(recipe.precision) as used:
        trained, history = trainer.train(
            make_model, recipe, photos, job.run, inputs=inputs, restart=job.restart, callbacks=callbacks
        )
    return trained.get_layer(job.name), history, used


def _training_model(
    network: keras.Model, size: int, recipe: Recipe, optimizer: keras.Optimizer, neither: bool = False
) -> keras.Model:
    batch, crops, _ = augmented(size, recipe)
    model = keras.Model(batch, network(crops))
    loss = cross_entropy(network.output.shape[-1], recipe.label_smoothing)
    model.compile(optimizer, loss=loss, weighted_metrics=[Accuracy() if neither else accuracy])
    return model
