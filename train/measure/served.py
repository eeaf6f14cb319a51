"""The models of a folder that a command names, as they are served, and their specs."""

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from catdog import Settings, load
from catdog.classifier import Classifier
from catdog.comparator import Comparator
from catdog.engine import EXACT, load_engine
from catdog.errors import InvalidSettings, ModelMismatch, NotConverted
from catdog.models.locate import ModelFile, locate
from catdog.models.spec import ModelSpec
from catdog.settings import BUNDLED_WEIGHTS, MAX_PIXELS, Repository
from catdog.terminal import tell

LARGEST_FILE = 2**30  # bytes


def settings_for(weights: str | Path) -> Settings:
    """What CATDOG_* say, except where the models are and how large a photo may be.

    The models are those in `weights`, one folder or several (`mine:weights`), whatever Hub repository is set. The
    limits are for uploads; here photos come from the user's own folder, and are at most LARGEST_FILE bytes and
    MAX_PIXELS.
    """
    own = {"weights": weights, "hub_repo": None, "max_upload_bytes": LARGEST_FILE, "max_pixels": MAX_PIXELS}
    return dataclasses.replace(Settings.from_env(), **own)


@contextlib.contextmanager
def served(weights: str | Path) -> Iterator[Comparator]:
    """Context manager: the models in a folder as a Comparator. Models that cannot be used are named on stderr."""
    with contextlib.closing(load(settings_for(weights))) as comparator:
        tell(comparator.problems)
        yield comparator


def files_of(weights: str | Path) -> dict[str, ModelFile]:
    """Model -> its file and that of its spec, as `served` finds them."""
    return {model.spec.name: model for model in reversed(locate(settings_for(weights)).models)}


def in_precisions(fast: Sequence[str], spec: ModelSpec, path: Path) -> dict[str, Classifier]:
    """The model in a file in float32, and in those of `fast` that it can run in: arithmetic -> model.

    Each is named MODEL.ARITHMETIC.
    """
    models = {}
    for precision in (EXACT, *fast):
        try:
            engine = load_engine(path, spec, settings_for(path.parent), precision=precision)
        except NotConverted:
            if precision == EXACT:
                raise
        else:
            models[precision] = Classifier(spec.replace(name=f"{spec.name}.{precision}"), engine)
    return models


def require_told(weights: str | Path, overwrite: bool) -> None:
    """Raise InvalidSettings where specs may not be changed: on the Hub, and without `overwrite` the shipped ones."""
    sources = settings_for(weights).sources
    if elsewhere := [source.name for source in sources if isinstance(source, Repository)]:
        raise InvalidSettings(
            f"There is no folder {elsewhere[0]}, and specs on the Hub are not changed from here. Get them with "
            f"`hf download {elsewhere[0]} --local-dir mine`, name that folder, and publish it again."
        )
    if not overwrite and any(folder.resolve() == BUNDLED_WEIGHTS for folder in sources):
        raise InvalidSettings(
            f"The models in {weights} ship with catdog. Name the folder of your own with --weights. `report` measures "
            "these and records nothing; --overwrite replaces what their specs say."
        )


def on_openvino(classifier: Classifier) -> bool:
    return classifier.engine.runtime.startswith("OpenVINO")


def amend(path: Path, measured: ModelSpec, **fields: Any) -> ModelSpec:
    """Replace fields of the spec at `path` and return it; ModelMismatch when it is now that of another model."""
    spec = ModelSpec.read(path)
    if spec.sha256 != measured.sha256:
        raise ModelMismatch(f"{path} describes another model than the one that was measured: measure again.")
    spec = spec.replace(**fields)
    spec.write(path)
    return spec
