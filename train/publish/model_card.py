"""The model card: generated parts from the specs, between what people wrote.

python -m train card                # brings weights/README.md up to date
python -m train publish --repo ...  # the same for the card on the Hub
"""

from __future__ import annotations

import json
import os.path
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from catdog.models.spec import ModelSpec, classes_of
from catdog.photo.array import SCALINGS as SCALES
from catdog.verdict import default_of
from train.fit.lineage import described, prose
from train.folders import whole
from train.publish import readme
from train.report import results

CARD = "README.md"
REPORT = "report"  # the folder on the Hub that holds the report's files
RESIZES = {
    "stretch": "the whole photo resized without keeping its aspect ratio",
    "crop": "the photo resized, its centre cropped",
}
SCALINGS = {"none": "0 to 255", "unit": "0 to 1", "symmetric": "-1 to 1"}
# What people write, for the card that nobody has written yet.
TEXT = """
# {title}

Image classifiers for Keras 3 in `.h5` files, each with its spec: JSON with input size, classes, temperature, sha256,
measured figures and provenance.

## How to load

<!-- generated: load -->
<!-- end of load -->

## Measured

<!-- generated: figures -->
<!-- end of figures -->

<!-- generated: report -->
<!-- end of report -->

## What they are

<!-- generated: models -->
<!-- end of models -->

## Intended use

For learning, demonstrations, and sorting one's own photos. Not for decisions about people or animals.

## Limits

The models know only their classes and always choose one of them, whatever the photo shows. The figures hold for photos
like those on which they were measured; others are harder.
"""


def write(weights: Path, specs: Sequence[ModelSpec], report: Path) -> bool:
    """Bring the card in a weights folder up to date, or make it; return whether that changed anything.

    Raises readme.InvalidReadme for a card that cannot be brought up to date.
    """
    path = weights / CARD
    front, text = readme.load(path) if path.is_file() else ({}, _new(specs))
    images = {f"{_relative(report, weights)}/{name}": says for name, says in images_of(report, specs).items()}
    new = _composed([front], text, specs, images=images)
    if path.is_file() and path.read_bytes() == new.encode():
        return False
    with whole(path) as partial:
        partial.write_bytes(new.encode())
    return True


def published(
    weights: Path, there: str | None, specs: Sequence[ModelSpec], report: Path, repo: str
) -> tuple[str, bool]:
    """The card as it is to be in the Hub repository `repo`, and whether it keeps another text than the folder's.

    `there` is the card that the repository has, or None. What people wrote there is kept; where nobody wrote
    anything, the text is that of the card in `weights`. Links to files of `report` become links to REPORT.
    """
    front, text = {}, _new(specs)
    if (weights / CARD).is_file():
        front, text = readme.load(weights / CARD)
        text = text.replace(f"]({_relative(report, weights)}/", f"]({REPORT}/")
    fronts, differs = [front], False
    if there is not None:
        front_there, text_there = readme.parse(there, f"{CARD} of {repo}")
        fronts.insert(0, front_there)
        if written := readme.hand_written(text_there):
            differs, text = written != readme.hand_written(text), text_there
    images = {f"{REPORT}/{name}": says for name, says in images_of(report, specs).items()}
    return _composed(fronts, text, specs, repo=repo, images=images), differs


def images_of(report: Path, specs: Sequence[ModelSpec]) -> dict[str, str]:
    """Name -> what the report's pages say that it shows, of its images, sorted.

    None when there is no such folder, or it is `about_others`.
    """
    if about_others(report, specs):
        return {}
    pages = "\n".join(path.read_text(encoding="utf-8") for path in report.glob("*.md"))
    says = {name: text for text, name in re.findall(r"!\[([^]]+)\]\(([^)]+)\)", pages)}
    names = sorted(path.name for path in report.glob("*") if path.suffix in (".png", ".jpg"))
    return {name: says.get(name) or _caption(name) for name in names}


def about_others(report: Path, specs: Sequence[ModelSpec]) -> str:
    """What to do, in a sentence, where the figures in a report are those of other models; empty where they are not."""
    sha256 = {spec.sha256 for spec in specs}
    for command in ("report", "insight"):
        path = report / f"{command}.json"
        try:
            models = json.loads(path.read_text(encoding="utf-8"))["models"].values()
            measured = {model["sha256"] for model in models}
        except (OSError, ValueError, LookupError, TypeError, AttributeError):  # nothing tells what it is about
            continue
        if measured != sha256:
            return (
                f"The drawings in {report} are left out of the card, as {path.name} is about other models. "
                f"`python -m train {command} --out {report}` makes new ones."
            )
    return ""


def _composed(
    fronts: Iterable[Mapping[str, Any]],
    text: str,
    specs: Sequence[ModelSpec],
    *,
    repo: str | None = None,
    images: Mapping[str, str],
) -> str:
    blocks = {
        "load": _load(specs, repo),
        "figures": results.table(specs),
        "report": "\n\n".join(f"![{says}]({quote(link)})" for link, says in images.items()),
        "models": "\n\n".join(described(spec) for spec in specs),
    }
    return readme.render(readme.merged_front(fronts, *_front(specs)), readme.with_blocks(text, blocks))


def _front(specs: Sequence[ModelSpec]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Front matter: what is only a default, and what always comes from the specs."""
    from huggingface_hub import ModelCardData

    classes = sorted({name for spec in specs for name in spec.classes})
    defaults = ModelCardData(
        license="apache-2.0",
        library_name="keras",
        pipeline_tag=results.TASK,
        tags=[results.TASK, "keras", *classes],
        datasets=sorted({name for spec in specs if (name := results.dataset_id(spec))}) or None,
    )
    entries = results.model_index(specs)
    return defaults.to_dict(), {"metrics": results.metrics(specs), "model-index": entries} if entries else {}


def _new(specs: Sequence[ModelSpec]) -> str:
    classes = classes_of(specs)
    return TEXT.format(title=" or ".join(classes).capitalize())


def _load(specs: Sequence[ModelSpec], repo: str | None) -> str:
    """Three lines that run as they stand, anywhere with a repository, else beside the file; and those that go on."""
    default = default_of(specs)
    file = default.file
    lines = ["import keras", "", f'model = keras.models.load_model("{file}", compile=False)']
    if repo:
        lines = [
            "import keras",
            "from huggingface_hub import hf_hub_download",
            "",
            f'model = keras.models.load_model(hf_hub_download("{repo}", "{file}"), compile=False)',
        ]
    rows = [
        f"| `{spec.file}` | float32 (N, {spec.image_size}, {spec.image_size}, 3), RGB {SCALINGS[spec.scaling]}; "
        f"{RESIZES[spec.resize]} | {', '.join(spec.classes)} | {spec.temperature} |"
        for spec in specs
    ]
    judging = ["What it says of a photo, as probabilities:", "", "```python", *_judging(default), "```"]
    note = prose(
        "A model with one output gives the probability of the second class, any other one probability per class in "
        "this order. Their logits divided by the temperature are calibrated."
    )
    header = ["| file | input | classes | temperature |", "|---|---|---|---|"]
    return "\n".join(["```python", *lines, "```", "", *judging, "", *header, *rows, "", note])


def _judging(spec: ModelSpec) -> list[str]:
    """Lines of Python that prepare `photo.jpg` as catdog does, and calibrate what `model` says of it."""
    size, (factor, offset) = (spec.image_size, spec.image_size), SCALES[spec.scaling]
    resized = {
        "stretch": f"photo.resize({size}, Image.Resampling.BILINEAR)",
        "crop": f"ImageOps.fit(photo, {size}, Image.Resampling.BILINEAR)",
    }[spec.resize]
    scaled = "" if spec.scaling == "none" else f" * {factor} + {offset}"
    return [
        "import numpy as np",
        "from PIL import Image, ImageOps",
        "",
        'photo = ImageOps.exif_transpose(Image.open("photo.jpg")).convert("RGB")',
        f'pixels = np.asarray({resized}, "float32"){scaled}',
        "p = model.predict(pixels[None])[0]",
        *(["p = np.append(1 - p, p) if len(p) == 1 else p"] if len(spec.classes) == 2 else []),
        f"p = p ** (1 / {spec.temperature})  # calibrated, once they add up to 1",
        f"print(dict(zip({json.dumps(spec.classes, ensure_ascii=False)}, (p / p.sum()).tolist())))",
    ]


def _caption(name: str) -> str:
    return Path(name).stem.replace("_", " ").replace("-", " ").capitalize()


def _relative(report: Path, weights: Path) -> str:
    return Path(os.path.relpath(report, weights)).as_posix()
