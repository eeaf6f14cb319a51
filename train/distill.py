"""A pretrained teacher's features -> a student classifier.

A linear projection of the student's last map learns that of the teacher, place by place and in the
mean (Romero et al. 2015, "FitNets", with the last layer as the hint). Both see the very same crop,
the teacher larger, so that its word holds for what the student sees (Beyer et al. 2022, "Knowledge
distillation: a good teacher is patient and consistent"). The labels teach the student's own last
layer, and the rest with it.
"""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
from keras import layers, ops

from catdog.errors import InvalidSettings
from catdog.spec import ModelSpec

from . import architectures, augment, history, trainer
from .fit import Job, accuracy, augmented, finish, loss, prepared, started
from .fused import fused
from .provenance import identity, origin_of, provenance
from .trainer import Recipe

RECIPE = Recipe(
    stages=((72, 2), (96, 16), (128, 5)),
    learning_rate=1.5e-3,
    label_smoothing=0.0,
    scale=(0.5, 1.0),
    jitter=0.1,
    ema=0.0,
)
# Pixels of the crops that the teacher sees.
TEACHER_SIZE = 192
# What the word on each place counts, where that on the whole crop counts 1.
PLACES = 0.5
# What else the result depends on, as specs and checkpoints record it.
OBJECTIVE = {"teacher_size": TEACHER_SIZE, "weight_of_places": PLACES}
# From so many photos the mean and deviation of the teacher's features are known well enough.
SAMPLE = 2048


def distill(job: Job, *, teacher: Path, start: Path | None = None) -> ModelSpec:
    """Train a classifier to imitate `teacher` as well as the labels; write it and its spec.

    `fit --start` goes on from it with the labels alone, `fit --base` takes all of it but its last
    layer. A run that was killed goes on from its last finished epoch. `start` is an `.h5` of the
    student to begin with.
    """
    if not architectures.get(job.name).pretrained:
        raise InvalidSettings(f"{job.name} is trained without pretrained knowledge: it takes no teacher.")
    splits, photos = prepared(job, start)
    with trainer.precision(job.recipe.precision) as precision:
        taught = Taught(load_teacher(teacher), photos.images)

        def make_model(size: int, optimizer: keras.Optimizer) -> keras.Model:
            network = started(job, photos.classes, start)
            return _training_model(network, taught, size, photos.classes, job.recipe, optimizer)

        inputs = {"model": job.name, "teacher": identity(teacher), "start": identity(start)} | photos.counts()
        trained, rows = trainer.train(make_model, job.recipe, photos, job.run, inputs=inputs | OBJECTIVE)
    training = provenance(photos, job, rows, precision=precision) | OBJECTIVE
    training |= {"base": origin_of(start) if start else "random weights", "teacher": origin_of(teacher)}
    return finish(trained.get_layer(job.name), job, splits[1], training)


class Taught:
    """A frozen teacher and how its features spread.

    teacher          pixels 0..255 (N, H, W, 3) to a map of features (N, h, w, F)
    mean             float32 (F,), of its features in a sample of whole photos, `images` (uint8 (N, S, S, 3))
    deviation        float32 (F,), of those of a photo, which are the mean of its places
    place_deviation  float32 (F,), of those of a place
    """

    def __init__(self, teacher: keras.Model, images: np.ndarray):
        teacher.trainable = False
        self.teacher = teacher
        sample = images[:: -(-len(images) // SAMPLE)]
        pooled, squares = [], []
        for start in range(0, len(sample), 64):
            places = teacher.predict_on_batch(sample[start : start + 64])
            places = ops.convert_to_numpy(ops.cast(places, "float32"))
            pooled.append(places.mean(axis=(1, 2)))
            squares.append(np.square(places).mean(axis=(1, 2)))
        pooled = np.concatenate(pooled)
        self.mean, self.deviation = pooled.mean(axis=0), pooled.std(axis=0) + 1e-3
        variance = np.concatenate(squares).mean(axis=0) - np.square(self.mean)
        self.place_deviation = np.sqrt(np.maximum(variance, 0)) + 1e-3


class Imitation(layers.Layer):
    """While training, add how far the projected features of the student are from the teacher's.

    That is the mean squared error of the standardised features of each photo, and PLACES times that
    of each place of it. Call arguments: what the student says, which is returned as it is; its last
    map (N, h, w, S); and the crops, pixels 0..255, that the teacher sees.
    """

    def __init__(self, taught: Taught, **kwargs):
        super().__init__(dtype="float32", **kwargs)
        self.taught = taught  # no layer: checkpoints need no teacher
        self.projection = layers.Dense(len(taught.mean), dtype="float32", name="projection")

    def build(self, probabilities_shape, places_shape, crops_shape):
        self.projection.build(places_shape)
        mean, deviation = self.taught.mean, self.taught.place_deviation
        if places_shape[-1] == len(mean):
            # Perhaps they have their features in common, which a random projection would first lose.
            self.projection.set_weights([np.diag(1 / deviation), -mean / deviation])

    def call(self, probabilities, places, crops, training=False):
        if training:
            taught = self.taught
            mean, deviation, place_deviation = map(
                ops.convert_to_tensor, (taught.mean, taught.deviation, taught.place_deviation)
            )
            features = ops.cast(taught.teacher(crops, training=False), "float32")
            wanted = ops.stop_gradient((features - mean) / place_deviation)
            said = self.projection(places)
            of_photos = (ops.mean(said, (1, 2)) - ops.mean(wanted, (1, 2))) * place_deviation / deviation
            of_places = said - augment.resampled(wanted, *said.shape[1:3])
            self.add_loss(ops.mean(ops.square(of_photos)) + PLACES * ops.mean(ops.square(of_places)))
        return probabilities

    def compute_output_shape(self, probabilities_shape, places_shape, crops_shape):
        return probabilities_shape


def load_teacher(path: Path) -> keras.Model:
    """Load a feature extractor: pixels 0..255 of any size (N, H, W, 3) to a map of features (N, h, w, F).

    The file holds a classifier that `fit` wrote, or a Keras model whose first layer is a model on
    pixels scaled to -1..1.
    """
    if not path.is_file():
        raise InvalidSettings(f"The teacher {path} does not exist.")
    try:
        model = keras.models.load_model(path, compile=False)
    except Exception as error:  # Keras and h5py raise many kinds on broken files
        raise InvalidSettings(f"The teacher {path} cannot be loaded: {error}") from error
    if model.name in architectures.ARCHITECTURES:
        base = architectures.build_base(model.name)  # for photos of any size
        base.set_weights(model.get_weights()[: len(base.weights)])
        return fused(up_to_last_map(base))
    base = model.layers[0]
    if not isinstance(base, keras.Model) or not isinstance(base.layers[-1], layers.GlobalAveragePooling2D):
        raise InvalidSettings(f"The first layer of {path} is not a model with pooled features.")
    pixels = keras.Input((None, None, 3))
    scaled = layers.Rescaling(1 / 127.5, offset=-1.0)(pixels)
    return keras.Model(pixels, fused(up_to_last_map(base))(scaled), name="teacher")


def up_to_last_map(network: keras.Model, *more: keras.KerasTensor) -> keras.Model:
    """The layers of a network up to what its last average pooling takes, (N, h, w, F); `more` are further outputs."""
    pooling = [layer for layer in network.layers if isinstance(layer, layers.GlobalAveragePooling2D)][-1]
    return keras.Model(network.input, [*more, pooling.input] if more else pooling.input, name=network.name)


def _training_model(student, taught: Taught, size: int, classes: int, recipe: Recipe, optimizer) -> keras.Model:
    """Photos -> what the student says of crops of them, with the teacher's word on them in the loss."""
    batch, crops = augmented(max(TEACHER_SIZE, size), recipe)
    reduction = augment.RandomResizedCrop(size, (1.0, 1.0), (1.0, 1.0), mirror=False, name="reduction")
    probabilities, places = up_to_last_map(student, student.output)(reduction(crops))
    model = keras.Model(batch, Imitation(taught, name="imitation")(probabilities, places, crops))
    word = keras.metrics.BinaryCrossentropy if classes == 2 else keras.metrics.CategoricalCrossentropy
    # By itself, too: while training, the loss holds what the student owes the teacher.
    label_loss = word(name=history.LABEL_LOSS, label_smoothing=recipe.label_smoothing)
    model.compile(optimizer, loss=loss(classes, recipe.label_smoothing), metrics=[accuracy, label_loss])
    return model
