"""Real `.h5` models small enough to make in a test."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

from catdog.models.spec import ModelSpec, sha256_of


def write_tiny_model(
    folder: Path,
    name: str,
    *,
    image_size: int = 32,
    classes: tuple[str, ...] = ("cat", "dog"),
    seed: int = 0,
    accuracy: float = 0.9,
    convolutions: int = 1,
    filters: int = 8,
) -> ModelSpec:
    """Write a real random `.h5` of a few hundred parameters, and its spec, into a folder.

    With three or more convolutions, some are quantized. With two of 64 filters, an export holds weights of each kind.
    """
    path = folder / f"{name}.h5"
    path.write_bytes(_h5(image_size, len(classes), seed, convolutions, filters))
    spec = ModelSpec(
        name=name,
        title=name.replace("_", " "),
        architecture=name,
        file=path.name,
        sha256=sha256_of(path),
        bytes=path.stat().st_size,
        image_size=image_size,
        classes=classes,
        metrics={"val": {"accuracy": accuracy, "images": 10}},
    )
    spec.write(folder / f"{name}.json")
    return spec


@functools.cache
def _h5(image_size: int, classes: int, seed: int, convolutions: int, filters: int) -> bytes:
    """The same bytes for the same arguments, so that each network is built and converted once per process."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(seed)
    units, activation = (1, "sigmoid") if classes == 2 else (classes, "softmax")
    model = keras.Sequential(
        [
            keras.Input((image_size, image_size, 3)),
            layers.Rescaling(1 / 127.5, offset=-1.0),
            layers.Conv2D(filters, 3, strides=2, activation="relu"),
            *(layers.Conv2D(filters, 3, padding="same", activation="relu") for _ in range(convolutions - 1)),
            layers.GlobalAveragePooling2D(),
            layers.Dense(units, activation=activation),
        ]
    )
    with tempfile.NamedTemporaryFile(suffix=".h5") as file:
        model.save(file.name)
        return Path(file.name).read_bytes()
