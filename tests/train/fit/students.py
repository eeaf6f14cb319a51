"""A teacher and a student that are small enough to work out by hand."""

import keras
import numpy as np

from train.networks import architectures

MIXED = np.array([[0.2, 0.7, 0.0], [0.5, 0.0, 0.5], [0.0, 0.3, 0.4]], np.float32)


def colours() -> keras.Model:
    """A network whose features are the colours of each place."""
    pixels = keras.Input((None, None, 3))
    return keras.Model(pixels, keras.layers.Identity()(pixels))


def mixing_student() -> keras.Model:
    """A student whose features are mixtures of the colours of each place."""
    pixels = keras.Input((None, None, 3))
    mixtures = keras.layers.Dense(3, use_bias=False)
    pooled = keras.layers.GlobalAveragePooling2D()(mixtures(pixels))
    mixtures.set_weights([MIXED])
    return keras.Model(pixels, architectures.head(2)(pooled))
