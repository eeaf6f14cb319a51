"""What `python -m train card` and `python -m train publish` do and print; the last line is JSON."""

import json
import sys
from pathlib import Path

from huggingface_hub import constants

from catdog.errors import ModelMismatch
from catdog.models.locate import locate
from catdog.terminal import tell
from train.measure.served import settings_for
from train.publish import model_card
from train.publish.hub_client import PublishError, bounded_waits
from train.publish.hub_repository import README, Repository, Upload
from train.publish.space import models_of, space_upload
from train.publish.static_space import static_upload
from train.quiet import load_keras


def card(weights: Path, report: Path) -> None:
    """Bring the generated parts of the card in `weights` up to date."""
    located = locate(settings_for(weights))
    if located.problems:
        raise ModelMismatch(" ".join(located.problems))
    path, specs = weights / README, [model.spec for model in located.models]
    tell(filter(None, [model_card.about_others(report, specs)]))
    changed = model_card.write(weights, specs, report)
    print(f"{path} was {'brought ' if changed else ''}up to date.")
    print(json.dumps({"card": str(path), "changed": changed}))


def publish_models(
    repo: str, weights: Path, report: Path, data: Path | None, *, dry_run: bool, private: bool, **how: bool
) -> None:
    """Publish the models in `weights` once they are verified, on `data` where given. Raises PublishError.

    `how` are the options of `models_upload`.
    """
    with bounded_waits():
        repository = _looked_at(Repository(repo), dry_run)
        load_keras()
        from train.publish import verification

        specs, findings = verification.verify(weights, data)
        print(*findings, sep="\n", flush=True)
        upload = model_card.models_upload(repository, specs, weights, report, **how)
        if done := _carried_out(upload, dry_run, private):
            command = f"python -m train publish --space USER/NAME --repo {repo} --revision {done['commit']}"
            print(f"A Space that serves it: {command}")
            print(json.dumps(done))


def publish_space(
    space: str, models: str | None, revision: str, static: Path | None, *, dry_run: bool, private: bool
) -> None:
    """Publish the app with the models of the repository `models`, by default those it has; or the page in `static`.

    Raises PublishError.
    """
    with bounded_waits():
        repository = _looked_at(Repository(space, "space"), dry_run)
        if static:
            upload = static_upload(repository, static, Repository(models).at(revision) if models else None)
        else:
            upload = space_upload(repository, Repository(models or models_of(repository)).at(revision))
        if done := _carried_out(upload, dry_run, private):
            if done.get("variables"):
                print(f"Variables set: {', '.join(done['variables'])}")
            print(f"When it has been built: {constants.ENDPOINT}/spaces/{space}")
            print(json.dumps(done))


def _looked_at(repository: Repository, dry_run: bool) -> Repository:
    """A repository as it is now; a dry run needs no token, and not even the Hub."""
    try:
        if not dry_run:
            repository.require_permission()
        return repository.at()
    except PublishError as error:
        if not dry_run:
            raise
        print(f"Not compared with the Hub: {error}", file=sys.stderr)
        return repository


def _carried_out(upload: Upload, dry_run: bool, private: bool) -> dict | None:
    """Show an upload and carry it out; return what was done, or None after a dry run."""
    print(upload.describe(), flush=True)
    if not dry_run:
        done = upload.carry_out(private=private)
        how = "Published, as one commit" if done["committed"] else "No commit, nothing had changed"
        print(f"{how}: {done['commit']}")
        return done
    print("Nothing was published: this was a dry run.")
    repository = upload.repository
    planned = {"repo": repository.name, "commit": repository.commit, "dry_run": True, "files": [*upload.differing]}
    print(json.dumps(planned))
    return None
