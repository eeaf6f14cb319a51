"""What `fit`, `distill` and `average` are asked for: the options of their commands."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from typer import Argument, BadParameter, Option

from catdog.errors import InvalidSettings
from train.networks.recipes import LARGEST_SIZE, Recipe, parse_stages

LEAST, MOST = 0.1, 4.0  # of width and depth

# Options that other commands have, too
Data = Annotated[Path, Option(help="Folder made by `prepare`.")]
More = Annotated[list[Path], Option(help="Another data folder, such as one with photos of neither. Repeatable.")]
Limit = Annotated[int | None, Option(help="Use only the first photos of each class.")]
DatasetName = Annotated[str, Option(help="Name of the data, for the model card.")]


@dataclass(frozen=True, kw_only=True)
class Product:
    """A model to make, from which data, and where it goes; `average` takes one.

    image_size  None becomes that of the architecture
    more        folders whose train photos are added to those of `data`, and whose val photos are measured separately
    command     the command line that repeats this; not an option
    """

    name: Annotated[str, Argument(help="Architecture: scratch_cnn, xception, mobilenet_v2, ...")]
    data: Data
    more: More = ()
    out: Annotated[Path, Option(help="Folder for the model.")] = Path("weights")
    run: Annotated[Path | None, Option(help="Folder of the checkpoints. Default: one in runs/ for this model.")] = None
    image_size: Annotated[int | None, Option(help="Input size of the served model, pixels.")] = None
    width: Annotated[float, Option(help="Multiplies the number of channels of all layers.")] = 1.0
    depth: Annotated[float, Option(help="Multiplies the number of blocks of each stage.")] = 1.0
    dropout: Annotated[float | None, Option(help="Share of the features that are dropped in training.")] = None
    limit: Limit = None
    dataset: DatasetName = ""
    overwrite: Annotated[bool, Option("--overwrite", help="Replace a model in --out that another run made.")] = False
    command: str = ""

    def __post_init__(self) -> None:
        from train.networks import architectures  # and with it Keras, which `--help` does without

        usual = architectures.get(self.name).image_size
        size = usual if self.image_size is None else self.image_size
        if not 8 <= size <= LARGEST_SIZE:
            raise InvalidSettings(f"The image size must be 8 to {LARGEST_SIZE} pixels. Received: {size}.")
        for name in ("width", "depth"):
            if not LEAST <= getattr(self, name) <= MOST:
                raise InvalidSettings(f"The {name} must be {LEAST} to {MOST:g}. Received: {getattr(self, name)}.")
        object.__setattr__(self, "image_size", size)

    @property
    def file(self) -> Path:
        return self.out / f"{self.name}.h5"

    def network(self, classes: int, neither: bool, *, image_size: int | None = None, base: str | None = None) -> Any:
        """The keras.Model to train or to write, from `architectures.build`."""
        from train.networks import architectures

        size = {"width": self.width, "depth": self.depth, "dropout": self.dropout}
        return architectures.build(
            self.name, classes=classes, neither=neither, image_size=image_size, base=base, **size
        )


@dataclass(frozen=True, kw_only=True)
class Job(Product):
    """A model to train; `fit` and `distill` take one. Options that are None are those of the usual recipe."""

    base: Annotated[str | None, Option(help="Weights of the base: imagenet, none, or an .h5 that holds it.")] = None
    start: Annotated[Path | None, Option(help="An .h5 of the same architecture to continue from.")] = None
    restart: Annotated[bool, Option("--restart", help="Ignore the checkpoints of an earlier run.")] = False
    stages: Annotated[str | None, Option(metavar="SIZExEPOCHS,...", help="Photo sizes and epochs: 96x20,128x4.")] = None
    frozen_stages: Annotated[int | None, Option(help="How many of the first stages keep the base frozen.")] = None
    batch_size: Annotated[int | None, Option(help="Photos per step.")] = None
    learning_rate: Annotated[float | None, Option(help="Peak learning rate.")] = None
    head_learning_rate: Annotated[float | None, Option(help="Peak learning rate of frozen stages.")] = None
    warmup_steps: Annotated[int | None, Option(help="Steps up to the peak rate; at most a quarter of all.")] = None
    weight_decay: Annotated[float | None, Option(help="Weight decay per step, times the learning rate.")] = None
    label_smoothing: Annotated[float | None, Option(help="Share of each label that is spread over all classes.")] = None
    crop: Annotated[float | None, Option(help="Smallest share of a photo that a random crop keeps.")] = None
    cutmix: Annotated[float | None, Option(help="Share of photos into which a box of another one is pasted.")] = None
    jitter: Annotated[float | None, Option(help="Largest change of brightness, contrast, saturation.")] = None
    degrade: Annotated[float | None, Option(help="Share of photos that are blurred, shrunk, tilted, ...")] = None
    steps: Annotated[int | None, Option(help="Batches per epoch. Default: every photo once.")] = None
    settled: Annotated[
        bool | None,
        Option(
            "--settled/--no-settled",
            help="Keep depthwise kernels and the statistics of batch norm. In Xception most learn, in ResNet50 all.",
        ),
    ] = None
    ema: Annotated[float | None, Option(help="Momentum of the moving average of the weights; 0 for none.")] = None
    seed: Annotated[int | None, Option(help="Seed of all random numbers.")] = None
    precision: Annotated[str | None, Option(help="auto, float32 or mixed_bfloat16.")] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.base is not None and self.start is not None:
            raise BadParameter("--base and --start exclude each other.")

    def recipe(self, usual: Recipe) -> Recipe:
        """`usual` with the options of this job; raises InvalidSettings for values that no recipe may have."""
        names = {field.name for field in dataclasses.fields(Recipe)}
        changes = {name: value for name, value in vars(self).items() if name in names and value is not None}
        if self.stages is not None:
            changes = {"frozen_stages": 0} | changes | {"stages": parse_stages(self.stages)}
        if self.crop is not None:
            changes["scale"] = (self.crop, 1.0)
        if not self.start and self.base in (None, "none"):
            if self.frozen_stages:
                raise InvalidSettings("--frozen-stages needs --base or --start: random weights are no use frozen.")
            changes["frozen_stages"] = 0
        return dataclasses.replace(usual, **changes)
