"""How each architecture is trained: stages, learning rate, augmentation."""

import dataclasses
import math
from dataclasses import dataclass

from catdog.errors import InvalidSettings

PRECISIONS = ("auto", "float32", "mixed_bfloat16")
LARGEST_SIZE = 2048


@dataclass(frozen=True)
class Recipe:
    """How a network is trained: AdamW (Loshchilov & Hutter 2019) with linear warm-up and cosine decay to zero.

    stages           ((crop size in pixels, epochs), ...), in order
    scale            share of the photo's area that a random crop keeps, (least, most)
    cutmix           share of the photos, 0..1, that get a box of another photo (Yun et al. 2019)
    jitter           largest relative change of brightness, contrast and saturation
    label_smoothing  0..1 (Szegedy et al. 2016)
    ema              momentum per step of the moving average of the weights; 0 for no average. It is lowered in a
                     run so short that the average would span more than a tenth of it
    frozen_stages    in this many of the first stages, only the last layer learns, and batch norm keeps its statistics
    head_learning_rate  peak rate of those stages; the schedule begins anew after them
    degrade          share of the photos, 0..1, that lose quality (`train/data/degrade.py`)
    settled          keep the statistics of batch norm and the kernels of depthwise convolutions (`settled`)
    steps            batches in an epoch, of photos drawn by `Data.chances`; 0 for every photo once
    width, depth, dropout  as in `architectures.build`
    """

    stages: tuple[tuple[int, int], ...]
    batch_size: int = 64
    learning_rate: float = 1e-3
    weight_decay: float = 0.02
    warmup_steps: int = 300
    label_smoothing: float = 0.05
    scale: tuple[float, float] = (0.35, 1.0)
    jitter: float = 0.2
    ema: float = 0.0
    seed: int = 0
    precision: str = "auto"
    frozen_stages: int = 0
    head_learning_rate: float = 1e-3
    cutmix: float = 0.0
    degrade: float = 0.0
    steps: int = 0
    settled: bool = False
    width: float = 1.0
    depth: float = 1.0
    dropout: float | None = None

    def __post_init__(self) -> None:
        rules = {
            "scale": (0 < self.scale[0] <= self.scale[1] <= 1, "shares above 0 and at most 1"),
            "cutmix": (0 <= self.cutmix <= 1, "0 to 1"),
            "degrade": (0 <= self.degrade <= 1, "0 to 1"),
            "steps": (self.steps >= 0, "at least 0"),
            "batch_size": (self.batch_size >= 1, "positive"),
            "learning_rate": (0 < self.learning_rate < math.inf, "positive"),
            "head_learning_rate": (0 < self.head_learning_rate < math.inf, "positive"),
            "weight_decay": (0 <= self.weight_decay < math.inf, "at least 0"),
            "warmup_steps": (self.warmup_steps >= 0, "at least 0"),
            "label_smoothing": (0 <= self.label_smoothing < 1, "0 to below 1"),
            "jitter": (0 <= self.jitter <= 1, "0 to 1"),
            "ema": (0 <= self.ema < 1, "0 to below 1"),
            "dropout": (self.dropout is None or 0 <= self.dropout < 1, "0 to below 1"),
            "precision": (self.precision in PRECISIONS, f"one of {', '.join(PRECISIONS)}"),
            "seed": (0 <= self.seed < 2**31, f"0 to {2**31 - 1}"),
            "frozen_stages": (0 <= self.frozen_stages <= len(self.stages), f"0 to {len(self.stages)}"),
        }
        for name, (holds, allowed) in rules.items():
            if not holds:
                what = name.replace("_", " ")
                raise InvalidSettings(f"The recipe's {what} must be {allowed}. Received: {getattr(self, name)}.")

    @property
    def epochs(self) -> int:
        return sum(epochs for _, epochs in self.stages)

    @property
    def frozen_epochs(self) -> int:
        return sum(epochs for _, epochs in self.stages[: self.frozen_stages])


# What runs of earlier versions did, whose recipes lack a setting.
DEFAULTS = {f.name: f.default for f in dataclasses.fields(Recipe) if f.default is not dataclasses.MISSING}

# For `fit`. Chosen on the validation photos of Dogs vs. Cats; its test photos played no part.
RECIPES = {
    "scratch_cnn": Recipe(
        stages=((64, 4), (96, 22), (128, 14), (160, 8)), learning_rate=2e-3, weight_decay=0.05, ema=0.998, cutmix=0.15
    ),
    # Not tried: it is for ImageNet weights, and the shipped model was made by `distill`.
    "xception": Recipe(
        stages=((128, 1), (128, 4)), frozen_stages=1, learning_rate=1e-4, scale=(0.5, 1.0), jitter=0.1, ema=0.998
    ),
    "mobilenet_v2": Recipe(stages=((160, 8),), learning_rate=3e-4, ema=0.998),
    **dict.fromkeys(
        ("efficientnet_lite0", "efficientnet_lite2"),
        # In bfloat16, depthwise convolutions would take twice the time.
        Recipe(stages=((160, 8),), learning_rate=3e-4, ema=0.998, settled=True, precision="float32"),
    ),
    "resnet50": Recipe(stages=((160, 2), (160, 2)), frozen_stages=1, learning_rate=1e-4, scale=(0.5, 1.0), ema=0.99),
}
# For `distill`, whatever the architecture; and the pixels of the crops that its teacher sees.
DISTILLATION = Recipe(
    stages=((72, 2), (96, 16), (128, 5)), learning_rate=1.5e-3, label_smoothing=0.0, scale=(0.5, 1.0), jitter=0.1
)
TEACHER_SIZE = 192


def parse_stages(text: str) -> tuple[tuple[int, int], ...]:
    """Read "96x20,128x4" as 20 epochs at 96 pixels, then 4 at 128."""
    try:
        stages = tuple(tuple(int(number) for number in stage.split("x")) for stage in text.split(","))
        if all(len(stage) == 2 and 8 <= stage[0] <= LARGEST_SIZE and stage[1] >= 1 for stage in stages):
            return stages
    except ValueError:
        pass
    raise InvalidSettings(
        f"Stages are written SIZExEPOCHS, as in 96x20,128x4, with sizes from 8 to {LARGEST_SIZE}. Received: {text!r}."
    )
