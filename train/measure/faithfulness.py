"""Whether heat maps point at what decides: deletion and insertion (Petsiuk et al. 2018, RISE)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter
from tqdm import tqdm

from catdog.classifier import Classifier
from catdog.models.heatmap import enlarged, heatmap

STEPS = 16
# The side of a photo, divided by this, is the width of the blur from which insertion starts.
BLUR = 16
CURVES = ("deletion", "insertion")


def measure(classifier: Classifier, arrays: Sequence[np.ndarray]) -> dict[str, Any] | None:
    """Areas under both curves, of the model's maps and of random maps of the same size, on the same photos.

    arrays  photos as `to_array` made them for this model

    Each curve is the calibrated probability of the label that the model gives to the whole photo, while the
    pixels that the map ranks highest are replaced by the mean colour (deletion: faithful maps give a small
    area), or put back into a blurred photo (insertion: a large one). `difference` is map less random, its
    interval 95 % by the normal approximation over photos, `better` the share of photos on which the map
    wins. None for a model without maps.
    """
    random = np.random.default_rng(0)
    rows = {"map": [], "random": []}
    for array in tqdm(arrays, desc=f"faithfulness of {classifier.spec.name}", unit="photo"):
        outputs = classifier.outputs(array[None]).of(0)
        if outputs.maps is None:
            return None
        label = int(outputs.probabilities.argmax())
        own = heatmap(outputs.maps, label, classifier.spec.temperature)
        for kind, values in (("map", own), ("random", random.normal(size=np.shape(own)))):
            rows[kind].append(curves(classifier, array, values, label))
    stacked = {kind: np.array(values) for kind, values in rows.items()}  # (photos, curves, STEPS + 1)
    areas = {kind: np.trapezoid(values, dx=1 / STEPS, axis=2) for kind, values in stacked.items()}
    return {"photos": len(arrays)} | {
        name: {kind: float(areas[kind][:, i].mean()) for kind in areas}
        | _paired(areas["map"][:, i] - areas["random"][:, i], smaller_is_better=name == "deletion")
        | {"curves": {kind: stacked[kind][:, i].mean(axis=0).tolist() for kind in stacked}}
        for i, name in enumerate(CURVES)
    }


def curves(classifier: Classifier, array: np.ndarray, values: Sequence[Sequence[float]], label: int) -> np.ndarray:
    """Probabilities of a label, (2, STEPS + 1), while a map's pixels are deleted, and while they are inserted."""
    height, width, _ = array.shape
    ranks = np.argsort(np.argsort(-enlarged(values, width, height), axis=None, kind="stable")).reshape(height, width, 1)
    mean = np.broadcast_to(array.mean(axis=(0, 1)), array.shape)
    blurred = gaussian_filter(array, (height / BLUR, width / BLUR, 0))
    steps = np.linspace(0, height * width, STEPS + 1)
    batch = [np.where(ranks < step, mean, array) for step in steps]
    batch += [np.where(ranks < step, array, blurred) for step in steps]
    return classifier.outputs(np.stack(batch).astype(np.float32)).probabilities[:, label].reshape(2, -1)


def _paired(differences: np.ndarray, *, smaller_is_better: bool) -> dict[str, Any]:
    centre = float(differences.mean())
    half = 1.959964 * float(differences.std(ddof=1)) / len(differences) ** 0.5 if len(differences) > 1 else 0.0
    better = differences < 0 if smaller_is_better else differences > 0
    return {"difference": centre, "interval": [centre - half, centre + half], "better": float(better.mean())}
