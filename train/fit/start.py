"""What each run does before it trains: check its folders, read its photos, build its network."""

import contextlib
from pathlib import Path

import keras

from catdog.errors import InvalidSettings, ModelMismatch
from catdog.models.spec import ModelSpec, find_specs
from train.data import dataset
from train.data.photo_cache import load_images
from train.fit.job import Job, Product
from train.fit.ownership import require_own
from train.fit.trainer import Data
from train.folders import require_writable
from train.networks import architectures
from train.networks.fused import fused
from train.networks.recipes import Recipe
from train.networks.settled import settled

# Pixels. Photos are stored larger than most crops, since a crop enlarges a part of the photo.
STORED_SIZE = 200


def prepared(job: Job, recipe: Recipe, *teachers: Path | None) -> tuple[dataset.Split, Data]:
    """The validation split of a job, and the decoded photos of both; raises before anything is trained.

    `teachers` are further files that the run reads. Without any, photos without a label are left out.
    """
    require_free(job, job.start, job.base, *teachers)
    train, val = listed(job, unlabelled=any(teachers))
    dataset.find_elsewhere(job.data, "val", job.more)  # which `finish` measures on
    require_same_classes(job, val.classes)
    return val, decoded(job, recipe, train, val)


def listed(job: Job, *, unlabelled: bool = False) -> tuple[dataset.Split, dataset.Split]:
    """The training and validation photos of a job; photos without a label only if `unlabelled`."""
    train, val = dataset.find_training(job.data, job.limit, job.more)
    return train if unlabelled else train.at(train.labels != dataset.UNKNOWN), val


def decoded(job: Job, recipe: Recipe, train: dataset.Split, val: dataset.Split) -> Data:
    """The photos of both splits at the sizes that a job and its recipe need."""
    identity = {"photos": len(train), "validation_photos": len(val), "classes": len(val.classes)}
    identity |= {"neither": count} if (count := len(train.of_neither)) else {}
    stored_size = max(STORED_SIZE, job.image_size, *(size for size, _ in recipe.stages))
    return Data(
        load_images(train, stored_size, cache=job.data / ".cache"),
        train.labels,
        load_images(val, job.image_size, cache=job.data / ".cache"),
        val.labels,
        len(val.classes),
        neither=count > 0,
        chances=dataset.chances(train),
        identity=identity | {"digest of photos and labels": dataset.digest(train, val)},
    )


def require_free(product: Product, *sources: str | Path | None) -> None:
    """Raise InvalidSettings where a run would overwrite one of the `sources` that it reads, or as `require_own` does.

    Raises OSError where `product.out` cannot be written to.
    """
    for source in filter(None, sources):
        if Path(source).resolve() == product.file.resolve():
            raise InvalidSettings(f"The run would replace {source}, which it reads: choose another --out.")
    require_own(product)
    require_writable(product.out)


def require_same_classes(product: Product, classes: tuple[str, ...]) -> None:
    """Raise InvalidSettings where `product.out` holds a model of other classes: both could not be served together."""
    for path in find_specs(product.out):
        with contextlib.suppress(ModelMismatch):
            spec = ModelSpec.read(path)
            if spec.classes != classes:
                raise InvalidSettings(
                    f"{product.out} holds {spec.name}, which knows the classes {', '.join(spec.classes)}; "
                    f"the data folder has {', '.join(classes)}: choose another --out."
                )


def started(job: Job, recipe: Recipe, photos: Data) -> keras.Model:
    """The network of a job, for photos of any size, with its initial weights."""
    network = job.network(photos.classes, photos.neither, base=job.base)
    if job.start:
        architectures.load_classifier(network, job.start)
    return settled(network) if recipe.settled else fused(network)
