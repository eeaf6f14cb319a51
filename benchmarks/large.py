"""Whether the answers to reduced large photos agree with those to whole ones."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from catdog.classifier import Classifier
from catdog.comparator import Comparator
from catdog.photo.array import SCALINGS, to_array
from catdog.photo.decode import decode
from catdog.verdict import Verdict


def enlarged(photo: Path, *, megapixels: float | None = None, side: int | None = None) -> bytes:
    """A photo at another size, as JPEG: so many megapixels, or a shorter side of so many pixels."""
    image = decode(photo.read_bytes())
    factor = (megapixels * 1e6 / (image.width * image.height)) ** 0.5 if megapixels else side / min(image.size)
    size = (round(image.width * factor), round(image.height * factor))
    stream = io.BytesIO()
    image.resize(size, Image.Resampling.LANCZOS).save(stream, "JPEG", quality=90)
    return stream.getvalue()


def agreement(comparator: Comparator, photos: Sequence[str], **size: float) -> dict[str, Any]:
    """Per model, what it changes that `compare` reduces enlarged photos; `size` as in `enlarged`.

    largest_change  of a probability; `mean_change` is the mean over photos
    labels_changed  photos that got another label
    one_grey_level  for scale: the largest change when every value of the model's input is moved by -1, 0 or 1
    """
    random = np.random.default_rng(0)
    rows = {name: [] for name in comparator.models}
    for photo in photos:
        data = enlarged(Path(photo), **size)
        whole = decode(data)
        for verdict in comparator.compare(data).models:
            rows[verdict.model].append(_probabilities(comparator.models[verdict.model], whole, verdict, random))
    return {name: _figures(np.array(values)) for name, values in rows.items()}


def _probabilities(
    classifier: Classifier, whole: Image.Image, verdict: Verdict, random: np.random.Generator
) -> np.ndarray:
    """Probabilities (3, classes): of the whole photo, of the verdict, and of the whole photo with noise."""
    spec = classifier.spec
    exact = to_array(whole, spec.input)
    level, _ = SCALINGS[spec.scaling]
    noisy = exact + np.float32(level) * random.integers(-1, 2, exact.shape).astype(np.float32)
    of_whole, of_noisy = classifier.outputs(np.stack([exact, noisy])).probabilities
    return np.stack([of_whole, list(verdict.probabilities.values()), of_noisy])


def _figures(probabilities: np.ndarray) -> dict[str, Any]:
    """Figures of probabilities (photos, 3, classes)."""
    whole, said, noisy = probabilities.transpose(1, 0, 2)
    return {
        "photos": len(probabilities),
        "largest_change": float(np.abs(said - whole).max()),
        "mean_change": float(np.abs(said - whole).max(axis=1).mean()),
        "labels_changed": int((said.argmax(axis=1) != whole.argmax(axis=1)).sum()),
        "one_grey_level": float(np.abs(noisy - whole).max()),
    }
