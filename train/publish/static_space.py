"""The page without a server -> what a static Space is to hold, which costs nothing."""

import json
from pathlib import Path
from typing import Any

from train.publish.hub_client import NOTHING_PUBLISHED, PublishError
from train.publish.hub_repository import README, Repository, Upload
from train.publish.space import readme_of

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

    Of a Space that exists, other front matter, what people wrote in its README.md, and files outside the folders OWNED
    are kept.
    """
    from train.export.static_page import names_of  # slow to import, and only needed here

    names = sorted(names_of(folder))
    if not names or not all((folder / name).is_file() for name in names):
        raise PublishError(f"{folder} holds no whole page: build it with `make static`. {NOTHING_PUBLISHED}")
    listed = json.loads((folder / "models" / "models.json").read_text(encoding="utf-8"))
    if models:
        _require_models(folder, listed, models)
    classes = sorted({name.lower() for model in listed for name in model["classes"]})
    front = STATIC | ({"models": [models.name]} if models else {})
    without = OF_GRADIO if models else (*OF_GRADIO, "models")  # other models than the page's
    files: dict[str, bytes | Path] = {name: folder / name for name in names}
    files[README] = readme_of(repository, models, len(listed), classes, front, without).encode()
    deleted = [name for name in repository.files if name.startswith(OWNED) and name not in files]
    return Upload(repository, files, "Serve the page without a server", deleted=deleted, sdk="static")


def _require_models(folder: Path, listed: list[dict[str, Any]], models: Repository) -> None:
    """Raise PublishError unless a repository holds the `.h5` file of every model of a page."""
    missing = [model["name"] for model in listed if model["h5_sha256"] not in models.files.values()]
    if missing:
        place = f"{models.name} at {models.commit}" if models.commit else f"{models.name}, which this token cannot see"
        raise PublishError(
            f"{folder} holds models that are not in {place}: {', '.join(missing)}. Publish them first, or export those "
            f"of the repository: python -m train export --repo {models.name}. {NOTHING_PUBLISHED}"
        )
