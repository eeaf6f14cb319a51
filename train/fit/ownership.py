"""Which models a run wrote itself: it replaces no others unless told to."""

import json
from pathlib import Path

from catdog.errors import InvalidSettings, ModelMismatch
from catdog.files import whole
from catdog.models.spec import ModelSpec, sha256_of
from train.fit.job import Product

MADE = "made.json"  # in the folder of a run: the sha256 of each model that it wrote


def require_own(product: Product) -> None:
    """Raise InvalidSettings for a model, at a place where a run will write, that it did not write itself.

    So the same command may be repeated, with --restart as well. `product.overwrite` allows all.
    """
    own = _made(product.run)
    for path in (product.file, product.file.with_suffix(".json")):
        if path.exists() and _of(path) not in own and not product.overwrite:
            raise InvalidSettings(
                f"{path} was not made by this run, and would be replaced. Choose another --out or --run, or say "
                "--overwrite."
            )


def record(run: Path, sha256: str) -> None:
    """Remember that a run is about to write a model with this sha256."""
    with whole(run / MADE) as partial:
        partial.write_text(json.dumps(sorted(_made(run) | {sha256})))


def _made(run: Path) -> set[str]:
    try:
        return {str(sha256) for sha256 in json.loads((run / MADE).read_text())}
    except (OSError, ValueError, TypeError):
        return set()


def _of(path: Path) -> str:
    """The sha256 of an `.h5`, or of the one that a spec describes; empty for a JSON file that is no spec."""
    if path.suffix != ".json":
        return sha256_of(path)
    try:
        return ModelSpec.read(path).sha256
    except ModelMismatch:
        return ""
