"""ONNX files beside `.h5` files, from `python -m train export --exact`: their conversion needs no TensorFlow."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import NamedTuple

import numpy as np

from catdog.models.spec import ModelSpec, sha256_of

MANIFEST = "onnx.json"  # on all ONNX files of a folder

log = logging.getLogger(__name__)


class Exported(NamedTuple):
    """An ONNX file with the outputs of an engine, and Keras's answers to the photos that conversions are checked on."""

    path: Path
    answers: np.ndarray  # (N, columns) float32, uncalibrated


def find(path: Path, spec: ModelSpec) -> Exported | None:
    """The exact export of a verified `.h5` in its folder; None if it is missing, damaged or rounded."""
    try:
        listed = json.loads(path.with_name(MANIFEST).read_text(encoding="utf-8"))["models"]
        entries = [entry for entry in listed if entry["h5_sha256"] == spec.sha256 and entry["exact"] is True]
        if not entries:
            return None
        file = path.with_name(Path(entries[0]["file"]).name)
        if sha256_of(file) != entries[0]["sha256"]:
            raise ValueError("its sha256 is not that of the manifest")
        return Exported(file, np.array(entries[0]["answers"], np.float32))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        log.warning("The ONNX file of %s is not used (%s: %s).", path.name, type(error).__name__, error)
        return None
