"""A frozen network whose features and answers a student learns."""

from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
from keras import layers, ops

from catdog.errors import InvalidSettings
from catdog.models.spec import ModelSpec
from catdog.models.training_runs import steps_to
from train.data import augment
from train.fit.provenance import spec_beside
from train.networks import architectures
from train.networks.recipes import TEACHER_SIZE
from train.networks.settled import settled

# Weights in the loss of a student, where the feature loss of whole crops counts 1: of the feature loss of each place,
# of the answers for the student's classes, and of the answers for the teacher's original classes.
PLACES = 0.5
ANSWERS = 2.0
EARLIER = 0.5
# This many photos are enough for the statistics of the features, and for the first projection.
SAMPLE = 2048
# Ridge penalty of the first projection, as a share of the mean square of the student's features.
RIDGE = 0.2


class Teacher:
    """A frozen network and the statistics of its features.

    network          pixels 0..255 (N, H, W, 3) to a map of features (N, h, w, F)
    answer           pooled features (N, F) to probabilities of the student's classes, or None
    mean             float32 (F,), of the features in a sample of whole photos, `images` (uint8 (N, S, S, 3))
    deviation        float32 (F,), standard deviation of the pooled features of a photo
    place_deviation  float32 (F,), standard deviation of the features of a place
    original_head    kernel (F, N) and bias (N,) from pooled features to the logits of N other classes that the teacher
                     knew first, or None
    size             pixels of the crops that it sees
    weight           factor of the whole loss from the teacher
    """

    def __init__(
        self,
        network: keras.Model,
        answer: layers.Dense | None,
        images: np.ndarray,
        *,
        original_head: tuple[np.ndarray, np.ndarray] | None = None,
        size: int = TEACHER_SIZE,
        weight: float = 1.0,
    ):
        network.trainable = False
        self.network, self.answer, self.original_head = network, answer, original_head
        self.size, self.weight = size, weight
        pooled, squares = [], []
        for photos in _sampled(images):
            places = _last_map(network, photos)
            pooled.append(places.mean(axis=(1, 2)))
            squares.append(np.square(places).mean(axis=(1, 2)))
        pooled = np.concatenate(pooled)
        self.mean, self.deviation = pooled.mean(axis=0), pooled.std(axis=0) + 1e-3
        variance = np.concatenate(squares).mean(axis=0) - np.square(self.mean)
        self.place_deviation = np.sqrt(np.maximum(variance, 0)) + 1e-3
        if original_head is not None and len(original_head[0]) != len(self.mean):
            raise InvalidSettings(
                f"The layer of --answers takes {len(original_head[0])} features, but the teacher has {len(self.mean)}: "
                "it belongs to another network."
            )

    @property
    def objective(self) -> dict[str, float]:
        """What the loss depends on besides the recipe, as specs and checkpoints record it."""
        weights = {"weight_of_answers": ANSWERS} if self.answer is not None else {}
        weights |= {"weight_of_earlier_answers": EARLIER} if self.original_head is not None else {}
        weights |= {"weight_of_imitation": self.weight} if self.weight != 1 else {}
        return {"teacher_size": self.size, "weight_of_places": PLACES} | weights


def load_teacher(
    path: Path, classes: tuple[str, ...], *, neither: bool = False
) -> tuple[keras.Model, layers.Dense | None]:
    """Load the network of a teacher, and its last layer if that answers for exactly these classes.

    The network takes pixels 0..255 of any size (N, H, W, 3) to a map of features (N, h, w, F). The last layer takes
    pooled features (N, F) to (N, 1) or (N, classes), or with `neither` to (N, classes + 1).

    The file holds either a classifier that was trained here, whose classes are in the spec beside it; or a Keras model
    whose first layer is a model on pixels scaled to -1..1, of which only that layer is used.
    """
    model = _loaded(path, "teacher")
    if model.name in architectures.ARCHITECTURES:
        spec = spec_beside(path)
        base = architectures.build_base(model.name, **_scales(spec))  # for photos of any size
        try:
            base.set_weights(model.get_weights()[: len(base.weights)])
        except ValueError as error:
            raise InvalidSettings(f"The weights in {path} do not fit a network {model.name}.") from error
        knows = spec is not None and spec.classes == classes and (spec.neither is not None) == neither
        return settled(up_to_last_map(base)), model.layers[-1] if knows else None
    base = next((layer for layer in model.layers if not isinstance(layer, layers.InputLayer)), None)
    if isinstance(base, keras.Model) and isinstance(base.layers[-1], layers.GlobalAveragePooling2D):
        base = up_to_last_map(base)
    elif not isinstance(base, keras.Model) or len(base.output.shape) != 4:
        raise InvalidSettings(f"The first layer of {path} is not a model with pooled features, or with a map of them.")
    pixels = keras.Input((None, None, 3))
    return keras.Model(pixels, settled(base)(architectures.symmetric(pixels)), name="teacher"), None


def _scales(spec: ModelSpec | None) -> dict[str, float]:
    """Width and depth by the newest recipe in the record of a training: an average has the network of its parts."""
    recipes = [step.record.get("recipe") for step in steps_to(spec.training) if step.is_run] if spec else []
    newest = next((recipe for recipe in reversed(recipes) if isinstance(recipe, dict)), {})
    return {name: newest[name] for name in ("width", "depth") if name in newest}


def load_head(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Kernel (F, N) and bias (N,) of the last layer of an `.h5`, from pooled features to N classes."""
    last = _loaded(path, "file of --answers").layers[-1]
    if not isinstance(last, layers.Dense):
        raise InvalidSettings(f"The last layer of {path} is not dense.")
    kernel, bias = last.get_weights()
    return kernel, bias


def _loaded(path: Path, what: str) -> keras.Model:
    try:
        return keras.models.load_model(path, compile=False)
    except Exception as error:  # Keras and h5py raise many kinds on broken files
        raise InvalidSettings(f"The {what} {path} cannot be loaded: {error}") from error


def up_to_last_map(network: keras.Model, *more: keras.KerasTensor) -> keras.Model:
    """The layers of a network up to the map (N, h, w, F) that its last average pooling takes, after outputs `more`."""
    pooling = [layer for layer in network.layers if isinstance(layer, layers.GlobalAveragePooling2D)][-1]
    return keras.Model(network.input, [*more, pooling.input] if more else pooling.input, name=network.name)


def projection(student: keras.Model, teacher: Teacher, images: np.ndarray, size: int) -> list[np.ndarray]:
    """Ridge regression of the teacher's standardised map on the student's: kernel (S, F) and bias (F,), float32.

    Over the places of a sample of whole photos, `images` (uint8 (N, H, W, 3)), which the student sees at `size`
    pixels. With a random projection, the first steps would destroy what a trained student knows.
    """
    network = up_to_last_map(student)
    products, targets = 0.0, 0.0
    for photos in _sampled(images):
        places = _last_map(network, ops.convert_to_numpy(augment.resampled(photos, size, size)))
        target = (_last_map(teacher.network, photos) - teacher.mean) / teacher.place_deviation
        target = ops.convert_to_numpy(augment.resampled(target, *places.shape[1:3]))
        rows = places.reshape(-1, places.shape[-1])
        rows = np.concatenate([rows, np.ones((len(rows), 1), np.float32)], axis=1)
        products += rows.T @ rows
        targets += rows.T @ target.reshape(len(rows), -1)
    penalty = np.full(len(products), RIDGE * np.trace(products[:-1, :-1]) / (len(products) - 1))
    penalty[-1] = 0
    solution = np.linalg.solve(products.astype(np.float64) + np.diag(penalty), targets).astype(np.float32)
    return [solution[:-1], solution[-1]]


def _sampled(images: np.ndarray) -> Iterator[np.ndarray]:
    """At most SAMPLE of the images, evenly spread, in batches."""
    sample = images[:: -(-len(images) // SAMPLE)]
    return (sample[start : start + 64] for start in range(0, len(sample), 64))


def _last_map(network: keras.Model, photos: np.ndarray) -> np.ndarray:
    """The features of each place of photos, float32 (N, h, w, F)."""
    return network.predict_on_batch(photos).astype(np.float32)
