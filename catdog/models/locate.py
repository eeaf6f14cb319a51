"""Settings -> verified model files, from a Hub repository or from folders."""

from __future__ import annotations

import os.path
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from catdog.errors import ModelMismatch, ModelUnavailable
from catdog.models import hub
from catdog.models.spec import ModelSpec, find_specs, sha256_of
from catdog.settings import BUNDLED_WEIGHTS, Repository, Settings


@dataclass(frozen=True)
class ModelFile:
    """A `.h5` file whose bytes match its spec, and the file of that spec.

    source  whose it is, for people: one of
            `bundled`
            `folder mine`
            `hub user/name@0123456789ab`
            `hub cache user/name@0123456789ab (Hub unreachable)`
            and the first two with ` (Hub unreachable: user/name)`
    """

    spec: ModelSpec
    path: Path
    spec_path: Path
    source: str


@dataclass(frozen=True)
class Located:
    """What `locate` found.

    models    usable models, in the order in which they are shown
    problems  one sentence or two per model that is not used, and per fallback that was taken; pages show
              them to the public, so they name files and never say where on this machine those lie
    """

    models: tuple[ModelFile, ...]
    problems: tuple[str, ...] = ()

    @property
    def source(self) -> str:
        return joined({model.spec.name: model.source for model in self.models})


# Clients rely on the first two coming first; other models follow by name.
ORDER = ("scratch_cnn", "xception", "efficientnet_lite2")


def joined(sources: Mapping[str, str]) -> str:
    """Whose several models are, from name -> source: the source, or if there are several, each with its models."""
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
        return _from_weights(settings)
    return _from_hub(settings, settings.hub_repo, settings.hub_revision)


class _Found(NamedTuple):
    """What a folder holds: usable models, why others are not, and the names of existing files that may be to blame."""

    models: tuple[ModelFile, ...] = ()
    problems: tuple[str, ...] = ()
    suspects: tuple[str, ...] = ()


def _from_weights(settings: Settings, note: str = "", problems: tuple[str, ...] = ()) -> Located:
    """The models of the folders and repositories in `weights`; `note` is added to the source of the former."""
    several = len(settings.sources) > 1
    found = [
        _in_repository(*source)
        if isinstance(source, Repository)
        # Beside others a problem is shown to visitors, whom it does not concern where a folder lies.
        else _in_folder(source, note, source.name if several else str(source))
        for source in settings.sources
    ]
    problems += tuple(problem for each in found for problem in each.problems)
    return _located(_Found(tuple(model for each in found for model in each.models)), problems)


def _in_folder(folder: Path, note: str, shown: str) -> _Found:
    advice = "Put the models' files there again, or set CATDOG_WEIGHTS to another folder."
    if not os.path.isdir(folder):  # Path.is_dir would raise for some that cannot be looked at
        return _Found(problems=(f"The weights folder {shown} does not exist or cannot be read. {advice}",))
    if not find_specs(folder):
        return _Found(problems=(f"The weights folder {shown} holds no model spec (.json). {advice}",))
    name = folder.resolve().name
    source = "bundled" if folder.resolve() == BUNDLED_WEIGHTS.resolve() else f"folder {name}"
    return _read(folder, name, source + note, advice)


def _from_hub(settings: Settings, repo: str, revision: str) -> Located:
    found, unreachable = _of_repository(repo, revision)
    if found.models or not unreachable:
        return _located(found)
    return _from_weights(settings, f" (Hub unreachable: {repo})", found.problems)


def _in_repository(repo: str, revision: str) -> _Found:
    """The models of a repository as one source of several: what is wrong with it concerns no other."""
    try:
        found, _ = _of_repository(repo, revision)
    except ModelUnavailable as error:
        found = _Found(problems=(str(error),))
    if found.models:
        return found
    first, *others = found.problems or (f"The Hub repository {repo} holds no usable model.",)
    return found._replace(problems=(f"There is no folder {repo} here. {first}", *others))


def _of_repository(repo: str, revision: str) -> tuple[_Found, bool]:
    """What the Hub has of a revision; or if it cannot be reached, which the latter says, what its cache has.

    Raises ModelUnavailable when the repository or its revision is missing or may not be read.
    """
    try:
        return _downloaded(repo, revision), False
    except hub.HubUnreachable as error:
        unreachable = f"The Hub repository {repo} cannot be reached ({error.reason})"
    again = "Check the connection and start again."
    folder = hub.cached(repo, revision)
    advice = "Start again when the Hub can be reached, to repair the cached copy."
    found = _Found()
    if folder:
        name = _name(repo, folder)
        found = _read(folder, name, f"hub cache {name} (Hub unreachable)", advice)
    used = "so its copy in the Hub cache is used" if found.models else "and it has no usable copy in the Hub cache"
    return found._replace(problems=(f"{unreachable}, {used}. {again}", *found.problems)), True


def _downloaded(repo: str, revision: str) -> _Found:
    """Fetch a revision; a cached file that differs from the Hub's is fetched once more."""
    advice = "Publish its files again, or set CATDOG_HUB_REVISION to another commit."
    folder = hub.download(repo, revision)
    place = _name(repo, folder)
    found = _read(folder, place, f"hub {place}", advice)
    if damaged := [name for name in found.suspects if hub.is_damaged(folder / name)]:
        hub.download(repo, folder.name, damaged)
        found = _read(folder, place, f"hub {place}", advice)
    return found


def _name(repo: str, folder: Path) -> str:
    """Repository and short commit of a folder of the Hub cache, e.g. `user/name@0123456789ab`."""
    return f"{repo}@{folder.name[:12]}"


def _located(found: _Found, problems: tuple[str, ...] = ()) -> Located:
    """Of models of one name, the first is used."""
    problems += found.problems
    if not found.models:
        raise ModelUnavailable(f"No usable model. {' '.join(problems)}")
    named: dict[str, ModelFile] = {}
    for model in found.models:
        if named.setdefault(model.spec.name, model) is not model:
            _, _, place = model.source.partition(" ")
            file = f"{place or model.source}, {model.path.name}"
            problems += (f"{file}: It is not used, as another model is already named {model.spec.name}.",)
    return Located(tuple(sorted(named.values(), key=lambda model: _order(model.spec.name))), problems)


def _read(folder: Path, place: str, source: str, advice: str) -> _Found:
    """Verify every model whose spec lies in the folder, which messages call `place`; `source` is that of its models."""
    models, problems, suspects = [], [], []
    for spec_path in sorted(find_specs(folder), key=lambda path: _order(path.stem)):
        suspect = spec_path
        try:
            spec = ModelSpec.read(spec_path)
            suspect = spec_path.with_name(spec.file)
            _verify(suspect, spec)
            models.append(ModelFile(spec, suspect, spec_path, source))
        except ModelMismatch as error:
            problems.append(f"{place}, {spec_path.name}: {error} {advice}")
            if suspect.exists():
                suspects.append(suspect.name)
    return _Found(tuple(models), tuple(problems), tuple(suspects))


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
            f"The model file {path.name} is damaged or not the one described: "
            f"its sha256 is {actual}, expected {spec.sha256}."
        )


def _order(name: str) -> tuple[int, str]:
    return (ORDER.index(name) if name in ORDER else len(ORDER), name)
