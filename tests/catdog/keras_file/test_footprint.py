"""What a network takes for a photo is known before it gets one."""

from __future__ import annotations

import keras
import pytest
from keras import layers

from catdog.keras_file import footprint
from catdog.keras_file.footprint import held_for, photos_at_once, require_small
from catdog.keras_file.refusals import Refused

PHOTO = 8 * 8 * 3


def row(count):
    """Layers of which each needs only the one before."""
    photo = tensor = keras.Input((8, 8, 3))
    for _ in range(count):
        tensor = layers.Activation("relu")(tensor)
    return keras.Model(photo, tensor)


def fan(count):
    """Layers that can all begin at once, and are needed one after the other."""
    photo = keras.Input((8, 8, 3))
    first, *others = [layers.Activation("relu")(photo) for _ in range(count)]
    for other in others:
        first = layers.Add()([first, other])
    return keras.Model(photo, first)


def one(layer):
    return keras.Sequential([keras.Input((8, 8, 3)), layer])


def attention():
    tokens = keras.Input((50, 4))
    return keras.Model(tokens, layers.MultiHeadAttention(6, 2)(tokens, tokens))


@pytest.mark.parametrize(
    ("make", "held"),
    [
        (lambda: row(1), 2 * PHOTO),
        (lambda: row(30), 2 * PHOTO),
        (lambda: one(row(30)), 2 * PHOTO),
        (lambda: fan(10), 11 * PHOTO),
        (attention, 2 * 50 * 4 + 2 * 6 * 50 * 50),
        (lambda: one(layers.SeparableConv2D(1, 1, depth_multiplier=9)), PHOTO + 64 + 9 * PHOTO),
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
