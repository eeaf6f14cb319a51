"""A pretrained teacher's features and answers -> a student classifier.

A linear projection of the student's last map learns that of the teacher, place by place and in the
mean (Romero et al. 2015, "FitNets", with the last layer as the hint). Both see the very same crop,
the teacher larger, so that its word holds for what the student sees (Beyer et al. 2022, "Knowledge
distillation: a good teacher is patient and consistent"). Where the teacher knows the classes, its
answers are the targets of the student's own last layer: the soft targets of Hinton et al. 2015,
"Distilling the knowledge in a neural network", without a temperature. Elsewhere the labels are.

Where the last layer of what the teacher learned before is at hand, the student's features, projected to the
teacher's, are to answer there as the teacher's do: photos without a label teach by that. A network that begins as
its own teacher is fine-tuned so without forgetting (Li and Hoiem 2016, "Learning without forgetting").
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
from keras import layers, ops

from catdog.errors import InvalidSettings
from catdog.models.spec import ModelSpec
from train.data import augment
from train.fit import lineage, trainer
from train.fit.job import Job
from train.fit.provenance import base_provenance, identity, origin_of, provenance, spec_beside
from train.fit.supervised import Accuracy, accuracy, augmented, cross_entropy, finish, inputs_of, prepared, started
from train.fit.trainer import Recipe
from train.networks import architectures
from train.networks.fused import settled
from train.networks.hardware import gpus

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
# What the word on each place and what the answer count, where the word on the whole crop counts 1.
PLACES = 0.5
ANSWERS = 2.0
# What the answers of the teacher's earlier last layer count.
EARLIER = 0.5
# From so many photos the spread of the teacher's features, and the first projection, are known well enough.
SAMPLE = 2048
# Ridge penalty of the first projection, as a share of the mean square of the student's features.
RIDGE = 0.2


def distill(
    job: Job,
    *,
    teacher: Path,
    start: Path | None = None,
    base: str | None = None,
    answers: Path | None = None,
    teacher_size: int = TEACHER_SIZE,
    imitation: float = 1.0,
) -> ModelSpec:
    """Train a classifier to imitate `teacher`, and the labels where that has no answer; write it and its spec.

    `fit --start` goes on from it with the labels alone, `fit --base` takes all of it but its last
    layer. A run that was killed goes on from its last finished epoch. `start` is an `.h5` of the
    student to begin with, `base` one that begins with its base. `answers` is an `.h5` whose last layer turns the
    teacher's features into what it knew before it knew the classes: the file that the teacher began with.
    `teacher_size` is how large the teacher sees the crops, in pixels, or larger where the student does. All that
    the student owes the teacher counts `imitation` times.
    """
    if not architectures.get(job.name).pretrained:
        raise InvalidSettings(f"{job.name} is trained without pretrained knowledge: it takes no teacher.")
    origins = {"base": origin_of(start) if start else base_provenance(base), "teacher": origin_of(teacher)}
    origins |= {"answers": origin_of(answers)} if answers else {}
    splits, photos = prepared(job, start, base, teacher, unlabelled=True)
    with trainer.precision(job.recipe.precision) as precision:
        # On processors depthwise convolutions, which teachers consist of, are slower in bfloat16.
        with trainer.precision(precision if gpus() else "float32"):
            known, answer = load_teacher(teacher, splits[0].classes, neither=photos.neither)
        further = {"earlier": answers and earlier_answers(answers), "size": teacher_size, "weight": imitation}
        taught = Taught(known, answer, photos.images, **further)
        begun, itself = None, base is not None and identity(base) == identity(teacher)
        if (start or base) and not itself:  # a student of random weights has nothing to lose
            begun = projection(started(job, photos, start, base=base), taught, photos.images, job.recipe.stages[0][0])

        def make_model(size: int, optimizer: keras.Optimizer) -> keras.Model:
            network = started(job, photos, start, base=base)
            return _training_model(network, taught, begun, size, job.recipe, optimizer, photos.neither, itself)

        inputs = {"model": job.name, "teacher": identity(teacher), "start": identity(start)}
        inputs |= {"base": identity(base)} if base else {}
        inputs |= {"answers": identity(answers)} if answers else {}
        inputs |= inputs_of(splits, photos) | taught.objective
        trained, rows = trainer.train(make_model, job.recipe, photos, job.run, inputs=inputs, restart=job.restart)
    training = provenance(photos, job, rows, precision=precision) | taught.objective | origins
    return finish(trained.get_layer(job.name), job, splits[1], training)


class Taught:
    """A frozen teacher and how its features spread.

    teacher          pixels 0..255 (N, H, W, 3) to a map of features (N, h, w, F)
    answer           features of photos (N, F) to probabilities of the student's classes, or None
    mean             float32 (F,), of its features in a sample of whole photos, `images` (uint8 (N, S, S, 3))
    deviation        float32 (F,), of those of a photo, which are the mean of its places
    place_deviation  float32 (F,), of those of a place
    earlier          kernel (F, N) and bias (N,) of what turned features into the logits of N other classes, or None
    size             pixels of the crops that it sees
    weight           what all that is owed to it counts
    """

    def __init__(
        self,
        teacher: keras.Model,
        answer: layers.Dense | None,
        images: np.ndarray,
        *,
        earlier: tuple[np.ndarray, np.ndarray] | None = None,
        size: int = TEACHER_SIZE,
        weight: float = 1.0,
    ):
        teacher.trainable = False
        self.teacher, self.answer, self.earlier, self.size, self.weight = teacher, answer, earlier, size, weight
        pooled, squares = [], []
        for photos in sampled(images):
            places = last_map(teacher, photos)
            pooled.append(places.mean(axis=(1, 2)))
            squares.append(np.square(places).mean(axis=(1, 2)))
        pooled = np.concatenate(pooled)
        self.mean, self.deviation = pooled.mean(axis=0), pooled.std(axis=0) + 1e-3
        variance = np.concatenate(squares).mean(axis=0) - np.square(self.mean)
        self.place_deviation = np.sqrt(np.maximum(variance, 0)) + 1e-3
        if earlier is not None and len(earlier[0]) != len(self.mean):
            raise InvalidSettings(
                f"The answers take {len(earlier[0])} features; the teacher has {len(self.mean)}: they are another's."
            )

    @property
    def objective(self) -> dict[str, float]:
        """What else the loss depends on, as specs and checkpoints record it."""
        weights = {"weight_of_answers": ANSWERS} if self.answer is not None else {}
        weights |= {"weight_of_earlier_answers": EARLIER} if self.earlier is not None else {}
        weights |= {"weight_of_imitation": self.weight} if self.weight != 1 else {}
        return {"teacher_size": self.size, "weight_of_places": PLACES} | weights


def sampled(images: np.ndarray) -> Iterator[np.ndarray]:
    """At most SAMPLE of the images, evenly spread, in batches."""
    sample = images[:: -(-len(images) // SAMPLE)]
    return (sample[start : start + 64] for start in range(0, len(sample), 64))


def last_map(network: keras.Model, photos: np.ndarray) -> np.ndarray:
    """What a network says of each place of photos, float32 (N, h, w, F)."""
    return network.predict_on_batch(photos).astype(np.float32)


def projection(student: keras.Model, taught: Taught, images: np.ndarray, size: int) -> list[np.ndarray]:
    """Ridge regression of the teacher's standardised map on the student's: kernel (S, F) and bias (F,), float32.

    Over the places of a sample of whole photos, `images` (uint8 (N, H, W, 3)), which the student sees at
    `size` pixels. A random projection would first destroy what a student knows.
    """
    network = up_to_last_map(student)
    products, targets = 0.0, 0.0
    for photos in sampled(images):
        places = last_map(network, ops.convert_to_numpy(augment.resampled(photos, size, size)))
        wanted = (last_map(taught.teacher, photos) - taught.mean) / taught.place_deviation
        wanted = ops.convert_to_numpy(augment.resampled(wanted, *places.shape[1:3]))
        rows = places.reshape(-1, places.shape[-1])
        rows = np.concatenate([rows, np.ones((len(rows), 1), np.float32)], axis=1)
        products += rows.T @ rows
        targets += rows.T @ wanted.reshape(len(rows), -1)
    penalty = np.full(len(products), RIDGE * np.trace(products[:-1, :-1]) / (len(products) - 1))
    penalty[-1] = 0
    solution = np.linalg.solve(products.astype(np.float64) + np.diag(penalty), targets).astype(np.float32)
    return [solution[:-1], solution[-1]]


class Imitation(layers.Layer):
    """While training, add how far the student is from the teacher.

    That is the mean squared error of the standardised features of each photo, which the student's are
    projected to, PLACES times that of each place of it, and ANSWERS times the cross entropy with the
    teacher's answer, where there is one; EARLIER times the divergence of what both say of the teacher's
    earlier classes, where these are known. Call arguments: what the student says, which is returned as it
    is; its last map (N, h, w, S); and the crops, pixels 0..255, that the teacher sees.

    The features of a student that began as the teacher `itself` are not projected: they are to stay what they are.
    """

    def __init__(self, taught: Taught, *, itself: bool = False, **kwargs):
        super().__init__(dtype="float32", **kwargs)
        self.taught, self.itself = taught, itself  # no layer: checkpoints need no teacher
        self.projection = None if itself else layers.Dense(len(taught.mean), dtype="float32", name="projection")

    def build(self, probabilities_shape, places_shape, crops_shape):
        if self.projection:
            self.projection.build(places_shape)

    def call(self, probabilities, places, crops, training=False):
        if training:
            taught = self.taught
            mean, deviation, place_deviation = map(
                ops.convert_to_tensor, (taught.mean, taught.deviation, taught.place_deviation)
            )
            features = ops.cast(taught.teacher(crops, training=False), "float32")
            wanted = ops.stop_gradient((features - mean) / place_deviation)
            places = ops.cast(places, "float32")
            said = (places - mean) / place_deviation if self.itself else self.projection(places)
            of_photos = (ops.mean(said, (1, 2)) - ops.mean(wanted, (1, 2))) * place_deviation / deviation
            of_places = said - augment.resampled(wanted, *said.shape[1:3])
            owed = ops.mean(ops.square(of_photos)) + PLACES * ops.mean(ops.square(of_places))
            if taught.answer is not None:
                answers = ops.stop_gradient(taught.answer(ops.mean(features, (1, 2))))
                owed += ANSWERS * cross_entropy(answers.shape[-1])(answers, probabilities)
            if taught.earlier is not None:
                kernel, bias = map(ops.convert_to_tensor, taught.earlier)
                pooled = ops.mean(said, (1, 2)) * place_deviation + mean
                known = ops.stop_gradient(ops.log_softmax(ops.mean(features, (1, 2)) @ kernel + bias))
                divergence = ops.sum(ops.exp(known) * (known - ops.log_softmax(pooled @ kernel + bias)), axis=-1)
                owed += EARLIER * ops.mean(divergence)
            self.add_loss(taught.weight * owed)
        return probabilities

    def compute_output_shape(self, probabilities_shape, places_shape, crops_shape):
        return probabilities_shape


def earlier_answers(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Kernel (F, N) and bias (N,) of the last layer of an `.h5`, which turns pooled features into N classes."""
    try:
        last = keras.models.load_model(path, compile=False).layers[-1]
    except Exception as error:  # Keras and h5py raise many kinds on broken files
        raise InvalidSettings(f"The answers {path} cannot be loaded: {error}") from error
    if not isinstance(last, layers.Dense):
        raise InvalidSettings(f"The last layer of {path} is not dense.")
    kernel, bias = last.get_weights()
    return kernel, bias


def load_teacher(
    path: Path, classes: tuple[str, ...], *, neither: bool = False
) -> tuple[keras.Model, layers.Dense | None]:
    """Load a feature extractor, and what turns its features into probabilities of these classes, if it knows them.

    The first takes pixels 0..255 of any size (N, H, W, 3) to a map of features (N, h, w, F), the second the
    mean of its places (N, F) to (N, 1) or (N, classes), or (N, classes + 1) with `neither`. The file holds
    a classifier that was trained here, whose classes are those of the spec beside it; or a Keras model whose first
    layer is a model on pixels scaled to -1..1: the rest of it is not used.
    """
    try:
        model = keras.models.load_model(path, compile=False)
    except Exception as error:  # Keras and h5py raise many kinds on broken files
        raise InvalidSettings(f"The teacher {path} cannot be loaded: {error}") from error
    if model.name in architectures.ARCHITECTURES:
        base = architectures.build_base(model.name)  # for photos of any size
        base.set_weights(model.get_weights()[: len(base.weights)])
        spec = spec_beside(path)
        knows = spec is not None and spec.classes == classes and (spec.neither is not None) == neither
        return settled(up_to_last_map(base)), model.layers[-1] if knows else None
    base = next((layer for layer in model.layers if not isinstance(layer, layers.InputLayer)), None)
    if isinstance(base, keras.Model) and isinstance(base.layers[-1], layers.GlobalAveragePooling2D):
        base = up_to_last_map(base)
    elif not isinstance(base, keras.Model) or len(base.output.shape) != 4:
        raise InvalidSettings(f"The first layer of {path} is not a model with pooled features, or with a map of them.")
    pixels = keras.Input((None, None, 3))
    scaled = layers.Rescaling(1 / 127.5, offset=-1.0)(pixels)
    return keras.Model(pixels, settled(base)(scaled), name="teacher"), None


def up_to_last_map(network: keras.Model, *more: keras.KerasTensor) -> keras.Model:
    """The layers of a network up to what its last average pooling takes, (N, h, w, F); `more` are further outputs."""
    pooling = [layer for layer in network.layers if isinstance(layer, layers.GlobalAveragePooling2D)][-1]
    return keras.Model(network.input, [*more, pooling.input] if more else pooling.input, name=network.name)


def _training_model(
    student, taught: Taught, begun, size: int, recipe: Recipe, optimizer, neither: bool = False, itself: bool = False
) -> keras.Model:
    """Photos -> what the student says of crops of them, with the teacher's word on them in the loss.

    `begun` is the projection to begin with, as `projection` returns it, or None for a random one.
    """
    largest = max(taught.size, size)
    batch, crops, clean = augmented(largest, recipe)
    reduction = augment.RandomResizedCrop(size, (1.0, 1.0), (1.0, 1.0), mirror=False, name="reduction")
    probabilities, places = up_to_last_map(student, student.output)(reduction(crops) if size < largest else crops)
    imitation = Imitation(taught, itself=itself, name="imitation")
    model = keras.Model(batch, imitation(probabilities, places, clean))
    if begun is not None:
        imitation.projection.set_weights(begun)
    outputs = student.output.shape[-1]
    loss = cross_entropy(outputs, recipe.label_smoothing)
    # By itself, too: while training, the loss holds what the student owes the teacher, and with a teacher that
    # answers nothing else, so that it is 0 on validation photos.
    label_loss = keras.metrics.MeanMetricWrapper(loss.call, name=lineage.LABEL_LOSS)
    model.compile(
        optimizer,
        loss=loss,
        loss_weights=1.0 if taught.answer is None else 0.0,
        weighted_metrics=[Accuracy() if neither else accuracy, label_loss],
    )
    return model
