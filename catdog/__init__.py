"""Cat or dog? Several Keras classifiers answer side by side.

    from catdog import load
    comparison = load().compare("cat.jpg")

Importing this package loads neither Keras nor a model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .config import Settings
from .errors import (
    CatDogError,
    ImageTooLarge,
    InvalidImage,
    InvalidSettings,
    ModelMismatch,
    ModelUnavailable,
    UnknownModel,
)
from .spec import ModelSpec

if TYPE_CHECKING:
    from .compare import Comparator, Comparison, Verdict

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


def load(settings: Settings | None = None) -> Comparator:
    """Load every model that the settings, by default those of the environment, point to.

    Takes seconds: keep the result, and `close()` it before loading others, as nothing else ends its thread and
    frees its memory. Raises InvalidSettings or ModelUnavailable.
    """
    from .compare import Comparator

    return Comparator.from_settings(settings or Settings.from_env())


def __getattr__(name: str) -> Any:
    """Import the types of `catdog.compare` when they are first asked for."""
    if name in ("Comparator", "Comparison", "Verdict"):
        from . import compare

        return getattr(compare, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
