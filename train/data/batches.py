"""Decoded photos and labels -> shuffled batches for training."""

from dataclasses import KW_ONLY, dataclass

import keras
import numpy as np

from train.data.dataset import UNKNOWN
from train.data.degrade import degraded


@dataclass(eq=False, repr=False)
class Batches(keras.utils.PyDataset):
    """Batches of ({"photos": uint8 images, "shares": float32 (B, 1)}, targets as in `targets`, float32 (B,) weights).

    An epoch depends only on the seed and its number, so a run that continues sees the same batches as one that was
    never stopped. Weights are there only if some photos have no label: 0 for those, else 1.

    neither       whether some photos show none of the classes
    shuffle_seed  shuffles each epoch; None keeps the order
    epoch         number of the first epoch
    cutmix        share of the photos, 0..1, that get a share below 1: `augment.CutMix` mixes them with the photo at the
                  same place of the reversed batch, and their targets are mixed alike
    steps, chances, degrade  as in `Recipe` and `trainer.Data`
    clean         add "clean" to the inputs: the same photos before they lost quality; always with `degrade`
    """

    images: np.ndarray
    labels: np.ndarray
    classes: int
    batch_size: int
    _: KW_ONLY
    neither: bool = False
    shuffle_seed: int | None = None
    epoch: int = 0
    cutmix: float = 0.0
    steps: int = 0
    chances: np.ndarray | None = None
    degrade: float = 0.0
    clean: bool = False

    def __post_init__(self) -> None:
        super().__init__(workers=1)
        self.clean = self.clean or self.degrade > 0
        self.weighted = bool((np.asarray(self.labels) == UNKNOWN).any())
        self._shuffle()

    def __len__(self) -> int:
        count = len(self.order)
        # Training drops the last partial batch: one more compiled shape for a handful of photos.
        return max(1, count // self.batch_size) if self.shuffle_seed is not None else -(-count // self.batch_size)

    def __getitem__(self, index: int):
        rows = self.order[index * self.batch_size : (index + 1) * self.batch_size]
        whole, shares = targets(self.labels[rows], self.classes, self.neither), self.shares[rows]
        batch = {"photos": self.images[rows], "shares": shares}
        if self.clean:
            batch |= self._degraded(rows, batch["photos"])
        mixed = shares * whole + (1 - shares) * whole[::-1]
        if not self.weighted:
            return batch, mixed
        known = self.labels[rows] != UNKNOWN
        return batch, mixed, (known & ((shares[:, 0] == 1) | known[::-1])).astype(np.float32)

    def on_epoch_end(self) -> None:
        self.epoch += 1
        self._shuffle()

    def _shuffle(self) -> None:
        self.order = np.arange(len(self.labels))
        self.shares = np.ones((len(self.labels), 1), np.float32)
        if self.shuffle_seed is not None:
            random = np.random.default_rng((self.shuffle_seed, self.epoch))
            random.shuffle(self.order)
            mixed = random.random(self.shares.shape) < self.cutmix
            self.shares[mixed] = random.random(mixed.sum())
            if self.steps:
                self.order = self._drawn(random)

    def _drawn(self, random: np.random.Generator) -> np.ndarray:
        """The photos of an epoch of `steps` batches, drawn by their chances: systematic sampling (Madow 1949)."""
        wanted = np.ones(len(self.order)) if self.chances is None else np.asarray(self.chances, np.float64)[self.order]
        ends, count = np.cumsum(wanted), self.steps * self.batch_size
        places = np.searchsorted(ends, (random.random() + np.arange(count)) * ends[-1] / count, side="right")
        return random.permutation(self.order[places.clip(max=len(ends) - 1)])

    def _degraded(self, rows: np.ndarray, photos: np.ndarray) -> dict[str, np.ndarray]:
        clean, worse = np.array(photos), np.array(photos)
        for place, row in enumerate(rows if self.degrade else ()):
            random = np.random.default_rng((self.shuffle_seed, self.epoch, int(row)))
            if random.random() < self.degrade:
                clean[place], worse[place] = degraded(photos[place], random)
        return {"clean": clean, "photos": worse}


def targets(labels: np.ndarray, classes: int, neither: bool = False) -> np.ndarray:
    """What a network should answer, float32, for labels (B,) as in `dataset.Split`.

    For two classes (B, 1): 0 for the first and 1 for the second. For more classes, or with `neither`, one-hot
    (B, classes + neither), the last for neither. A photo without a label has zeros.
    """
    if classes == 2 and not neither:
        return np.maximum(labels, 0)[:, None].astype(np.float32)
    return (labels[:, None] == np.arange(classes + neither)).astype(np.float32)
