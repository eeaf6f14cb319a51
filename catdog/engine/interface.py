"""What every engine takes and returns."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np

# Photos per batch when a folder is classified. Larger batches are no faster, because a layer's output no longer fits
# into the processor's caches, and a network for each size takes memory.
FOLDER_BATCH = 8


class Outputs(NamedTuple):
    """What a model returns for N photos; from an engine, each array is float32, and made anew."""

    # (N, classes), each row adds up to 1; from an engine not calibrated, from `Classifier` calibrated and float64.
    probabilities: np.ndarray
    # (N, h, w, classes) class activation maps: what each place adds to the logit of each class; their mean over places
    # is the logit. None where `class_maps` finds none.
    maps: np.ndarray | None = None
    # (N,) float64, set by `Classifier`, not by an engine: log odds of the output for photos of none of the classes.
    neither: np.ndarray | None = None

    @classmethod
    def from_model(cls, probabilities: np.ndarray, maps: np.ndarray | None = None) -> Outputs:
        """Outputs of a network with one column per class, or with one sigmoid for the second of two classes.

        A sigmoid becomes two columns, whose logits are 0 and that of the network.
        """
        if probabilities.shape[1:] == (1,):
            probabilities = np.concatenate([1 - probabilities, probabilities], axis=1)
            maps = None if maps is None else np.concatenate([np.zeros_like(maps), maps], axis=-1)
        return cls(probabilities, maps)

    def of(self, index: int) -> Outputs:
        """The outputs for one photo: each array without its first axis."""
        return Outputs(*(None if values is None else values[index] for values in self))


class Engine(Protocol):
    """Runs one model, for one caller at a time, as each call uses all cores.

    Call it with float32 (N, H, W, channels), scaled as the spec says. `runtime` names what runs the model. `problem` is
    a sentence about a fallback that was taken, or empty.
    """

    runtime: str
    problem: str

    def __call__(self, batch: np.ndarray) -> Outputs: ...


def are_probabilities(outputs: np.ndarray) -> bool:
    """Whether all values are numbers from 0 to 1, give or take rounding errors."""
    return bool(np.all((outputs >= -1e-4) & (outputs <= 1 + 1e-4)))  # False for NaN
