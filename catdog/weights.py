"""Settings -> verified model files, from a Hub repository or the bundled folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .config import Settings
from .errors import ModelMismatch, ModelUnavailable
from .spec import ModelSpec, sha256_of


@dataclass(frozen=True)
class ModelFile:
    """A `.h5` file whose bytes match its spec."""

    spec: ModelSpec
    path: Path


@dataclass(frozen=True)
class Located:
    """What `locate` found.

    models    usable models, in the order in which they are shown
    source    where they come from, for people: `bundled`, `hub user/name@commit`, ...
    problems  one sentence per model that is not used, and per fallback that was taken
    """

    models: tuple[ModelFile, ...]
    source: str
    problems: tuple[str, ...] = ()


# Clients rely on the first two coming first; other models follow by name.
ORDER = ("scratch_cnn", "xception", "mobilenet_v2")


def locate(settings: Settings) -> Located:
    """Find and verify the models that the settings ask for.

    Raises ModelUnavailable when not one usable model is found.
    """
    return _in_folder(settings.weights, "bundled")


def _in_folder(folder: Path, source: str, problems: tuple[str, ...] = ()) -> Located:
    """Verify every model whose spec lies in the folder."""
    models, problems = [], list(problems)
    for path in sorted(folder.glob("*.json"), key=_order):
        try:
            models.append(_verified(path))
        except ModelMismatch as error:
            problems.append(str(error))
    if not models:
        raise ModelUnavailable(f"No usable model in {folder}. {' '.join(problems)}".strip())
    return Located(tuple(models), source, tuple(problems))


def _verified(spec_path: Path) -> ModelFile:
    spec = ModelSpec.read(spec_path)
    path = spec_path.with_name(spec.file)
    if not path.is_file():
        raise ModelMismatch(f"The model file {path} is missing; its spec {spec_path.name} names it.")
    actual = sha256_of(path)
    if actual != spec.sha256:
        raise ModelMismatch(
            f"{path} is damaged or not the file that {spec_path.name} describes: its sha256 is {actual}, "
            f"expected {spec.sha256}. Remove it and fetch it again."
        )
    return ModelFile(spec, path)


def _order(path: Path) -> tuple[int, str]:
    return (ORDER.index(path.stem) if path.stem in ORDER else len(ORDER), path.stem)
