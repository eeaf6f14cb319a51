"""The page without a server -> what a static Space is to hold, which costs nothing."""

from __future__ import annotations

import json
from pathlib import Path

from train.publish import readme
from train.publish.hub_client import NOTHING_PUBLISHED, PublishError
from train.publish.hub_repository import README, Repository, Upload
from train.publish.space import pinned, written

# Front matter that makes a Space static, and lets its page use threads.
STATIC = {
    "sdk": "static",
    "app_file": "index.html",
    "custom_headers": {
        "cross-origin-embedder-policy": "require-corp",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "cross-origin",
    },
}
OF_GRADIO = ("sdk_version", "python_version", "startup_duration_timeout", "preload_from_hub", "suggested_hardware")
OWNED = ("models/", "ort/", "quiz/", "examples/")  # folders whose other files go


def static_upload(repository: Repository, folder: Path, models: Repository | None) -> Upload:
    """The upload of a page that `python -m train static` built; raises PublishError for another folder.

    models  repository whose models, at its commit, are those of the page: the Hub then links to it

    Of a Space that exists, other files, other front matter and what people wrote in its README.md are kept.
    """
    if not (folder / "service-worker.js").is_file():
        raise PublishError(f"{folder} holds no page: build it with `make static`. {NOTHING_PUBLISHED}")
    if models:
        _require_models(folder, models)
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    files: dict[str, bytes | Path] = {path.relative_to(folder).as_posix(): path for path in paths}
    count = sum(path.suffix == ".bin" for path in (folder / "models").glob("*"))
    files[README] = _readme(repository, models, count).encode()
    deleted = [name for name in repository.files if name.startswith(OWNED) and name not in files]
    return Upload(repository, files, "Serve the page without a server", deleted=deleted, sdk="static")


def _require_models(folder: Path, models: Repository) -> None:
    """Raise PublishError unless a repository holds the `.h5` file of every model of a page."""
    listed = json.loads((folder / "models" / "models.json").read_text(encoding="utf-8"))
    missing = [model["name"] for model in listed if model["h5_sha256"] not in models.files.values()]
    if missing:
        place = f"{models.name} at {models.commit}" if models.commit else f"{models.name}, which this token cannot see"
        raise PublishError(
            f"{folder} holds models that are not in {place}: {', '.join(missing)}. Publish them first, or export those "
            f"of the repository: python -m train export --repo {models.name}. {NOTHING_PUBLISHED}"
        )


def _readme(repository: Repository, models: Repository | None, count: int) -> str:
    """The README.md of the Space: front matter of this project's, and of the one that the Space has."""
    fronts, text = written(repository, count)
    front = readme.merged_front(fronts, {}, STATIC | ({"models": [models.name]} if models else {}))
    link = pinned(models) if models else ""
    kept = {key: value for key, value in front.items() if key not in OF_GRADIO}
    return readme.render(kept, readme.with_blocks(text, {"models": link}))
