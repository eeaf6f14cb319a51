"""Cat or dog? Several Keras classifiers answer side by side.

    from catdog import load
    comparison = load().compare("cat.jpg")

Importing this package loads neither Keras nor a model.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from catdog.errors import (
    CatDogError,
    ImageTooLarge,
    InvalidImage,
    InvalidSettings,
    ModelMismatch,
    ModelUnavailable,
    UnknownModel,
)
from catdog.settings import Settings

if TYPE_CHECKING:
    from catdog.comparator import Comparator
    from catdog.models.spec import ModelSpec
    from catdog.verdict import Comparison, Verdict

__all__ = [
    "CatDogError",
    "Comparator",
    "Comparison",
    "ImageTooLarge",
    "InvalidImage",
    "InvalidSettings",
    "ModelMismatch",
    "ModelSpec",
    "ModelUnavailable",
    "Settings",
    "UnknownModel",
    "Verdict",
    "load",
]

__version__ = "0.1.0"

# Imported when they are first used: they import numpy, Pillow and pydantic.
_LATER = {
    "Comparator": "catdog.comparator",
    "Comparison": "catdog.verdict",
    "ModelSpec": "catdog.models.spec",
    "Verdict": "catdog.verdict",
}


def load(settings: Settings | None = None) -> Comparator:
    """Load every model that the settings, by default those of the environment, point to.

    This takes seconds, so keep the result. After its `close()` it takes no more photos. Raises InvalidSettings or
    ModelUnavailable.
    """
    from catdog.comparator import Comparator

    return Comparator.from_settings(settings or Settings.from_env())


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(importlib.import_module(_LATER[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
