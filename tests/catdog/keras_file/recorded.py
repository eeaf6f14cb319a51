"""Files as Keras 2 writes them, from what `python -m tests.catdog.keras_file.record` recorded of it.

Kept are configs, the names and shapes of weights, and the answers that Keras 2 gave. The weights themselves are random
numbers, the same each time.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np

FILE = Path(__file__).with_name("recorded.json")


def records() -> dict[str, dict[str, Any]]:
    return json.loads(FILE.read_text(encoding="utf-8"))


def photos(shape: list[int]) -> np.ndarray:
    """Two photos of random pixels, 0 to 1: float32 (2, *shape)."""
    return np.random.default_rng(1).uniform(0, 1, (2, *shape)).astype(np.float32)


def write(record: dict[str, Any], path: Path, *, whole: bool = True) -> Path:
    """A `.h5` as of `model.save`, or without `whole` as of `model.save_weights`."""
    random = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        if whole:
            file.attrs["model_config"] = json.dumps(record["config"])
            file.attrs["training_config"] = json.dumps(record.get("training", {}))
            file.attrs["keras_version"] = record["version"]
        group = file.create_group("model_weights") if whole else file
        group.attrs["keras_version"], group.attrs["backend"] = record["version"], "tensorflow"
        group.attrs["layer_names"] = [layer.encode() for layer in record["weights"]]
        for layer, weights in record["weights"].items():
            part = group.create_group(layer)
            part.attrs["weight_names"] = [name.encode() for name, _ in weights]
            for name, shape in weights:
                # Those of one dimension can be variances, which are positive.
                values = random.normal(0, 0.4, shape) if len(shape) > 1 else random.uniform(0.05, 0.5, shape)
                part[name] = values.astype(np.float32)
    return path
