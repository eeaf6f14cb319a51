"""The settings of the environment, for models in a folder that a command names."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from catdog.settings import Settings


def settings_for(weights: Path) -> Settings:
    """What CATDOG_* say, but for where the models are: in the folder `weights`, whatever Hub repository is set."""
    return dataclasses.replace(Settings.from_env(), weights=weights, hub_repo=None)
