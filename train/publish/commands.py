"""What `python -m train card` and `python -m train publish` do and print."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from huggingface_hub import constants

from catdog.errors import InvalidSettings, ModelMismatch
from catdog.models.locate import locate
from catdog.terminal import tell
from train.measure.served import settings_for
from train.publish import model_card
from train.publish.hub_client import PublishError, bounded_waits
from train.publish.hub_repository import Remote, Repository
from train.publish.model_repository import models_upload
from train.publish.space import models_of, space_upload
from train.publish.upload import Upload
from train.quiet import load_keras

DATA = Path("data")  # where the other commands put it
WEIGHTS, REPORT = Path("weights"), Path("docs/report")


def card(*, weights: Path = WEIGHTS, report: Path = REPORT) -> None:
    """Bring the generated parts of the card in `weights` up to date; the last line printed is JSON."""
    located = locate(settings_for(weights))
    if located.problems:
        raise ModelMismatch(" ".join(located.problems))
    path, specs = weights / model_card.CARD, [model.spec for model in located.models]
    tell(filter(None, [model_card.about_others(report, specs)]))
    changed = model_card.write(weights, specs, report)
    print(f"{path} was {'brought ' if changed else ''}up to date.")
    print(json.dumps({"card": str(path), "changed": changed}))


def publish(
    *,
    repo: str | None = None,
    space: str | None = None,
    revision: str | None = None,
    weights: Path = WEIGHTS,
    report: Path = REPORT,
    data: Path | None = None,
    unmeasured: bool = False,
    replace_card: bool = False,
    dry_run: bool = False,
    private: bool = False,
) -> None:
    """Publish models to the Hub repository `repo`, or the app to a `space`; the last line printed is JSON.

    Raises PublishError, and InvalidSettings for options that do not go together.
    """
    with bounded_waits():
        if space:
            options = {"weights": weights != WEIGHTS, "report": report != REPORT, "data": data}
            options |= {"unmeasured": unmeasured, "replace-card": replace_card}
            if ignored := [f"--{name}" for name, given in options.items() if given]:
                raise InvalidSettings(f"Not for a Space: {', '.join(ignored)}. Publish the models with --repo alone.")
            upload = _space_upload(space, repo, revision or "main", dry_run)
        elif not repo:
            raise InvalidSettings(
                "Say what to publish: the models with --repo USER/NAME, the app with --space USER/NAME."
            )
        elif revision:
            raise InvalidSettings("--revision says which models a Space pins: give it with --space.")
        else:
            data = None if unmeasured else data or (DATA if DATA.is_dir() else None)
            upload = _models_upload(repo, weights, report, data, replace_card, dry_run)
        print(upload.describe(), flush=True)
        if dry_run:
            print("Nothing was published: this was a dry run.")
            commit = upload.remote.commit if upload.remote else None
            result = {"repo": upload.repository.name, "commit": commit, "dry_run": True, "files": [*upload.differing]}
        else:
            result = upload.carry_out(private=private)
            print(_outcome(upload.repository, result))
    print(json.dumps(result))


def _models_upload(
    repo: str, weights: Path, report: Path, data: Path | None, replace_card: bool, dry_run: bool
) -> Upload:
    repository = Repository(repo)
    remote = _remote(repository, dry_run)
    load_keras()
    from train.publish import verification

    specs, findings = verification.verify(weights, data)
    print(*findings, sep="\n", flush=True)
    return models_upload(repository, remote, specs, weights, report, replace_card=replace_card)


def _space_upload(space: str, models: str | None, revision: str, dry_run: bool) -> Upload:
    repository = Repository(space, "space")
    remote = _remote(repository, dry_run)
    return space_upload(repository, remote, Repository(models or models_of(repository, remote)), revision)


def _remote(repository: Repository, dry_run: bool) -> Remote | None:
    """What a repository holds; a dry run needs no token, and not even the Hub."""
    try:
        if not dry_run:
            repository.require_permission()
        return repository.look()
    except PublishError as error:
        if not dry_run:
            raise
        print(f"Not compared with the Hub: {error}", file=sys.stderr)
        return None


def _outcome(repository: Repository, result: dict) -> str:
    commit = result["commit"]
    lines = [
        f"Published, as one commit: {commit}" if result["committed"] else f"No commit, nothing had changed: {commit}"
    ]
    if names := result.get("variables"):
        lines.append(f"Variables set: {', '.join(names)}")
    if repository.kind == "space":
        lines.append(f"When it has been built: {constants.ENDPOINT}/spaces/{repository.name}")
    else:
        command = f"python -m train publish --space USER/NAME --repo {repository.name} --revision {commit}"
        lines.append(f"A Space that serves it: {command}")
    return "\n".join(lines)
