"""A pretrained teacher's features -> a student classifier.

A linear projection of the student's pooled features, on a random crop, learns the teacher's pooled
features of the whole photo (Romero et al. 2015, "FitNets", with the last layer as the hint). The
teacher sees each photo once, before training. The labels teach the student's own last layer, and
help a little with the rest.
"""

from __future__ import annotations

import contextlib
import itertools
from pathlib import Path

import keras
import numpy as np
from keras import layers, ops

from catdog.errors import InvalidSettings
from catdog.spec import ModelSpec, sha256_of

from . import architectures, augment, dataset, trainer
from .fit import Job, finish, loss, prepared, started
from .provenance import identity, origin_of, provenance
from .trainer import Recipe

RECIPE = Recipe(
    stages=((72, 2), (96, 2)), learning_rate=1.5e-3, label_smoothing=0.0, scale=(0.7, 1.0), jitter=0.1, ema=0.0
)
LABEL_WEIGHT = 0.3
TEACHER_SIZE = 224


def distill(job: Job, *, teacher: Path, start: Path | None = None) -> ModelSpec:
    """Train a classifier to imitate `teacher` as well as the labels; write it and its spec.

    `fit --start` goes on from it with the labels alone, `fit --base` takes all of it but its last
    layer. A run that was killed goes on from its last finished epoch. `start` is an `.h5` of the
    student to begin with.
    """
    if not architectures.get(job.name).pretrained:
        raise InvalidSettings(f"{job.name} is trained without pretrained knowledge: it takes no teacher.")
    (train_split, val_split), photos = prepared(job, start)
    cache = job.data / ".cache"
    taught = Taught(*(teacher_features(teacher, split, cache) for split in (train_split, val_split)))

    def make_model(size: int, optimizer: keras.Optimizer) -> keras.Model:
        return _training_model(started(job, photos.classes, start), taught, size, job.recipe, optimizer)

    inputs = {"model": job.name, "teacher": identity(teacher), "start": identity(start)} | photos.counts()
    with trainer.precision(job.recipe.precision) as precision:
        trained, history = trainer.train(make_model, job.recipe, photos, job.run, inputs=inputs, batches=taught.batches)
    training = provenance(photos, job, history, precision=precision)
    training |= {"base": origin_of(start) if start else "random weights", "teacher": origin_of(teacher)}
    return finish(trained.get_layer(job.name), job, val_split, training)


class Taught:
    """What the teacher says of the training and validation photos.

    train, val  (N, F) features
    """

    def __init__(self, train: np.ndarray, val: np.ndarray):
        self.train, self.val = train, val
        self.mean = train.mean(axis=0, dtype=np.float64).astype(np.float32)
        self.deviation = train.std(axis=0, dtype=np.float64).astype(np.float32) + 1e-3

    def batches(self, data: trainer.Data, recipe: Recipe, epoch: int) -> tuple[TaughtBatches, TaughtBatches]:
        """Training batches of an epoch and validation batches, as `trainer.train` asks for."""
        train, val = trainer.batches(data, recipe, epoch)
        return TaughtBatches(train, self, self.train), TaughtBatches(val, self, self.val)


class TaughtBatches(keras.utils.PyDataset):
    """Batches with two targets: the labels, and the teacher's features, standardised."""

    def __init__(self, batches: dataset.Batches, taught: Taught, features: np.ndarray):
        super().__init__(workers=1)
        self.batches, self.taught, self.features = batches, taught, features

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int):
        images, targets = self.batches[index]
        features = self.features[self.batches.rows(index)].astype(np.float32)
        return images, {"probabilities": targets, "projection": (features - self.taught.mean) / self.taught.deviation}

    def on_epoch_end(self) -> None:
        self.batches.on_epoch_end()


def teacher_features(path: Path, split: dataset.Split, cache: Path) -> np.ndarray:
    """The teacher's features of each whole photo: float16 (N, F), made once."""
    teacher = load_teacher(path)
    name = dataset.fingerprint(split, "features", sha256_of(path), TEACHER_SIZE)

    def fill(features: np.ndarray) -> None:
        with contextlib.closing(dataset.decoded(split, TEACHER_SIZE)) as photos:
            for start in range(0, len(split), dataset.CHUNK):
                pixels = np.stack(list(itertools.islice(photos, dataset.CHUNK))).astype(np.float32)
                features[start : start + len(pixels)] = ops.convert_to_numpy(teacher.predict_on_batch(pixels))

    return dataset.cached(cache / f"features-{name}.npy", (len(split), teacher.output.shape[-1]), np.float16, fill)


def load_teacher(path: Path) -> keras.Model:
    """Load a frozen feature extractor: pixels 0..255 of any size to features (N, F).

    The file holds a Keras model whose first layer is a model on pixels scaled to -1..1.
    """
    if not path.is_file():
        raise InvalidSettings(f"The teacher {path} does not exist.")
    try:
        base = keras.models.load_model(path, compile=False).layers[0]
    except Exception as error:  # Keras and h5py raise many kinds on broken files
        raise InvalidSettings(f"The teacher {path} cannot be loaded: {error}") from error
    if not isinstance(base, keras.Model) or len(base.output.shape) != 2:
        raise InvalidSettings(f"The first layer of {path} is not a model with pooled features.")
    pixels = keras.Input((None, None, 3))
    return keras.Model(pixels, base(layers.Rescaling(1 / 127.5, offset=-1.0)(pixels)), name="teacher")


def _training_model(student: keras.Model, taught: Taught, size: int, recipe: Recipe, optimizer) -> keras.Model:
    """Crops of photos -> what the student says of them, and its features projected onto the teacher's."""
    pixels = keras.Input((None, None, 3), dtype="uint8", name="photos")
    crop = augment.RandomResizedCrop(size, recipe.scale, name="crop")
    seen = augment.ColorJitter(recipe.jitter, name="jitter")(crop(pixels))
    # The same layers with their pooled features as a second output.
    both = keras.Model(student.input, [student.output, student.get_layer("dropout").input], name=student.name)
    probabilities, pooled = both(seen)
    projection = layers.Dense(taught.train.shape[1], dtype="float32", name="projection")(pooled)
    # A layer of its own gives the output its name, by which losses and targets are found.
    probabilities = layers.Identity(dtype="float32", name="probabilities")(probabilities)
    model = keras.Model(pixels, {"probabilities": probabilities, "projection": projection})
    classes = max(2, student.output.shape[-1])
    model.compile(
        optimizer,
        loss={"probabilities": loss(classes, recipe.label_smoothing), "projection": "mean_squared_error"},
        loss_weights={"probabilities": LABEL_WEIGHT, "projection": 1.0},
        metrics={"probabilities": "accuracy"},
    )
    return model
