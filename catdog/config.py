"""Settings: the only place that reads the environment."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .errors import InvalidSettings
from .preprocessing import MAX_PIXELS

BUNDLED_WEIGHTS = Path(__file__).resolve().parent.parent / "weights"
ENGINES = ("auto", "tensorflow")
_REPO = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True)
class Settings:
    """What can be set from outside, with defaults that need nothing.

    weights           folder of `.h5` files and specs         CATDOG_WEIGHTS
    hub_repo          Hub repository `user/name`, or None      CATDOG_HUB_REPO
    hub_revision      commit, tag or branch of it              CATDOG_HUB_REVISION
    engine            what runs the models: ENGINES            CATDOG_ENGINE
    threads           threads per model, 0 for all cores       CATDOG_THREADS
    max_upload_bytes  largest accepted file, bytes             CATDOG_MAX_UPLOAD_MB
    max_pixels        largest accepted photo, width x height   CATDOG_MAX_PIXELS
    """

    weights: Path = BUNDLED_WEIGHTS
    hub_repo: str | None = None
    hub_revision: str = "main"
    engine: str = "auto"
    threads: int = 0
    max_upload_bytes: int = 20 * 1024 * 1024
    max_pixels: int = MAX_PIXELS

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        """Read CATDOG_* variables; an empty one counts as not set.

        Raises InvalidSettings that names the variable and what it received.
        """
        values = {key: value.strip() for key, value in environ.items() if key.startswith("CATDOG_") and value.strip()}
        repo = values.get("CATDOG_HUB_REPO")
        if repo and not _REPO.fullmatch(repo):
            raise InvalidSettings(f"CATDOG_HUB_REPO must look like user/name. Received: {repo!r}.")
        engine = values.get("CATDOG_ENGINE", cls.engine)
        if engine not in ENGINES:
            raise InvalidSettings(f"CATDOG_ENGINE must be one of {', '.join(ENGINES)}. Received: {engine!r}.")
        return cls(
            weights=Path(values.get("CATDOG_WEIGHTS", cls.weights)),
            hub_repo=repo,
            hub_revision=values.get("CATDOG_HUB_REVISION", cls.hub_revision),
            engine=engine,
            threads=int(_number(values, "CATDOG_THREADS", cls.threads, least=0)),
            max_upload_bytes=int(_number(values, "CATDOG_MAX_UPLOAD_MB", cls.max_upload_bytes / 2**20, least=0.001) * 2**20),
            max_pixels=int(_number(values, "CATDOG_MAX_PIXELS", cls.max_pixels, least=1)),
        )


def _number(values: Mapping[str, str], name: str, default: float, least: float) -> float:
    text = values.get(name)
    if text is None:
        return default
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not least <= number < 1e15:
        raise InvalidSettings(f"{name} must be a number of at least {least:g}. Received: {text!r}.")
    return number
