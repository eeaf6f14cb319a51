"""What `fit`, `distill` and `average` are asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from catdog.errors import InvalidSettings
from train.networks import architectures
from train.networks.recipes import LARGEST_SIZE, Recipe


@dataclass(frozen=True, kw_only=True)
class Product:
    """A model to make, from which data, and where it goes; `average` takes one.

    name        name of the architecture
    data        folder made by `prepare`
    run         folder of the checkpoints and of the model before its weights are rounded
    out         folder for the `.h5` and its spec
    image_size  input height and width of the served model, pixels; None for the architecture's own
    limit       use only so many photos of each class, the first
    more        further data folders: their train photos are learned from, their val photos measured by themselves
    dataset     name of the data, for the model card
    command     the command line that repeats this
    """

    name: str
    data: Path
    run: Path
    out: Path
    image_size: int | None = None
    limit: int | None = None
    more: tuple[Path, ...] = ()
    dataset: str = ""
    command: str = ""

    def __post_init__(self) -> None:
        usual = architectures.get(self.name).image_size
        size = usual if self.image_size is None else self.image_size
        if not 8 <= size <= LARGEST_SIZE:
            raise InvalidSettings(f"The image size must be 8 to {LARGEST_SIZE} pixels. Received: {size}.")
        object.__setattr__(self, "image_size", size)

    @property
    def file(self) -> Path:
        return self.out / f"{self.name}.h5"


@dataclass(frozen=True, kw_only=True)
class Job(Product):
    """A model to train; `fit` and `distill` take one.

    restart  begin anew where an earlier run left checkpoints
    """

    recipe: Recipe
    restart: bool = False
