"""What a network takes for a photo is known before it gets one."""

from __future__ import annotations

import pytest

from catdog.keras_file import footprint
from catdog.keras_file.footprint import held_for, photos_at_once, require_small
from catdog.keras_file.refusals import Refused

PHOTO = 8 * 8 * 3


def row(count):
    """Layers of which each needs only the one before."""
    import keras

    photo = tensor = keras.Input((8, 8, 3))
    for _ in range(count):
        tensor = keras.layers.Activation("relu")(tensor)
    return keras.Model(photo, tensor)


def fan(count):
    """Layers that can all begin at once, and are needed one after the other."""
    import keras

    photo = keras.Input((8, 8, 3))
    first, *others = [keras.layers.Activation("relu")(photo) for _ in range(count)]
    for other in others:
        first = keras.layers.Add()([first, other])
    return keras.Model(photo, first)


def one(layer, shape=(8, 8, 3)):
    import keras

    return keras.Sequential([keras.Input(shape), layer])


def attention():
    import keras

    tokens = keras.Input((50, 4))
    return keras.Model(tokens, keras.layers.MultiHeadAttention(6, 2)(tokens, tokens))


def separable():
    import keras

    return one(keras.layers.SeparableConv2D(1, 1, depth_multiplier=9))


@pytest.mark.parametrize(
    ("make", "held"),
    [
        (lambda: row(1), 2 * PHOTO),
        (lambda: row(30), 2 * PHOTO),
        (lambda: one(row(30)), 2 * PHOTO),
        (lambda: fan(10), 11 * PHOTO),
        (attention, 2 * 50 * 4 + 2 * 6 * 50 * 50),
        (separable, PHOTO + 64 + 9 * PHOTO),
    ],
    ids=["layer", "row", "model", "fan", "attention", "separable"],
)
def test_what_is_held_at_once_is_counted(make, held, monkeypatch):
    model = make()
    assert held_for(model, None) == held
    monkeypatch.setattr(footprint, "MOST_TOGETHER", 5 * held)
    assert photos_at_once(model, (8, 8)) == 5
    monkeypatch.setattr(footprint, "MOST_HELD", held)
    require_small(model, "model.h5", None)
    monkeypatch.setattr(footprint, "MOST_HELD", held - 1)
    with pytest.raises(Refused) as caught:
        require_small(model, "model.h5", None)
    assert caught.value.code == "absurd_size"
