"""A pretrained teacher's features -> base weights of a student.

A linear projection of the student's pooled features, on a random crop, learns the teacher's pooled
features of the whole photo (Romero et al. 2015, "FitNets", with the last layer as the hint). The
teacher sees each photo once, before training. The labels help a little, through a head that is
thrown away afterwards.
"""

from __future__ import annotations

import contextlib
import itertools
import json
from pathlib import Path

import keras
import numpy as np
from keras import layers, ops

from catdog.errors import InvalidSettings
from catdog.spec import sha256_of

from . import architectures, augment, dataset, trainer
from .files import require_writable, whole
from .fit import load_data, loss
from .provenance import description_of, identity, provenance
from .trainer import Recipe

RECIPE = Recipe(
    stages=((72, 2), (96, 2)), learning_rate=1.5e-3, label_smoothing=0.0, scale=(0.7, 1.0), jitter=0.1, ema=0.0
)
LABEL_WEIGHT = 0.3
TEACHER_SIZE = 224


def distill(
    name: str,
    data: Path,
    *,
    teacher: Path,
    start: Path | None = None,
    recipe: Recipe,
    run: Path,
    out: Path,
    limit: int | None = None,
    dataset_name: str = "",
    command: str = "",
) -> Path:
    """Train the base of `name` to imitate `teacher` and write its weights to `out`.

    A JSON file beside the weights says where they come from; `fit --base` copies it into the spec.
    A run that was killed goes on from its last finished epoch.
    """
    if not architectures.get(name).pretrained:
        raise InvalidSettings(f"{name} is trained from random weights: there is no use in a base for it.")
    if not out.name.endswith(".weights.h5"):
        raise InvalidSettings(f"Base weights are written to a file named NAME.weights.h5. Received: {str(out)!r}.")
    require_writable(out.parent)
    train_split, val_split = dataset.find_training(data, limit)
    photos = load_data(train_split, val_split, architectures.get(name).image_size, data / ".cache")
    taught = Taught(*(teacher_features(teacher, split, data / ".cache") for split in (train_split, val_split)))

    def make_model(size: int, optimizer: keras.Optimizer) -> keras.Model:
        student = architectures.build(name, classes=photos.classes)
        if start:
            architectures.load_classifier(student, start)
        return _training_model(student, taught.train.shape[1], size, recipe, optimizer)

    inputs = {"model": name, "teacher": identity(teacher), "start": identity(start)} | photos.counts()
    with trainer.precision(recipe.precision) as precision:
        model, history = trainer.train(make_model, recipe, photos, run, inputs=inputs, batches=taught.batches)
    origin = provenance(photos, recipe, history, precision=precision, command=command, dataset=dataset_name)
    origin |= {"teacher": teacher.name, "teacher_sha256": sha256_of(teacher)}
    _write(model.get_layer(f"{name}_base"), out, origin)
    return out


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


def _training_model(student: keras.Model, features: int, size: int, recipe: Recipe, optimizer) -> keras.Model:
    """Crops of photos -> what the student says of them, and its features projected onto the teacher's."""
    pixels = keras.Input((None, None, 3), dtype="uint8", name="photos")
    crop = augment.RandomResizedCrop(size, recipe.scale, name="crop")
    seen = augment.ColorJitter(recipe.jitter, name="jitter")(crop(pixels))
    # The same layers with their pooled features as a second output.
    both = keras.Model(student.input, [student.output, student.get_layer("dropout").input], name=student.name)
    probabilities, pooled = both(seen)
    projection = layers.Dense(features, dtype="float32", name="projection")(pooled)
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


def _write(student: keras.Model, out: Path, origin: dict) -> None:
    with whole(out) as partial:
        student.save_weights(partial)
        origin = origin | {"sha256": sha256_of(partial)}
    with whole(description_of(out)) as partial:
        partial.write_text(json.dumps(origin, indent=2) + "\n")
