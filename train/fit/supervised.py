"""Train one classifier and write its `.h5` and spec."""

from __future__ import annotations

import contextlib
import dataclasses
from pathlib import Path

import keras
import numpy as np
from keras import layers, ops

from catdog.classifier import Classifier, calibrated
from catdog.engine import Outputs, load_engine
from catdog.engine.keras_engine import KerasEngine
from catdog.errors import InvalidSettings, ModelMismatch
from catdog.models.neither import Neither
from catdog.models.spec import ModelSpec, find_specs, sha256_of
from catdog.settings import Settings
from train.data import augment, dataset
from train.fit import trainer
from train.fit.job import Job, Product
from train.fit.provenance import base_provenance, identity, origin_of, provenance, without_repeats
from train.fit.trainer import Recipe
from train.folders import require_writable, whole
from train.measure.answers import outputs_of, predict
from train.measure.calibration.fit_neither import fit_neither
from train.measure.calibration.fit_temperature import fit_shift, fit_temperature
from train.measure.metrics import measure
from train.networks import architectures, h5
from train.networks.fused import fused, settled

# Watched on the validation photos of Dogs vs. Cats; its test photos played no part.
RECIPES = {
    "scratch_cnn": Recipe(
        stages=((64, 4), (96, 22), (128, 14), (160, 8)), learning_rate=2e-3, weight_decay=0.05, ema=0.998, cutmix=0.15
    ),
    # With weights of ImageNet, which was not tried: the shipped one was made by `distill`.
    "xception": Recipe(
        stages=((128, 1), (128, 4)), frozen_stages=1, learning_rate=1e-4, scale=(0.5, 1.0), jitter=0.1, ema=0.998
    ),
    "mobilenet_v2": Recipe(stages=((160, 8),), learning_rate=3e-4, ema=0.998),
    **dict.fromkeys(
        ("efficientnet_lite0", "efficientnet_lite2"),
        # In bfloat16 depthwise convolutions would take twice the time.
        Recipe(stages=((160, 8),), learning_rate=3e-4, ema=0.998, settled=True, precision="float32"),
    ),
    "resnet50": Recipe(stages=((160, 2), (160, 2)), frozen_stages=1, learning_rate=1e-4, scale=(0.5, 1.0), ema=0.99),
}
# Photos are kept larger than most crops that are cut from them, since those are enlarged parts.
STORED_SIZE = 200
# Precisions to try for the shipped weights; 11 bits is that of float16, 24 that of float32.
SIGNIFICANT_BITS = (11, 12, 13, 14, 24)


def fit(job: Job, *, base: str | None = None, start: Path | None = None) -> ModelSpec:
    """Train a classifier on `data`/train, watched on `data`/val; write it and its spec.

    A run that was killed goes on from its last finished epoch when called with the same settings.
    `base` is as in `architectures.build_base`; `start` is an `.h5` of the same architecture and
    number of classes to go on from, instead of a base. A network that could be pretrained needs one of them.
    """
    if base is None and not start and architectures.get(job.name).pretrained:
        raise InvalidSettings(
            f"The recipe of {job.name} is one for pretrained weights: add --base imagenet, --base or --start with an "
            ".h5, or --base none for random weights."
        )
    if base in (None, "none") and not start:  # random weights are nothing to keep
        job = dataclasses.replace(job, recipe=dataclasses.replace(job.recipe, frozen_stages=0))
    origin = origin_of(start) if start else base_provenance(base)
    splits, photos = prepared(job, start, base)

    def make_model(size: int, optimizer: keras.Optimizer) -> keras.Model:
        network = started(job, photos, start, base=base)
        return _training_model(network, size, job.recipe, optimizer, photos.neither)

    inputs = {"model": job.name, "base": identity(base), "start": identity(start)} | inputs_of(splits, photos)
    with trainer.precision(job.recipe.precision) as precision:
        trained, history = trainer.train(make_model, job.recipe, photos, job.run, inputs=inputs, restart=job.restart)
    training = provenance(photos, job, history, precision=precision) | {"base": origin}
    return finish(trained.get_layer(job.name), job, splits[1], training)


def prepared(
    job: Job, *sources: str | Path | None, unlabelled: bool = False
) -> tuple[tuple[dataset.Split, dataset.Split], trainer.Data]:
    """The splits train and val of a job and their decoded photos; raises before anything is trained.

    `sources` are the files that it begins with or learns from. Photos without a label are left out unless something
    is to be learned from `unlabelled` ones.
    """
    require_other(job, *sources)
    require_writable(job.out)
    train_split, val_split = dataset.find_training(job.data, job.limit, job.more)
    if not unlabelled:
        train_split = train_split.at(train_split.labels != dataset.UNKNOWN)
    require_same_classes(job, val_split.classes)
    stored_size = max(STORED_SIZE, job.image_size, *(size for size, _ in job.recipe.stages))
    return (train_split, val_split), load_data(train_split, val_split, stored_size, job.image_size, job.data / ".cache")


def inputs_of(splits: tuple[dataset.Split, dataset.Split], photos: trainer.Data) -> dict[str, int | str]:
    """What tells whether two runs learn from the same photos and labels."""
    return photos.counts() | {"digest of photos and labels": dataset.digest(*splits)}


def require_other(product: Product, *sources: str | Path | None) -> None:
    """Raise InvalidSettings where a run would replace one of the files that it begins with or learns from."""
    written = {file.resolve() for file in (product.file, product.run / product.file.name)}
    for source in filter(None, sources):
        if Path(source).resolve() in written:
            raise InvalidSettings(f"The run would replace {source}, which it needs: choose another --out or --run.")


def require_same_classes(product: Product, classes: tuple[str, ...]) -> None:
    """Raise InvalidSettings where a model in the folder of the product has other classes: they could not be served."""
    for path in find_specs(product.out):
        with contextlib.suppress(ModelMismatch):
            spec = ModelSpec.read(path)
            if spec.classes != classes:
                raise InvalidSettings(
                    f"{product.out} holds {spec.name}, which knows the classes {', '.join(spec.classes)}; "
                    f"the data folder has {', '.join(classes)}: choose another --out."
                )


def started(job: Job, photos: trainer.Data, start: Path | None, *, base: str | None = None) -> keras.Model:
    """The network of a job for photos of any size, with the weights it begins with."""
    network = architectures.build(job.name, classes=photos.classes, neither=photos.neither, base=base)
    if start:
        architectures.load_classifier(network, start)
    return settled(network) if job.recipe.settled else fused(network)


def finish(trained: keras.Model, product: Product, val: dataset.Split, training: dict) -> ModelSpec:
    """Save, reload, calibrate and measure a trained network; the spec is written last.

    0. Balance its last layer on `val`, and save it as it is in the run's folder, for `evaluate` to
       compare with.
    1. Save the `.h5` under a temporary name with rounded weights and load it as serving does.
    2. If a label of `val` differs from the trained model's, save it again with a bit more, up to
       full precision.
    3. Fit the temperature and measure on `val`, then put both files in place. Calibration is thus
       measured on the photos that it was fitted on; `evaluate` measures it on others. Where there are
       photos of neither and further folders, measure on theirs, too.

    A process killed between the two files leaves a model that serving refuses, by its checksum; the
    same command mends it, without training again.
    """
    neither = trained.outputs[0].shape[-1] == len(val.classes) + 1
    model = architectures.build(product.name, classes=len(val.classes), neither=neither, image_size=product.image_size)
    model.set_weights(trained.get_weights())
    with whole(product.file) as partial:
        _balance(model, _saved(model, val, partial, h5.FLOAT32_BITS)[1].probabilities, val.labels)
        h5.save(model, product.run / product.file.name)
        labels = None
        for bits in SIGNIFICANT_BITS:
            served, outputs = _saved(model, val, partial, bits)
            if labels is None:
                exact = Classifier(served.spec, KerasEngine(model))
                labels = predict([exact], val)[product.name].argmax(axis=1)
            if (outputs.probabilities.argmax(axis=1) == labels).all():
                break
        training = without_repeats(training) | {"parameters": model.count_params(), "significant_bits": bits}
        temperature = fit_temperature(outputs.probabilities, val.labels)
        probabilities = calibrated(outputs.probabilities, temperature)
        figures = measure(probabilities, val.labels, val.classes, uncalibrated=outputs.probabilities)
        spec = served.spec.replace(temperature=temperature, metrics={"val": figures}, training=training)
        spec = _measured_elsewhere(Classifier(spec, served.engine), product, outputs.neither)
    spec.write(product.file.with_suffix(".json"))
    return spec


def _measured_elsewhere(served: Classifier, product: Product, refused: np.ndarray | None) -> ModelSpec:
    """The spec of a model with what it says of validation photos of neither, and of those in further folders.

    `refused` is how likely it takes each photo of the classes in `product.data`/val for one of neither, (N,).
    """
    spec, elsewhere = served.spec, dataset.find_elsewhere(product.data, "val", product.more, product.limit)
    if not len(elsewhere):
        return spec
    outputs = outputs_of([served], elsewhere)[spec.name]
    of_classes = elsewhere.labels < len(elsewhere.classes)
    if of_classes.any():
        figures = measure(outputs.probabilities[of_classes], elsewhere.labels[of_classes], elsewhere.classes)
        spec = spec.replace(metrics=spec.metrics | {"elsewhere": figures})
    if refused is None:
        return spec
    return spec.replace(neither=fit_neither(refused, outputs.neither[~of_classes]))


def _balance(model: keras.Model, outputs: np.ndarray, labels: np.ndarray) -> None:
    """Add to the bias of the last layer what its `outputs` on photos with these labels ask for."""
    shift = fit_shift(outputs, labels)
    bias = model.layers[-1].bias
    if bias.shape[0] > len(shift):  # the last output is for neither
        shift = np.append(shift - shift.mean(), 0.0)
    bias.assign_add(shift if bias.shape[0] > 1 else shift[1:])


def _saved(model: keras.Model, val: dataset.Split, path: Path, bits: int) -> tuple[Classifier, Outputs]:
    """Save to `path`; return the file as it is served, and what it says of `val`."""
    name = model.name
    h5.save(model, path, bits=bits)
    neither = model.output.shape[-1] == len(val.classes) + 1
    spec = ModelSpec(
        name=name,
        title=architectures.get(name).title,
        architecture=name,
        file=f"{name}.h5",
        sha256=sha256_of(path),
        bytes=path.stat().st_size,
        image_size=model.input_shape[1],
        classes=val.classes,
        neither=Neither(threshold=0.5) if neither else None,
    )
    served = Classifier(spec, load_engine(path, spec, Settings(engine="tensorflow")))
    return served, outputs_of([served], val)[name]


def load_data(train: dataset.Split, val: dataset.Split, stored_size: int, image_size: int, cache: Path) -> trainer.Data:
    """Decode both splits: training photos at `stored_size`, validation photos as they are served."""
    return trainer.Data(
        dataset.load_images(train, stored_size, cache=cache),
        train.labels,
        dataset.load_images(val, image_size, cache=cache),
        val.labels,
        len(train.classes),
        neither=len(train.of_neither) > 0,
        chances=dataset.chances(train),
    )


def _training_model(network, size, recipe, optimizer, neither: bool = False) -> keras.Model:
    batch, crops, _ = augmented(size, recipe)
    model = keras.Model(batch, network(crops))
    loss = cross_entropy(network.output.shape[-1], recipe.label_smoothing)
    model.compile(optimizer, loss=loss, weighted_metrics=[Accuracy() if neither else accuracy])
    return model


def augmented(size: int, recipe: Recipe) -> tuple[dict[str, keras.KerasTensor], keras.KerasTensor, keras.KerasTensor]:
    """The inputs of a training model, as `dataset.Batches` fills them, and crops of `size` pixels of them.

    Twice: as a network is to learn from them, and the same crops before they lost quality, for its teacher.
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


class Accuracy(keras.metrics.Mean):
    """How many photos of a class, most of which they show, are said to be of it rather than of another class.

    Targets and outputs (B, classes + 1), the last of which is for neither.
    """

    def __init__(self, name="accuracy", **kwargs):
        super().__init__(name=name, **kwargs)

    def update_state(self, targets, outputs, sample_weight=None):
        of_class = ops.cast(ops.sum(targets[:, :-1], axis=-1) > 0.5, "float32")
        weight = of_class if sample_weight is None else of_class * ops.cast(sample_weight, "float32")
        return super().update_state(accuracy(targets[:, :-1], outputs[:, :-1]), sample_weight=weight)


def accuracy(targets, outputs):
    """Whether the class said is the one that most of the photo shows: float32 (B,)."""
    if outputs.shape[-1] == 1:
        right = ops.equal(targets[:, 0] > 0.5, outputs[:, 0] > 0.5)
    else:
        right = ops.equal(ops.argmax(targets, axis=-1), ops.argmax(outputs, axis=-1))
    return ops.cast(right, "float32")


def cross_entropy(outputs: int, label_smoothing: float = 0.0) -> keras.losses.Loss:
    """The loss for targets as `dataset.targets` makes them, of so many outputs: binary for one."""
    kind = keras.losses.BinaryCrossentropy if outputs == 1 else keras.losses.CategoricalCrossentropy
    return kind(label_smoothing=label_smoothing)
