"""The app -> what a Space is to hold, pinned to a commit of a model repository."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from huggingface_hub import constants
from huggingface_hub.utils import filter_repo_objects

from catdog.settings import BUNDLED_WEIGHTS
from catdog.wording import class_names, listed, number_word
from train.publish import readme
from train.publish.hub_client import NOTHING_PUBLISHED, PublishError
from train.publish.hub_repository import README, Repository, Upload

ROOT = BUNDLED_WEIGHTS.parent
FILES = ("app.py", "requirements.txt", "LICENSE")
FOLDERS = ("catdog", "examples")
PRELOADED = re.compile(r"[\w.-]+\.(h5|json|onnx)")  # model files whose names fit into a list with commas
LEFT_OUT = ["*.pyc", "*.pyi", "*/.*", "*/__pycache__*"]  # Gradio writes .pyi files beside its components
# How the text begins that the Hub itself puts into a new Space.
UNWRITTEN = "Check out the configuration reference at"
# Front matter that must fit the code, whatever the owner of the Space wrote.
OWNED = ("sdk", "sdk_version", "python_version", "app_file")
DESCRIPTION = re.compile(r"An? neural network judges your photo|\w+ neural networks judge your photo side by side")
NEW_TEXT = "\n# {title}\n\n<!-- generated: models -->\n<!-- end of models -->\n"


def models_of(repository: Repository) -> str:
    """The repository of the models that a Space serves now; of a Space that serves none, its own name."""
    current = repository.readme()
    match readme.parse(current, f"{README} of {repository.name}")[0].get("models") if current else None:
        case str(name) | [str(name), *_]:
            return name
    return repository.name


def space_upload(repository: Repository, models: Repository) -> Upload:
    """The upload of a Space that serves the models of a repository at its commit.

    Of a Space that exists, other files, other front matter and what people wrote in its README.md are kept; files
    of FOLDERS that are no longer here go. Raises PublishError.
    """
    if not models.commit:
        raise PublishError(
            f"There is no Hub repository {models.name} for this token. Publish the models first: "
            f"python -m train publish --repo {models.name}; or name others with --repo. {NOTHING_PUBLISHED}"
        )
    preloaded = sorted(filter(PRELOADED.fullmatch, models.files))
    if not {Path(name).suffix for name in preloaded} >= {".h5", ".json"}:
        raise PublishError(f"{models.name} holds no models at {models.commit}. {NOTHING_PUBLISHED}")
    files: dict[str, bytes | Path] = dict(_app_files())
    specs, (usual, _) = list(models.specs().values()), readme.load(ROOT / README)
    front = {key: usual[key] for key in OWNED if key in usual} | {"models": [models.name]}
    front |= {"preload_from_hub": [f"{models.name} {','.join(preloaded)} {models.commit}"]}
    files[README] = readme_of(repository, models, len(specs), class_names(specs), front).encode()
    owned = tuple(f"{folder}/" for folder in FOLDERS)
    secret = f"{models.name} is private: give the Space a secret HF_TOKEN that may read it, in its settings."
    return Upload(
        repository,
        files,
        f"Serve {models.name}@{models.commit[:12]}",
        deleted=[name for name in repository.files if name.startswith(owned) and name not in files],
        variables={"CATDOG_HUB_REPO": models.name, "CATDOG_HUB_REVISION": models.commit},
        notes=[secret] if models.private else [],
    )


def _app_files() -> Iterator[tuple[str, Path]]:
    for name in FILES:
        if not (ROOT / name).is_file():
            raise PublishError(
                f"{ROOT / name} is missing: a Space is published from a copy of the repository. {NOTHING_PUBLISHED}"
            )
        yield name, ROOT / name
    files = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.is_file())
    names = {path.relative_to(ROOT).as_posix(): path for path in files}
    yield from ((name, names[name]) for name in filter_repo_objects(names, ignore_patterns=LEFT_OUT))


def readme_of(
    repository: Repository,
    models: Repository | None,
    count: int,
    classes: Sequence[str],
    owned: Mapping[str, Any],
    without: Sequence[str] = (),
) -> str:
    """The README.md of a Space with `count` models of these classes, and a link to their repository, if any.

    What people wrote there is kept, except the front matter in `owned`. Front matter `without` is left out.
    """
    usual, _ = readme.load(ROOT / README)
    described = _described(usual, count, classes)
    fronts = [usual | described]
    text = NEW_TEXT.format(title=fronts[0].get("title", repository.name))
    if (current := repository.readme()) is not None:
        front_there, text_there = readme.parse(current, f"{README} of {repository.name}")
        by_hand = readme.hand_written(text_there)
        if not by_hand.startswith(UNWRITTEN):
            # What nobody wrote but this command, for other models, is made anew.
            made = {key for key in described if front_there.get(key) == usual.get(key)}
            if DESCRIPTION.fullmatch(str(front_there.get("short_description"))):
                made.add("short_description")
            fronts.insert(0, front_there | {key: described[key] for key in made & described.keys()})
            text = text_there if by_hand else text
    front = readme.merged_front(fronts, {}, owned)
    kept = {key: value for key, value in front.items() if key not in without}
    return readme.render(kept, readme.with_blocks(text, {"models": _pinned(models) if models else ""}))


def _pinned(models: Repository) -> str:
    url = f"{constants.ENDPOINT}/{models.name}/tree/{models.commit}"
    return f"The models are those of [{models.name}]({url}), at commit `{models.commit}`."


def _described(front: Mapping[str, Any], models: int, classes: Sequence[str]) -> dict[str, Any]:
    """The part of the front matter that says what so many models of these classes do; empty for none."""
    if not models:
        return {}
    judges = "A neural network judges your photo"
    if models > 1:
        judges = f"{number_word(models).capitalize()} neural networks judge your photo side by side"
    if {*classes} <= {"cat", "dog"}:
        return {"short_description": judges}
    title = f"{listed(classes, 'or')}?" if len(classes) < 5 else "What is in the photo?"
    own = [tag for tag in front.get("tags", []) if tag not in ("cats", "dogs")]
    return {
        "short_description": judges,
        "title": title[:1].upper() + title[1:],
        "emoji": "📷",
        "tags": [*own, *classes],
    }
