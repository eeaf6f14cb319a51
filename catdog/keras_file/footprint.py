"""How much memory a network takes for a photo, found out before it is given one."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras
from keras import layers

from catdog.keras_file.head import through
from catdog.keras_file.refusals import refused

# Numbers that layers hold at once for one photo, 4 bytes each. EfficientNetB7 holds 52 million for its 600 pixels.
MOST_HELD = 2**27
MOST_TOGETHER = 2**28  # for photos in one batch


def require_small(model: keras.Model, name: str, size: tuple[int, int] | None) -> None:
    """Raise Refused where layers hold more than MOST_HELD numbers.

    size  height and width, for sides that the model leaves open; without it such a model is not looked at
    """
    held = held_for(model, size)
    if held and held > MOST_HELD:
        raise refused("absurd_size", name, reason=f"its layers hold {held:,} numbers for each photo")


def photos_at_once(model: keras.Model, size: tuple[int, int]) -> int:
    """How many photos of this height and width a batch may have, at least one."""
    return max(1, MOST_TOGETHER // (held_for(model, size) or 1))


class Step(NamedTuple):
    """What a layer takes and makes, and how many numbers it holds besides."""

    taken: list[keras.KerasTensor]
    made: list[keras.KerasTensor]
    inside: int


def held_for(model: keras.Model, size: tuple[int, int] | None) -> int | None:
    """The most numbers that exist at once for a photo, whether layers run as early or as late as they can.

    None where the size of a photo is not known.
    """
    photos = [_of_one_photo(tensor, size) for tensor in model.inputs]
    if any(None in photo.shape for photo in photos):
        return None
    steps: list[Step] = []

    def counted(layer: keras.Operation) -> Callable[..., Any]:
        def made(*arguments: Any, **options: Any) -> Any:
            if isinstance(layer, keras.Model):
                return through(layer, arguments[0], counted)
            outputs = layer.compute_output_spec(*arguments, **options)
            taken = [one for one in keras.tree.flatten([arguments, options]) if isinstance(one, keras.KerasTensor)]
            found = keras.tree.flatten(outputs)
            steps.append(Step(taken, found, _inside(layer, taken, found)))
            return outputs

        return made

    through(model, photos, counted)
    return max(_most_held(steps), _most_held(_early(steps)))


def _of_one_photo(tensor: keras.KerasTensor, size: tuple[int, int] | None) -> keras.KerasTensor:
    sides = [side or given for side, given in zip(tensor.shape[1:3], size or (None, None), strict=False)]
    return keras.KerasTensor((1, *sides, *tensor.shape[3:]), tensor.dtype)


def _early(steps: Sequence[Step]) -> list[Step]:
    """The steps in the order in which they can begin: Keras runs each as late as it can, TensorFlow as early."""
    level: dict[int, int] = {}
    for step in steps:
        level |= dict.fromkeys(map(id, step.made), 1 + max((level.get(id(one), 0) for one in step.taken), default=0))
    return sorted(steps, key=lambda step: max(level[id(one)] for one in step.made))


def _most_held(steps: Sequence[Step]) -> int:
    """The most numbers that exist at once, where each tensor is given up after the last step that takes it."""
    last = {id(one): place for place, step in enumerate(steps) for one in step.taken}
    held: dict[int, int] = {}
    most = 0
    for place, (taken, made, inside) in enumerate(steps):
        held |= {id(one): math.prod(one.shape) for one in (*taken, *made)}
        most = max(most, sum(held.values()) + inside)
        held = {key: count for key, count in held.items() if last.get(key, -1) > place}
    return most


def _inside(layer: Any, taken: Sequence[keras.KerasTensor], made: Sequence[keras.KerasTensor]) -> int:
    """The numbers between inputs and outputs of layers that can make far more of them than they hand on."""
    first, second = taken[0].shape, taken[min(1, len(taken) - 1)].shape
    pairs = math.prod(first[:-1]) * math.prod(second[1:-1])
    match layer:
        case layers.SeparableConv1D() | layers.SeparableConv2D():
            return math.prod(made[0].shape[:-1]) * first[-1] * layer.depth_multiplier
        case layers.MultiHeadAttention():
            return 2 * pairs * layer.num_heads
        case layers.GroupQueryAttention():
            return 2 * pairs * layer.num_query_heads
        case layers.Attention():  # and AdditiveAttention
            return 2 * pairs * first[-1]
    return 0
