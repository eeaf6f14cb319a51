"""The model card, with parts generated from the specs between text by people, and the models' repository on the Hub.

python -m train card                # brings weights/README.md up to date
python -m train publish --repo ...  # the same for the card on the Hub
"""

import json
import os.path
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from huggingface_hub import ModelCardData

from catdog.engine import exported
from catdog.errors import InvalidSettings
from catdog.files import whole
from catdog.models.spec import ModelSpec, classes_of, find_specs
from catdog.photo.array import SCALINGS
from catdog.verdict import default_of
from train.fit.lineage import described
from train.publish import readme
from train.publish.hub_client import NOTHING_PUBLISHED
from train.publish.hub_repository import README as CARD
from train.publish.hub_repository import Repository, Upload
from train.report import results
from train.report.markdown import render

REPORT = "report"  # the folder on the Hub that holds the report's files


def write(weights: Path, specs: Sequence[ModelSpec], report: Path) -> bool:
    """Bring the card in a weights folder up to date, or make it; return whether that changed anything.

    Raises readme.InvalidReadme for a card that cannot be brought up to date.
    """
    path = weights / CARD
    front, text = readme.load(path) if path.is_file() else ({}, _new_text(specs))
    content = _composed([front], text, specs, report, _relative(report, weights)).encode()
    if path.is_file() and path.read_bytes() == content:
        return False
    with whole(path) as partial_path:
        partial_path.write_bytes(content)
    return True


def models_upload(
    repository: Repository,
    specs: Sequence[ModelSpec],
    weights: Path,
    report: Path,
    *,
    replace_card: bool = False,
    overwrite: bool = False,
) -> Upload:
    """The upload of a verified folder: `.h5` files, specs, exact ONNX files, the card, and what it shows of the report.

    The text of the card on the Hub is kept, unless `replace_card`. Raises InvalidSettings where a model there would be
    replaced that is none of catdog's, or knows other classes, unless `overwrite`.
    """
    there = None if replace_card else repository.readme()
    text, differs = _published(weights, there, specs, report, repository.name)
    files: dict[str, bytes | Path] = {CARD: text.encode()}
    for path in find_specs(weights):
        file = ModelSpec.read(path).file
        files |= {path.name: path, file: weights / file}
    exports = {export.path.name: export.path for spec in specs if (export := exported.find(weights / spec.file, spec))}
    files |= exports and {exported.MANIFEST: weights / exported.MANIFEST, **exports}
    files |= dict(_linked_files(report, text, repository.files))
    without = about_others(report, specs) or f"The card has no drawings, as {report} holds none."
    notes = [] if images_of(report, specs) else [without]
    if len(exports) < len(specs):
        notes.append(
            "Servers convert models without an exact ONNX file when they first start, which needs TensorFlow: "
            f"`python -m train export --exact --weights {weights}` writes these files."
        )
    if adopted := ", ".join(spec.name for spec in specs if spec.adopted):
        notes.append(
            f"Somebody else trained {adopted}: publish it only if its licence allows that, and name its author and "
            "licence in the card."
        )
    if differs:
        notes.append(
            f"The text of the card on the Hub is kept. It differs from that of {weights / CARD}: --replace-card puts "
            "the latter in its place."
        )
    others = [name for name in repository.files if re.fullmatch(r"[^/]+\.(h5|json|onnx)", name) and name not in files]
    if others:
        notes.append(f"The repository also holds {', '.join(others)}, which apps will load if it is a model.")
    upload = Upload(repository, files, f"Publish {', '.join(spec.name for spec in specs)}", notes=notes)
    if not overwrite:
        _require_kin(upload, specs)
    return upload


def _require_kin(upload: Upload, specs: Sequence[ModelSpec]) -> None:
    """Raise InvalidSettings where an upload replaces a model by one that is no newer version of it."""
    changed = {spec.file: spec for spec in specs if upload.differing.get(spec.file) == "changed"}
    there = {spec.file: spec for spec in upload.repository.specs().values()} if changed else {}
    for file, spec in changed.items():
        known = f"knows {', '.join(there[file].classes)}" if file in there else "has no spec of catdog"
        if file not in there or set(there[file].classes) != set(spec.classes):
            raise InvalidSettings(
                f"{upload.repository.name} holds another {file}, which {known}; yours knows {', '.join(spec.classes)}. "
                f"Name the right --weights or another --repo, or replace it with --overwrite. {NOTHING_PUBLISHED}"
            )


def _published(
    weights: Path, there: str | None, specs: Sequence[ModelSpec], report: Path, repo: str
) -> tuple[str, bool]:
    """The card for the Hub repository `repo`, and whether it keeps another text than the folder's.

    `there` is the card that the repository has, or None. What people wrote there is kept; where nobody wrote
    anything, the text is that of the card in `weights`. Links to files of `report` become links to REPORT.
    """
    front, text = {}, _new_text(specs)
    if (weights / CARD).is_file():
        front, text = readme.load(weights / CARD)
        text = text.replace(f"]({_relative(report, weights)}/", f"]({REPORT}/")
    fronts, differs = [front], False
    if there is not None:
        front_there, text_there = readme.parse(there, f"{CARD} of {repo}")
        fronts.insert(0, front_there)
        if written := readme.hand_written(text_there):
            differs, text = written != readme.hand_written(text), text_there
    return _composed(fronts, text, specs, report, REPORT, repo), differs


def _linked_files(report: Path, text: str, there: Iterable[str]) -> Iterator[tuple[str, Path]]:
    """The files of a report that a card shows or links to; InvalidSettings if one is nowhere."""
    links = re.findall(rf"\]\({REPORT}/([^)\s#?]+)", text)
    for name in dict.fromkeys(map(unquote, links)):
        path, file = f"{REPORT}/{name}", report / name
        # A card may come from the Hub: it must not choose files from elsewhere.
        if file.is_file() and not file.resolve().is_relative_to(report.resolve()):
            raise InvalidSettings(f"The model card links to {path}, which is outside the report. {NOTHING_PUBLISHED}")
        if file.is_file():
            yield path, file
        elif path not in there:
            raise InvalidSettings(f"The model card links to {file}, which does not exist. {NOTHING_PUBLISHED}")


def images_of(report: Path, specs: Sequence[ModelSpec]) -> dict[str, str]:
    """The images of a report, sorted: name -> caption from the report's pages.

    Empty when there is no such folder, or it is about other models.
    """
    if about_others(report, specs):
        return {}
    pages = "\n".join(path.read_text(encoding="utf-8") for path in report.glob("*.md"))
    captions = {name: text for text, name in re.findall(r"!\[([^]]+)\]\(([^)]+)\)", pages)}
    paths = sorted(path for path in report.glob("*") if path.suffix in (".png", ".jpg"))
    return {path.name: captions.get(path.name) or re.sub("[_-]", " ", path.stem).capitalize() for path in paths}


def about_others(report: Path, specs: Sequence[ModelSpec]) -> str:
    """A sentence on what to do when the figures in a report are those of other models; else empty."""
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
    fronts: Sequence[Mapping[str, Any]],
    text: str,
    specs: Sequence[ModelSpec],
    report: Path,
    link: str,
    repo: str | None = None,
) -> str:
    """A card of front matters and a text; its images are those of `report`, which `link` leads to."""
    images = images_of(report, specs).items()
    blocks = {
        "load": render("load.md.j2", specs=specs, default=default_of(specs), repo=repo, scalings=SCALINGS),
        "figures": results.card_table(specs),
        "report": "\n\n".join(f"![{caption}]({quote(f'{link}/{name}')})" for name, caption in images),
        "models": "\n\n".join(described(spec) for spec in specs),
    }
    return readme.render(readme.merged_front(fronts, *_front(specs)), readme.with_blocks(text, blocks))


def _front(specs: Sequence[ModelSpec]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Front matter: what is only a default, and what always comes from the specs."""
    defaults = ModelCardData(
        license="unknown" if any(spec.adopted for spec in specs) else "apache-2.0",
        library_name="keras",
        pipeline_tag=results.TASK,
        tags=[results.TASK, "keras", *sorted(classes_of(specs))],
        datasets=sorted({name for spec in specs if (name := results.dataset_id(spec))}) or None,
    )
    entries = results.model_index(specs)
    metrics = dict.fromkeys(found["type"] for e in entries for result in e["results"] for found in result["metrics"])
    return defaults.to_dict(), {"metrics": list(metrics), "model-index": entries} if entries else {}


def _new_text(specs: Sequence[ModelSpec]) -> str:
    """The text of a card that nobody has written yet."""
    return render("new_card.md.j2", title=" or ".join(classes_of(specs)).capitalize())


def _relative(report: Path, weights: Path) -> str:
    return Path(os.path.relpath(report, weights)).as_posix()
