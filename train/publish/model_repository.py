"""A folder of models -> what a Hub repository is to hold."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import unquote

from catdog.errors import InvalidSettings
from catdog.models.spec import ModelSpec, find_specs
from train.publish import model_card as card
from train.publish.hub_repository import UNTOUCHED, Content, Remote, Repository
from train.publish.upload import Upload


def models(
    repository: Repository,
    remote: Remote | None,
    specs: Sequence[ModelSpec],
    weights: Path,
    report: Path,
    *,
    replace_card: bool = False,
) -> Upload:
    """Upload a checked folder: `.h5` files, specs, the card, and what it shows of the report, or links to there.

    The text of the card on the Hub is kept, unless `replace_card`.
    """
    has_card = remote is not None and card.CARD in remote.files and not replace_card
    there = repository.read(card.CARD, remote.commit) if has_card else None
    text, differs = card.published(weights, there, specs, report, repository.name)
    files: dict[str, Content] = {card.CARD: text.encode()}
    for path in find_specs(weights):
        file = ModelSpec.read(path).file
        files |= {path.name: path, file: weights / file}
    files |= _report(report, text, remote.files if remote else ())
    notes = list(filter(None, [card.about_others(report, specs)]))
    if differs:
        notes.append(
            f"The text of the card on the Hub is kept; it is not that of {weights / card.CARD}, "
            "which --replace-card would put in its place."
        )
    if others := [name for name in (remote.files if remote else ()) if _is_model(name) and name not in files]:
        notes.append(f"The repository also holds {', '.join(others)}, which apps will load if it is a model.")
    return Upload(repository, remote, files, f"Publish {', '.join(spec.name for spec in specs)}", notes=notes)


def _report(folder: Path, text: str, there: Iterable[str]) -> dict[str, Content]:
    """The files of a report that a card shows or links to; InvalidSettings if one is nowhere."""
    linked = map(unquote, re.findall(rf"\]\({card.REPORT}/([^)\s#?]+)", text))
    files: dict[str, Content] = {}
    for name in dict.fromkeys(linked):
        path, file = f"{card.REPORT}/{name}", folder / name
        if file.is_file():
            # A card may come from the Hub: it is not to fetch files from elsewhere.
            if not file.resolve().is_relative_to(folder.resolve()):
                raise InvalidSettings(f"The model card links to {path}, which is outside the report. {UNTOUCHED}")
            files[path] = file
        elif path not in there:
            raise InvalidSettings(f"The model card links to {file}, which does not exist. {UNTOUCHED}")
    return files


def _is_model(name: str) -> bool:
    return "/" not in name and name.endswith((".h5", ".json"))
