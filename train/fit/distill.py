"""A teacher's features and answers -> a student classifier.

A linear projection of the student's last map learns the teacher's last map, place by place and in the mean (Romero et
al. 2015, "FitNets", with the last layer as the hint). Both networks see the same crop, the teacher a larger version of
it (Beyer et al. 2022, "Knowledge distillation: a good teacher is patient and consistent"). The student's last layer
learns the teacher's answers, if the teacher knows the classes: the soft targets of Hinton et al. 2015, "Distilling the
knowledge in a neural network", without a temperature. Otherwise it learns the labels.

If the teacher's original last layer is given (`answers`), the student's projected features must also lead that layer
to the teacher's answers. This works without labels. A student that starts as its own teacher is so fine-tuned without
forgetting (Li and Hoiem 2016, "Learning without forgetting").
"""

import math
from pathlib import Path

import keras
import numpy as np
from keras import layers, ops

from catdog.errors import InvalidSettings
from catdog.models.spec import ModelSpec
from train.data import augment
from train.fit import lineage, trainer
from train.fit.finish import finish
from train.fit.job import Job
from train.fit.provenance import beginning, identity, origin_of, provenance
from train.fit.start import prepared, started
from train.fit.teacher import (
    ANSWERS,
    EARLIER,
    PLACES,
    Teacher,
    load_head,
    load_teacher,
    projection,
    up_to_last_map,
)  # fmt: skip
from train.fit.training_model import Accuracy, accuracy, augmented, cross_entropy
from train.networks import architectures
from train.networks.hardware import gpus, precision
from train.networks.recipes import DISTILLATION, LARGEST_SIZE, Recipe


def distill(job: Job, *, teacher: Path, answers: Path | None, teacher_size: int, imitation: float) -> ModelSpec:
    """Train a student to imitate a teacher's features and answers, or the labels if it has no answers; write the model.

    teacher       as in `load_teacher`
    answers       the `.h5` that the teacher was trained from: its last layer turns the teacher's features into answers
                  for its original classes, which the student imitates too
    teacher_size  pixels of the crops that the teacher sees, at least those of the student's crops
    imitation     weight of the loss from the teacher, relative to that of the labels
    """
    if not architectures.get(job.name).pretrained:
        raise InvalidSettings(f"{job.name} is trained without pretrained knowledge: it takes no teacher.")
    if not 0 <= imitation < math.inf:
        raise InvalidSettings(f"--imitation must be a number of at least 0. Received: {imitation}.")
    if not 8 <= teacher_size <= LARGEST_SIZE:
        raise InvalidSettings(f"--teacher-size must be 8 to {LARGEST_SIZE} pixels. Received: {teacher_size}.")
    recipe = job.recipe(DISTILLATION)
    origins = {"base": beginning(job), "teacher": origin_of(teacher)}
    origins |= {"answers": origin_of(answers)} if answers else {}
    val, photos = prepared(job, recipe, teacher, answers)
    with precision(recipe.precision) as used:
        # On processors, the depthwise convolutions of a teacher are slower in bfloat16.
        with precision(used if gpus() else "float32"):
            network, answer = load_teacher(teacher, val.classes, neither=photos.neither)
        head = answers and load_head(answers)
        known = Teacher(network, answer, photos.images, original_head=head, size=teacher_size, weight=imitation)
        starts_as_teacher = job.base is not None and identity(job.base) == identity(teacher)
        first = None
        if (job.start or job.base) and not starts_as_teacher:  # a student of random weights has nothing to lose
            first = projection(started(job, recipe, photos), known, photos.images, recipe.stages[0][0])

        def make_model(size: int, optimizer: keras.Optimizer) -> keras.Model:
            student = started(job, recipe, photos)
            return _training_model(student, known, first, size, recipe, optimizer, photos.neither, starts_as_teacher)

        inputs = {"model": job.name, "teacher": identity(teacher), "start": identity(job.start)} | known.objective
        # Runs of earlier versions record these two only where they are given.
        inputs |= {name: identity(file) for name, file in (("base", job.base), ("answers", answers)) if file}
        trained, rows = trainer.train(
            make_model, recipe, photos, job.run, inputs=inputs | photos.identity, restart=job.restart
        )
    training = provenance(photos, job, recipe, rows, precision=used) | known.objective | origins
    return finish(trained.get_layer(job.name), job, val, training)


class Imitation(layers.Layer):
    """Add the loss from a teacher during training; pass the student's probabilities on.

    Call arguments: the student's probabilities; its last map (N, h, w, S); the teacher's crops, pixels 0..255.
    The loss is `teacher.weight` times the sum of

    - the feature loss of whole crops: mean squared error of the standardised pooled features, after the projection,
    - PLACES times the same for the features of each place,
    - ANSWERS times the cross entropy with the teacher's answers, if it knows the classes,
    - EARLIER times the KL divergence of the answers of its original last layer, if that is given.

    The features of a student that `starts_as_teacher` are not projected, so that they stay what they are.
    """

    def __init__(self, teacher: Teacher, starts_as_teacher: bool = False, **kwargs):
        super().__init__(dtype="float32", name="imitation", **kwargs)
        self.teacher = teacher  # not a layer, so that checkpoints do not hold its weights
        self.projection = (
            None if starts_as_teacher else layers.Dense(len(teacher.mean), dtype="float32", name="projection")
        )

    def build(self, probabilities_shape, places_shape, crops_shape):
        if self.projection:
            self.projection.build(places_shape)

    def call(self, probabilities, places, crops, training=False):
        if training:
            features = ops.cast(self.teacher.network(crops, training=False), "float32")
            self.add_loss(self.teacher.weight * self._loss(probabilities, ops.cast(places, "float32"), features))
        return probabilities

    def _loss(self, probabilities, places, features):
        """The loss, given the teacher's features of each place (N, h', w', F)."""
        teacher = self.teacher
        mean, deviation, place_deviation = map(
            ops.convert_to_tensor, (teacher.mean, teacher.deviation, teacher.place_deviation)
        )
        target = ops.stop_gradient((features - mean) / place_deviation)
        student = self.projection(places) if self.projection else (places - mean) / place_deviation
        whole = (ops.mean(student, (1, 2)) - ops.mean(target, (1, 2))) * place_deviation / deviation
        each_place = student - augment.resampled(target, *student.shape[1:3])
        loss = ops.mean(ops.square(whole)) + PLACES * ops.mean(ops.square(each_place))
        pooled = ops.mean(features, (1, 2))
        if teacher.answer is not None:
            answers = ops.stop_gradient(teacher.answer(pooled))
            loss += ANSWERS * cross_entropy(answers.shape[-1])(answers, probabilities)
        if teacher.original_head is not None:
            kernel, bias = map(ops.convert_to_tensor, teacher.original_head)
            students = ops.mean(student, (1, 2)) * place_deviation + mean
            known = ops.stop_gradient(ops.log_softmax(pooled @ kernel + bias))
            divergence = ops.sum(ops.exp(known) * (known - ops.log_softmax(students @ kernel + bias)), axis=-1)
            loss += EARLIER * ops.mean(divergence)
        return loss


def _training_model(
    student: keras.Model,
    teacher: Teacher,
    first_projection: list[np.ndarray] | None,
    size: int,
    recipe: Recipe,
    optimizer: keras.Optimizer,
    neither: bool = False,
    starts_as_teacher: bool = False,
) -> keras.Model:
    """Batches -> the student's probabilities for crops of `size` pixels, with the teacher in the loss.

    `first_projection` is what `projection` returns, or None for a random one.
    """
    largest = max(teacher.size, size)
    batch, crops, clean = augmented(largest, recipe)
    reduction = augment.RandomResizedCrop(size, (1.0, 1.0), (1.0, 1.0), mirror=False, name="reduction")
    probabilities, places = up_to_last_map(student, student.output)(reduction(crops) if size < largest else crops)
    imitation = Imitation(teacher, starts_as_teacher)
    model = keras.Model(batch, imitation(probabilities, places, clean))
    if first_projection is not None:
        imitation.projection.set_weights(first_projection)
    loss = cross_entropy(student.output.shape[-1], recipe.label_smoothing)
    # Also recorded by itself: the training loss includes the teacher's part, and where the teacher has answers, the
    # labels do not count, which makes the validation loss 0.
    label_loss = keras.metrics.MeanMetricWrapper(loss.call, name=lineage.LABEL_LOSS)
    model.compile(
        optimizer,
        loss=loss,
        loss_weights=1.0 if teacher.answer is None else 0.0,
        weighted_metrics=[Accuracy() if neither else accuracy, label_loss],
    )
    return model
