"""The commands `card` and `publish`: their arguments, and what they print.

python -m train card
python -m train publish --repo USER/NAME
python -m train publish --space USER/NAME [--repo USER/MODELS]
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from catdog.errors import InvalidSettings, ModelMismatch
from catdog.models.locate import locate
from catdog.terminal import tell
from train.measure.served import settings_for
from train.publish import hub_client, hub_repository, model_repository, space
from train.publish import model_card as card
from train.publish.upload import Upload
from train.quiet import load_keras

DATA = Path("data")  # where the other commands are told to put it
WEIGHTS, REPORT = Path("weights"), Path("docs/report")
# What `publish` is told about the models, as it is where nothing is said.
OF_THE_MODELS = {"weights": WEIGHTS, "report": REPORT, "data": None, "unmeasured": False, "replace_card": False}


def add_commands(commands: argparse._SubParsersAction) -> None:
    """Add the two commands to those of `python -m train`."""
    parser = commands.add_parser("card", help="bring the generated parts of weights/README.md up to date")
    _add_folders(parser)
    parser.set_defaults(run_command=_card, needs_keras=False, after_stop="nothing was written")

    parser = commands.add_parser("publish", help="models -> a Hub repository, or the app -> a Space; one commit")
    parser.add_argument("--repo", type=_repository, metavar="USER/NAME", help="repository of the models")
    parser.add_argument("--dry-run", action="store_true", help="show what would go, and publish nothing")
    parser.add_argument("--private", action="store_true", help="make a new repository or Space private")
    models = parser.add_argument_group("the models")
    _add_folders(models)
    figures = models.add_mutually_exclusive_group()
    figures.add_argument(
        "--data", type=Path, help="photos to measure the figures on again (default data, if it exists)"
    )
    figures.add_argument("--unmeasured", action="store_true", help="do not measure the recorded figures again")
    models.add_argument("--replace-card", action="store_true", help="put the folder's card in place of the Hub's text")
    app = parser.add_argument_group("the app")
    app.add_argument(
        "--space",
        type=_repository,
        metavar="USER/NAME",
        help="publish the app to this Space instead; without --repo it keeps its models, or takes those of its name",
    )
    app.add_argument("--revision", help="commit, tag or branch of the models that it pins (default main)")
    parser.set_defaults(run_command=_publish, needs_keras=False, after_stop="the same command goes on")


def _add_folders(parser: argparse._ActionsContainer) -> None:
    parser.add_argument("--weights", type=Path, default=WEIGHTS, help=f"folder of the models (default {WEIGHTS})")
    parser.add_argument("--report", type=Path, default=REPORT, help=f"folder of images for the card (default {REPORT})")


def _repository(text: str) -> str:
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(text)
    except HFValidationError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    if "/" not in text:
        raise argparse.ArgumentTypeError(f"it must be USER/NAME, received {text!r}")
    return text


def _card(arguments: argparse.Namespace) -> None:
    located = locate(settings_for(arguments.weights))
    if located.problems:
        raise ModelMismatch(" ".join(located.problems))
    path, specs = arguments.weights / card.CARD, [model.spec for model in located.models]
    tell(filter(None, [card.about_others(arguments.report, specs)]))
    is_new = card.write(arguments.weights, specs, arguments.report)
    print(f"{path} was brought up to date." if is_new else f"{path} was up to date.")
    print(json.dumps({"card": str(path), "changed": is_new}))


def _publish(arguments: argparse.Namespace) -> None:
    with hub_client.impatient():
        upload = _space(arguments) if arguments.space else _models(arguments)
        print(upload.describe(), flush=True)
        if arguments.dry_run:
            print("Nothing was published: this was a dry run.")
            commit = upload.remote.commit if upload.remote else None
            result = {"repo": upload.repository.name, "commit": commit, "dry_run": True, "files": [*upload.differing]}
        else:
            result = upload.carry_out(private=arguments.private)
            print(_outcome(result, arguments))
    print(json.dumps(result))


def _models(arguments: argparse.Namespace) -> Upload:
    if not arguments.repo:
        raise InvalidSettings("Say what to publish: the models with --repo USER/NAME, the app with --space USER/NAME.")
    if arguments.revision:
        raise InvalidSettings("--revision says which models a Space pins: give it with --space.")
    repository = hub_repository.Repository(arguments.repo)
    remote = _remote(repository, arguments.dry_run)
    load_keras()
    from train.publish import verification

    data = None if arguments.unmeasured else arguments.data or (DATA if DATA.is_dir() else None)
    specs, report = verification.verify(arguments.weights, data)
    print(*report, sep="\n", flush=True)
    return model_repository.models(
        repository, remote, specs, arguments.weights, arguments.report, replace_card=arguments.replace_card
    )


def _space(arguments: argparse.Namespace) -> Upload:
    if ignored := [name for name, unsaid in OF_THE_MODELS.items() if getattr(arguments, name) != unsaid]:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in ignored)
        raise InvalidSettings(
            f"Of no use for a Space: {options}. Leave that out, or publish the models by --repo alone."
        )
    repository = hub_repository.Repository(arguments.space, "space")
    remote = _remote(repository, arguments.dry_run)
    models = arguments.repo or space.models_of(repository, remote)
    return space.space(repository, remote, hub_repository.Repository(models), arguments.revision or "main")


def _remote(repository: hub_repository.Repository, dry_run: bool) -> hub_repository.Remote | None:
    """What a repository holds; a dry run needs no token, and not even the Hub."""
    try:
        if not dry_run:
            repository.require_permission()
        return repository.look()
    except hub_client.PublishError as error:
        if not dry_run:
            raise
        print(f"Not compared with the Hub: {error}", file=sys.stderr)
        return None


def _outcome(result: dict, arguments: argparse.Namespace) -> str:
    from huggingface_hub import constants

    commit = result["commit"]
    done = f"Published, as one commit: {commit}" if result["committed"] else f"No commit, nothing had changed: {commit}"
    if names := result.get("variables"):
        done += f"\nVariables set: {', '.join(names)}"
    if arguments.space:
        return f"{done}\nWhen it has been built: {constants.ENDPOINT}/spaces/{arguments.space}"
    return (
        f"{done}\nA Space that serves it: "
        f"python -m train publish --space USER/NAME --repo {arguments.repo} --revision {commit}"
    )
