"""A folder of models -> what a Hub repository is to hold."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from urllib.parse import unquote

from catdog.errors import InvalidSettings
from catdog.models.spec import ModelSpec, find_specs
from train.publish import model_card
from train.publish.hub_client import NOTHING_PUBLISHED
from train.publish.hub_repository import Repository, Upload


def models_upload(
    repository: Repository, specs: Sequence[ModelSpec], weights: Path, report: Path, *, replace_card: bool = False
) -> Upload:
    """The upload of a verified folder: `.h5` files, specs, the card, and the files of the report that it names.

    The text of the card on the Hub is kept, unless `replace_card`.
    """
    there = None if replace_card else repository.readme()
    text, differs = model_card.published(weights, there, specs, report, repository.name)
    files: dict[str, bytes | Path] = {model_card.CARD: text.encode()}
    for path in find_specs(weights):
        file = ModelSpec.read(path).file
        files |= {path.name: path, file: weights / file}
    files |= dict(_linked_files(report, text, repository.files))
    notes = list(filter(None, [model_card.about_others(report, specs)]))
    if differs:
        notes.append(
            f"The text of the card on the Hub is kept; it is not that of {weights / model_card.CARD}, "
            "which --replace-card would put in its place."
        )
    others = [name for name in repository.files if re.fullmatch(r"[^/]+\.(h5|json)", name) and name not in files]
    if others:
        notes.append(f"The repository also holds {', '.join(others)}, which apps will load if it is a model.")
    return Upload(repository, files, f"Publish {', '.join(spec.name for spec in specs)}", notes=notes)


def _linked_files(report: Path, text: str, there: Iterable[str]) -> Iterator[tuple[str, Path]]:
    """The files of a report that a card shows or links to; InvalidSettings if one is nowhere."""
    links = re.findall(rf"\]\({model_card.REPORT}/([^)\s#?]+)", text)
    for name in dict.fromkeys(map(unquote, links)):
        path, file = f"{model_card.REPORT}/{name}", report / name
        # A card may come from the Hub: it must not choose files from elsewhere.
        if file.is_file() and not file.resolve().is_relative_to(report.resolve()):
            raise InvalidSettings(f"The model card links to {path}, which is outside the report. {NOTHING_PUBLISHED}")
        if file.is_file():
            yield path, file
        elif path not in there:
            raise InvalidSettings(f"The model card links to {file}, which does not exist. {NOTHING_PUBLISHED}")
