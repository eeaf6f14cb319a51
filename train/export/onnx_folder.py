"""The models of a folder -> a folder of ONNX files and a manifest, whole or not at all."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from catdog.engine.exported import MANIFEST
from catdog.errors import InvalidSettings, ModelMismatch
from catdog.files import whole
from catdog.models.locate import locate
from catdog.models.spec import sha256_of
from catdog.pages import examples
from train.data.dataset import find
from train.export.onnx_file import exported
from train.measure.served import settings_for

DATA = Path("data")  # where the other commands put it


def export(weights: Path, photos: Sequence[Path], out: Path, *, exact: bool = False) -> dict[str, Any]:
    """Export every model in `weights`, checked on photos; returns the manifest, which is written last.

    With `exact`, weights are not rounded. Servers use such files if they lie beside the `.h5` files.

    Raises ModelMismatch when one of the models cannot be used, InvalidSettings where a file would be replaced that no
    export made, and NotExported.
    """
    located = locate(settings_for(weights))
    if located.problems:
        raise ModelMismatch(" ".join(located.problems))
    made = []
    for path, spec in ((model.path, model.spec) for model in located.models):
        model, measured = exported(path, spec, photos, exact=exact)
        content = model.SerializeToString()
        file = {"file": f"{spec.name}.onnx", "sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
        made.append((content, file | {"h5_sha256": spec.sha256} | measured | {"spec": spec.model_dump()}))
    out.mkdir(parents=True, exist_ok=True)
    _require_own(out, [entry["file"] for _, entry in made])
    manifest = {"models": [entry for _, entry in made]}
    (out / MANIFEST).unlink(missing_ok=True)
    files = [(entry["file"], content) for content, entry in made]
    for name, content in [*files, (MANIFEST, (json.dumps(manifest, indent=1) + "\n").encode())]:
        with whole(out / name) as partial:
            partial.write_bytes(content)
    return manifest


def _require_own(out: Path, names: Sequence[str]) -> None:
    """Raise InvalidSettings where files of these names are there that no export made."""
    try:
        known = {entry["sha256"] for entry in json.loads((out / MANIFEST).read_text(encoding="utf-8"))["models"]}
    except (OSError, ValueError, LookupError, TypeError):
        known = set()
    for path in (out / name for name in names):
        if path.exists() and sha256_of(path) not in known:
            raise InvalidSettings(f"{path} was not made by an export: move it, or name another folder with --out.")


def photos(data: Path | None, limit: int | None) -> list[Path]:
    """The val photos of a data folder, if there is one, at most `limit` per class; and always the examples."""
    val = find(data or DATA, "val").head(limit).paths if data or DATA.is_dir() else ()
    return [*val, *sorted(examples.FOLDER.rglob("*.jpg"))]
