"""Settings -> verified model files, from a Hub repository or from folders."""

from __future__ import annotations

import os.path
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from catdog.errors import ModelMismatch, ModelUnavailable
from catdog.models import hub
from catdog.models.spec import ModelSpec, find_specs, sha256_of
from catdog.settings import BUNDLED_WEIGHTS, Repository, Settings


@dataclass(frozen=True)
class ModelFile:
    """A `.h5` file whose bytes match its spec, and the file of that spec."""

    spec: ModelSpec
    path: Path
    spec_path: Path
    # Whose it is, for people: `bundled`, `folder mine`, each of them also with ` (Hub unreachable: user/name)`,
    # `hub user/name@0123456789ab`, or `hub cache user/name@0123456789ab (Hub unreachable)`.
    source: str


@dataclass(frozen=True)
class Located:
    """What `locate` found, or found in one place."""

    models: tuple[ModelFile, ...] = ()  # that are usable, in the order in which they are shown
    # One sentence or two per model that is not used, and per fallback that was taken. Pages show them to the public, so
    # they name files and never say where on this machine those lie.
    problems: tuple[str, ...] = ()

    @property
    def source(self) -> str:
        return joined({model.spec.name: model.source for model in self.models})


# Clients rely on the first two coming first; other models follow by name.
ORDER = ("scratch_cnn", "xception", "efficientnet_lite2")


def joined(sources: Mapping[str, str]) -> str:
    """The sources of several models in one text, from name -> source: the only one, or each with its models."""
    by_source: dict[str, list[str]] = {}
    for name, source in sources.items():
        by_source.setdefault(source, []).append(name)
    if len(by_source) == 1:
        return next(iter(by_source))
    return "; ".join(f"{source}: {', '.join(names)}" for source, names in by_source.items())


def locate(settings: Settings) -> Located:
    """Find and verify the models that the settings ask for.

    1. No Hub repository is set: use what `weights` names, by default the bundled folder. A source that cannot be used
       is a problem; the others serve.
    2. Otherwise use the revision in the Hub cache, once the Hub has sent what that lacks or holds damaged.
    3. The Hub is unreachable: use what the cache holds of the revision, or else what `weights` names.

    Raises ModelUnavailable when no usable model is found, or when the repository or its revision is missing or may not
    be read.
    """
    if settings.hub_repo is None:
        return _usable(_in_weights(settings))
    found, unreachable = _of_repository(settings.hub_repo, settings.hub_revision)
    if unreachable and not found.models:
        instead = _in_weights(settings, f" (Hub unreachable: {settings.hub_repo})")
        found = Located(instead.models, found.problems + instead.problems)
    return _usable(found)


def _in_weights(settings: Settings, note: str = "") -> Located:
    """The models of the folders and repositories in `weights`; `note` is added to the source of the former."""
    several = len(settings.sources) > 1
    found = [
        _in_repository(*source)
        if isinstance(source, Repository)
        # Beside others a problem is shown to visitors, whom it does not concern where a folder lies.
        else _in_folder(source, note, source.name if several else str(source))
        for source in settings.sources
    ]
    models = tuple(model for each in found for model in each.models)
    return Located(models, tuple(problem for each in found for problem in each.problems))


def _in_folder(folder: Path, note: str, shown: str) -> Located:
    advice = "Put the models' files there again, or set CATDOG_WEIGHTS to another folder."
    if not os.path.isdir(folder):  # Path.is_dir would raise for some that cannot be looked at
        return Located(problems=(f"The weights folder {shown} does not exist or cannot be read. {advice}",))
    if not find_specs(folder):
        return Located(problems=(f"The weights folder {shown} holds no model spec (.json). {advice}",))
    name = folder.resolve().name
    source = "bundled" if folder.resolve() == BUNDLED_WEIGHTS.resolve() else f"folder {name}"
    return _read(folder, name, source + note, advice)


def _in_repository(repo: str, revision: str) -> Located:
    """The models of a repository as one source of several: what is wrong with it concerns no other."""
    try:
        found, _ = _of_repository(repo, revision)
    except ModelUnavailable as error:
        found = Located(problems=(str(error),))
    if found.models:
        return found
    first, *others = found.problems
    return Located(problems=(f"There is no folder {repo} here. {first}", *others))


def _of_repository(repo: str, revision: str) -> tuple[Located, bool]:
    """What the Hub has of a revision, and False; or if it cannot be reached, what its cache has, and True.

    Raises ModelUnavailable when the repository or its revision is missing or may not be read.
    """
    try:
        return _downloaded(repo, revision), False
    except hub.HubUnreachable as error:
        unreachable = f"The Hub repository {repo} cannot be reached ({error.reason})"
    found = Located()
    if folder := hub.cached(repo, revision):
        name = _name(repo, folder)
        advice = "Start again when the Hub can be reached, to repair the cached copy."
        found = _read(folder, name, f"hub cache {name} (Hub unreachable)", advice)
    used = "so its copy in the Hub cache is used" if found.models else "and it has no usable copy in the Hub cache"
    problem = f"{unreachable}, {used}. Check the connection and start again."
    return Located(found.models, (problem, *found.problems)), True


def _downloaded(repo: str, revision: str) -> Located:
    """Fetch a revision; a cached file that differs from the Hub's is fetched once more."""
    advice = "Publish its files again, or set CATDOG_HUB_REVISION to another commit."
    folder = hub.download(repo, revision)
    place = _name(repo, folder)
    found = _read(folder, place, f"hub {place}", advice)
    files = [*folder.glob("*.json"), *folder.glob("*.h5")] if found.problems else []
    if damaged := [path.name for path in files if hub.is_damaged(path)]:
        hub.download(repo, folder.name, damaged)
        found = _read(folder, place, f"hub {place}", advice)
    return found


def _name(repo: str, folder: Path) -> str:
    """Repository and short commit of a folder of the Hub cache, e.g. `user/name@0123456789ab`."""
    return f"{repo}@{folder.name[:12]}"


def _usable(found: Located) -> Located:
    """Of models of one name the first, in the order in which they are shown; raises ModelUnavailable without any."""
    problems = found.problems
    if not found.models:
        raise ModelUnavailable(f"No usable model. {' '.join(problems)}")
    named: dict[str, ModelFile] = {}
    for model in found.models:
        if named.setdefault(model.spec.name, model) is not model:
            _, _, place = model.source.partition(" ")
            file = f"{place or model.source}, {model.path.name}"
            problems += (f"{file}: It is not used, as another model is already named {model.spec.name}.",)
    return Located(tuple(sorted(named.values(), key=lambda model: _order(model.spec.name))), problems)


def _read(folder: Path, place: str, source: str, advice: str) -> Located:
    """Verify every model whose spec lies in the folder, which messages call `place`; `source` is that of its models."""
    models, problems = [], []
    for spec_path in find_specs(folder):
        try:
            spec = ModelSpec.read(spec_path)
            path = spec_path.with_name(spec.file)
            _verify(path, spec)
            models.append(ModelFile(spec, path, spec_path, source))
        except ModelMismatch as error:
            problems.append(f"{place}, {spec_path.name}: {error} {advice}")
    return Located(tuple(models), tuple(problems))


def _verify(path: Path, spec: ModelSpec) -> None:
    """Raise ModelMismatch unless the file is the one that the spec describes."""
    if not os.path.isfile(path):
        raise ModelMismatch(f"The model file {path.name} is missing.")
    try:
        actual = sha256_of(path)
    except OSError as error:
        raise ModelMismatch(f"The model file {path.name} cannot be read: {error.strerror}.") from error
    if actual != spec.sha256:
        raise ModelMismatch(
            f"The model file {path.name} is damaged or is not the one of its spec: "
            f"its sha256 is {actual}, expected {spec.sha256}."
        )


def _order(name: str) -> tuple[int, str]:
    return (ORDER.index(name) if name in ORDER else len(ORDER), name)
