"""Train one classifier and write its `.h5` and spec."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import keras

from catdog.compare import Classifier, calibrated
from catdog.config import Settings
from catdog.engine import load_engine
from catdog.errors import InvalidSettings
from catdog.spec import ModelSpec, sha256_of

from . import architectures, augment, calibrate, dataset, evaluate, h5, trainer
from .files import require_writable, whole
from .provenance import base_provenance, identity, provenance, start_provenance
from .trainer import Recipe

# Watched on the validation photos of Dogs vs. Cats; its test photos played no part.
RECIPES = {
    "scratch_cnn": Recipe(stages=((64, 6), (96, 16), (112, 2)), learning_rate=2e-3, weight_decay=0.05, ema=0.998),
    "xception": Recipe(stages=((96, 1),), learning_rate=2e-4, scale=(0.5, 1.0), ema=0.99),
    "resnet50": Recipe(stages=((160, 2), (160, 2)), frozen_stages=1, learning_rate=1e-4, scale=(0.5, 1.0), ema=0.99),
}
# Photos are kept somewhat larger than the crops that are cut from them.
STORED_SIZE = 160
# Precisions to try for the shipped weights; 11 bits is that of float16, 24 that of float32.
SIGNIFICANT_BITS = (11, 12, 13, 14, 24)


def fit(
    name: str,
    data: Path,
    *,
    base: str | None,
    start: Path | None = None,
    recipe: Recipe,
    run: Path,
    out: Path,
    image_size: int | None = None,
    limit: int | None = None,
    dataset_name: str = "",
    command: str = "",
) -> ModelSpec:
    """Train `name` on `data`/train, watched on `data`/val; write `out`/name.h5 and its spec.

    A run that was killed goes on from its last finished epoch when called with the same settings.
    The model before its weights are rounded stays in `run`, for `evaluate` to compare with.
    `start` is an `.h5` of the same architecture and number of classes to go on from, instead of a
    base. `limit` takes the first photos of each class only.
    """
    image_size = architectures.get(name).image_size if image_size is None else image_size
    if not 8 <= image_size <= trainer.LARGEST_SIZE:
        raise InvalidSettings(f"The image size must be 8 to {trainer.LARGEST_SIZE} pixels. Received: {image_size}.")
    if start and start.resolve() == (out / f"{name}.h5").resolve():
        raise InvalidSettings(f"The run would replace {start}, from which it starts: choose another --out.")
    if base in (None, "none") and not start:
        recipe = dataclasses.replace(recipe, frozen_stages=0)  # random weights are nothing to keep
    require_writable(out)
    train_split, val_split = dataset.find_training(data, limit)
    photos = load_data(train_split, val_split, image_size, data / ".cache")

    def make_model(size: int, optimizer: keras.Optimizer) -> keras.Model:
        network = architectures.build(name, classes=photos.classes, base=base)
        if start:
            architectures.load_classifier(network, start)
        return _training_model(network, size, photos.classes, recipe, optimizer)

    inputs = {"model": name, "base": identity(base), "start": identity(start)} | photos.counts()
    with trainer.precision(recipe.precision) as precision:
        trained, history = trainer.train(make_model, recipe, photos, run, inputs=inputs)
    model = architectures.build(name, classes=photos.classes, image_size=image_size)
    model.set_weights(trained.get_layer(name).get_weights())
    training = provenance(photos, recipe, history, precision=precision, command=command, dataset=dataset_name)
    training |= {
        "base": start_provenance(start) if start else base_provenance(base),
        "parameters": model.count_params(),
    }
    h5.save(model, run / f"{name}.h5")
    return finish(model, name, val_split, training, out)


def finish(model: keras.Model, name: str, val: dataset.Split, training: dict, out: Path) -> ModelSpec:
    """Save, reload, calibrate and measure a trained model; the spec is written last.

    1. Save the `.h5` under a temporary name with rounded weights and load it as serving does.
    2. If a label of `val` differs from the trained model's, save it again with a bit more, up to
       full precision.
    3. Fit the temperature and measure on `val`, then put both files in place. Calibration is thus
       measured on the photos that it was fitted on; `evaluate` measures it on others.

    A process killed between the two files leaves a model that serving refuses, by its checksum; the
    same command mends it, without training again.
    """
    out.mkdir(parents=True, exist_ok=True)
    with whole(out / f"{name}.h5") as partial:
        labels = None
        for bits in SIGNIFICANT_BITS:
            spec, outputs = _saved(model, name, val, partial, bits)
            if labels is None:
                exact = Classifier(spec, model.predict_on_batch)
                labels = evaluate.predict([exact], val)[name].argmax(axis=1)
            if (outputs.argmax(axis=1) == labels).all():
                break
        training = training | {"significant_bits": bits}
        temperature = calibrate.fit_temperature(outputs, val.labels)
        probabilities = calibrated(outputs, temperature)
        figures = evaluate.measure(probabilities, val.labels, val.classes, uncalibrated=outputs)
        spec = dataclasses.replace(spec, temperature=temperature, metrics={"val": figures}, training=training)
    spec.write(out / f"{name}.json")
    return spec


def _saved(model: keras.Model, name: str, val: dataset.Split, path: Path, bits: int):
    """Save to `path`; return the file's spec and its probabilities on `val` through serving."""
    h5.save(model, path, bits=bits)
    spec = ModelSpec(
        name=name,
        title=architectures.get(name).title,
        architecture=name,
        file=f"{name}.h5",
        sha256=sha256_of(path),
        bytes=path.stat().st_size,
        image_size=model.input_shape[1],
        classes=val.classes,
    )
    served = Classifier(spec, load_engine(path, spec, Settings()))
    return spec, evaluate.predict([served], val)[name]


def load_data(train: dataset.Split, val: dataset.Split, image_size: int, cache: Path) -> trainer.Data:
    """Decode both splits: training photos at STORED_SIZE, validation photos as they are served."""
    return trainer.Data(
        dataset.load_images(train, max(STORED_SIZE, image_size), cache=cache),
        train.labels,
        dataset.load_images(val, image_size, cache=cache),
        val.labels,
        len(train.classes),
    )


def _training_model(network, size, classes, recipe, optimizer) -> keras.Model:
    crop = augment.RandomResizedCrop(size, recipe.scale, name="crop")
    pixels = keras.Input((None, None, 3), dtype="uint8", name="photos")
    crops = augment.ColorJitter(recipe.jitter, name="jitter")(crop(pixels))
    model = keras.Model(pixels, network(crops))
    model.compile(optimizer, loss=loss(classes, recipe.label_smoothing), metrics=["accuracy"])
    return model


def loss(classes: int, label_smoothing: float) -> keras.losses.Loss:
    """Cross entropy for the targets that `dataset.targets` makes."""
    kind = keras.losses.BinaryCrossentropy if classes == 2 else keras.losses.CategoricalCrossentropy
    return kind(label_smoothing=label_smoothing)
