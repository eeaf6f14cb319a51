"""Inputs, loss and metric of the models that `fit` and `distill` train."""

import keras
from keras import layers, ops

from train.data import augment
from train.networks.recipes import Recipe


def augmented(size: int, recipe: Recipe) -> tuple[dict[str, keras.KerasTensor], keras.KerasTensor, keras.KerasTensor]:
    """Make the inputs of a training model, named as in `Batches`, and random crops: (inputs, crops, teacher's crops).

    Crops are float32 (B, size, size, 3). With `recipe.degrade`, the teacher's show the same places without colour
    jitter and loss of quality; otherwise they are the same tensor.
    """
    batch = {
        "photos": keras.Input((None, None, 3), dtype="uint8", name="photos"),
        "shares": keras.Input((1,), name="shares"),
    }
    crop = augment.RandomResizedCrop(size, recipe.scale, name="crop")
    jitter, cutmix = augment.ColorJitter(recipe.jitter, name="jitter"), augment.CutMix(name="cutmix")
    if not recipe.degrade:
        crops = cutmix(jitter(crop(batch["photos"])), batch["shares"])
        return batch, crops, crops
    batch["clean"] = keras.Input((None, None, 3), dtype="uint8", name="clean")
    both = crop(layers.Concatenate()([batch["photos"], batch["clean"]]))
    both = layers.Concatenate()([jitter(both[..., :3]), both[..., 3:]])
    both = cutmix(both, batch["shares"])
    return batch, both[..., :3], both[..., 3:]


def cross_entropy(outputs: int, label_smoothing: float = 0.0) -> keras.losses.Loss:
    """The loss of a network with `outputs` outputs for the targets of `batches.targets`: binary for one."""
    kind = keras.losses.BinaryCrossentropy if outputs == 1 else keras.losses.CategoricalCrossentropy
    return kind(label_smoothing=label_smoothing)


def accuracy(targets, outputs):
    """Whether the predicted class is the one with the largest share of the photo: float32 (B,)."""
    if outputs.shape[-1] == 1:
        right = ops.equal(targets[:, 0] > 0.5, outputs[:, 0] > 0.5)
    else:
        right = ops.equal(ops.argmax(targets, axis=-1), ops.argmax(outputs, axis=-1))
    return ops.cast(right, "float32")


class Accuracy(keras.metrics.Mean):
    """`accuracy` among the classes, for a network that has an output for neither.

    Targets and outputs (B, classes + 1), the last of which is for neither. Photos of neither do not count.
    """

    def __init__(self, name="accuracy", **kwargs):
        super().__init__(name=name, **kwargs)

    def update_state(self, targets, outputs, sample_weight=None):
        of_class = ops.cast(ops.sum(targets[:, :-1], axis=-1) > 0.5, "float32")
        weight = of_class if sample_weight is None else of_class * ops.cast(sample_weight, "float32")
        return super().update_state(accuracy(targets[:, :-1], outputs[:, :-1]), sample_weight=weight)
