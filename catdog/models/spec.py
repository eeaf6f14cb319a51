"""ModelSpec: what the JSON file beside each `.h5` says about it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, Field
from typing_extensions import TypedDict  # pydantic needs it before Python 3.12

from catdog.errors import ModelMismatch
from catdog.files import whole
from catdog.models.disagreement import cases_from_list
from catdog.models.error_rate import Sureness
from catdog.models.neither import Neither
from catdog.models.novelty import Novelty
from catdog.photo.array import RESIZES, SCALINGS, Input

LARGEST = 1e300  # of numbers of any use, whose sums are numbers still
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Cost(TypedDict):
    """What a model takes besides time; None when unknown."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    bytes: Annotated[int, Field(ge=0, description="Size of its file.")]
    parameters: Annotated[int | None, Field(description="How many numbers it learned.")]
    training_seconds: Annotated[float | None, Field(description="Duration of its training.")]


@dataclass(frozen=True)
class ModelSpec:
    """Everything needed to serve one `.h5` file.

    name         short identifier, e.g. `xception`
    title        name shown to people
    architecture key of the training registry that built it
    file         file name of the `.h5`, in the same folder
    sha256       hex digest of that file
    bytes        size of that file
    image_size   height and width of the model's input, pixels
    resize       `stretch` (aspect ratio not kept) or `crop` (centre crop of the resized photo)
    scaling      what is done to pixels 0..255 before the model: `none` (the model scales them
                 itself), `unit` (0..1) or `symmetric` (-1..1)
    classes      names in the order of the model's outputs; with one sigmoid output, the output is
                 the probability of the second of two classes
    temperature  logits are divided by it before they become probabilities (Guo et al. 2017)
    metrics      measured figures per split, each with the number of images behind it
    training     provenance: data, base weights, epochs, seconds, backend, seed, command, ...
    sureness     how often answers of a given confidence are wrong, as `sureness.Sureness`, or None
    novelty      what the features of the training animals look like, as `novelty.Novelty`, or None
    disagreement  how often the model is right where others disagree, each entry as `disagreement.Case`
    neither      for a model whose last output says that a photo is of none of the classes, what is known of it,
                 as `neither.Neither`, or None
    clear        per fast arithmetic, `int8` or `bfloat16`: the probability of its label, not calibrated, from which an
                 answer needs no second one in float32, 0 to 1
    """

    name: str
    title: str
    architecture: str
    file: str
    sha256: str
    bytes: int
    image_size: int
    classes: tuple[str, ...]
    resize: str = "stretch"
    scaling: str = "none"
    temperature: float = 1.0
    metrics: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    sureness: dict[str, Any] | None = None
    novelty: dict[str, Any] | None = None
    disagreement: list[dict[str, Any]] = field(default_factory=list)
    clear: dict[str, float] = field(default_factory=dict)
    neither: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        problems = list(_problems(self))
        if problems:
            raise ModelMismatch(f"The spec of model {self.name!r} is not usable: {'; '.join(problems)}.")
        object.__setattr__(self, "classes", tuple(self.classes))

    @property
    def validation_accuracy(self) -> float:
        """Accuracy on the validation split, 0 to 1; 0 when it was never measured."""
        return float(self.metrics.get("val", {}).get("accuracy", 0.0))

    @property
    def input(self) -> Input:
        """What the model takes; models with equal inputs can share an array."""
        return Input(self.image_size, self.resize, self.scaling)

    @property
    def parameters(self) -> int | None:
        """How many numbers the model learned; None when its spec does not say."""
        count = self.training.get("parameters")
        return count if _is_number(count, int) and count > 0 else None

    @property
    def training_seconds(self) -> float | None:
        """Duration of the training, with all that the model went on from; None when its spec does not say."""
        # Nothing is trained for a mean.
        runs = [run for run in runs_behind(self.training) if "averaged_with" not in run]
        seconds = [run["seconds"] for run in runs if _is_number(run.get("seconds"))]
        return float(sum(seconds)) if seconds else None

    @property
    def cost(self) -> Cost:
        """What the model takes besides time."""
        return Cost(bytes=self.bytes, parameters=self.parameters, training_seconds=self.training_seconds)

    def public(self) -> dict[str, Any]:
        """What clients may know of the model, ready for `json.dumps`: not how or where it was trained."""
        names = (
            "name", "title", "architecture", "classes", "image_size", "bytes", "sha256", "temperature", "metrics",
            "parameters", "training_seconds",
        )  # fmt: skip
        return {name: getattr(self, name) for name in names} | {"classes": list(self.classes)}

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> ModelSpec:
        """Read a spec from a JSON file; raise ModelMismatch when it is not one.

        Fields that this version does not know are ignored, as is what an older one called clear.
        """
        path = Path(path)
        try:
            content = json.loads(
                path.read_text(encoding="utf-8"), parse_constant=_finite, parse_float=_finite, parse_int=_whole
            )
        except (OSError, ValueError, RecursionError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ModelMismatch(f"The model spec {path.name} cannot be read: {reason}.") from error
        if not isinstance(content, dict):
            raise ModelMismatch(
                f"The model spec {path.name} must be a JSON object. Received: {type(content).__name__}."
            )
        if not isinstance(content.get("clear", {}), dict):  # of a version that knew one fast arithmetic
            del content["clear"]
        fields = dataclasses.fields(cls)
        missing = [f.name for f in fields if _is_required(f) and f.name not in content]
        if missing:
            raise ModelMismatch(f"The model spec {path.name} lacks {', '.join(missing)}.")
        return cls(**{f.name: content[f.name] for f in fields if f.name in content})

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the spec as JSON, whole or not at all; raise ValueError for metrics that are NaN."""
        text = json.dumps(dataclasses.asdict(self), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        path = Path(path)
        with whole(path, partial=path.name + ".partial") as partial:  # no .json: it is no spec if a kill leaves it
            partial.write_text(text, encoding="utf-8")


def classes_of(specs: Iterable[ModelSpec]) -> list[str]:
    """Every class that a model knows, once, in the order of the models."""
    return list(dict.fromkeys(name for spec in specs for name in spec.classes))


def find_specs(folder: Path) -> list[Path]:
    """The JSON files of a folder that are specs, good or bad, sorted by name.

    Other JSON files, such as reports, may lie beside them. A spec says which file it describes and that
    file's sha256. A JSON file that does not, but has the name of an `.h5` beside it, or one that cannot
    be read, is a spec that was damaged.
    """
    return [path for path in sorted(folder.glob("*.json")) if is_spec(path) or path.with_suffix(".h5").exists()]


def is_spec(path: Path) -> bool:
    """Whether a JSON file says which file it describes, or cannot be read, so that nothing tells what it is."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return True
    return isinstance(content, dict) and {"file", "sha256"} <= content.keys()


def sha256_of(path: str | os.PathLike[str]) -> str:
    """Hex digest of a file's bytes."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def runs_behind(training: Any) -> Iterator[dict[str, Any]]:
    """The record of each run that led to a model, first to last, from the `training` of its spec.

    What a run began with is its `base`, and what a mean was made of is `averaged_with` besides: files with
    the `training` behind them, or the record of a run itself. Means, and files of which nothing else is
    known, are among them. A file, told by its sha256, counts once.
    """
    return _runs_behind(training, set())


def _runs_behind(origin: Any, seen: set[str]) -> Iterator[dict[str, Any]]:
    """As `runs_behind`, but for what is behind files that were `seen`."""
    run = origin.get("training", origin) if isinstance(origin, dict) else None
    if not isinstance(run, dict):
        return
    if isinstance(sha256 := origin.get("sha256"), str):
        if sha256 in seen:
            return
        seen.add(sha256)
    for earlier in origins_of(run):
        yield from _runs_behind(earlier, seen)
    yield run


def origins_of(run: dict[str, Any]) -> list[Any]:
    """What a mean was made of, and what a run began with, as its record says it."""
    others = run.get("averaged_with")
    return [*(others if isinstance(others, list) else ()), run.get("base")]


def _is_required(f: dataclasses.Field) -> bool:
    return f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING


def _finite(text: str) -> float:
    number = float(text)
    if not abs(number) <= LARGEST:  # also for NaN
        raise ValueError(f"{text[:20]} is not a number that can be used")
    return number


def _whole(text: str) -> int:
    _finite(text)
    return int(text)


def _problems(spec: ModelSpec) -> Iterator[str]:
    """Yield what is wrong with a spec, each as a clause with what was received."""
    if not _matches(_FILE_NAME, spec.name):
        yield f"name must be a plain identifier, received {spec.name!r}"
    if not isinstance(spec.title, str) or not isinstance(spec.architecture, str):
        yield f"title and architecture must be texts, received {spec.title!r} and {spec.architecture!r}"
    if not _matches(_FILE_NAME, spec.file):
        yield f"file must be a file name without folders, received {spec.file!r}"
    if not _matches(_SHA256, spec.sha256):
        yield f"sha256 must be 64 hexadecimal digits, received {spec.sha256!r}"
    if not _is_number(spec.bytes, int) or spec.bytes < 0:
        yield f"bytes must be a whole number, received {spec.bytes!r}"
    if not _is_number(spec.image_size, int) or not 8 <= spec.image_size <= 2048:
        yield f"image_size must be 8 to 2048 pixels, received {spec.image_size!r}"
    if spec.resize not in RESIZES:
        yield f"resize must be one of {', '.join(RESIZES)}, received {spec.resize!r}"
    if spec.scaling not in tuple(SCALINGS):
        yield f"scaling must be one of {', '.join(SCALINGS)}, received {spec.scaling!r}"
    if not _are_classes(spec.classes):
        yield f"classes must be two or more different names, received {spec.classes!r}"
    if not _is_number(spec.temperature) or not 0 < spec.temperature <= 1e6:
        yield f"temperature must be a positive number of at most a million, received {spec.temperature!r}"
    if not isinstance(spec.clear, dict) or not all(_is_number(v) and 0 <= v <= 1 for v in spec.clear.values()):
        yield f"clear must be an object of numbers from 0 to 1, received {spec.clear!r}"
    if not isinstance(spec.training, dict):
        yield f"training must be an object, received {spec.training!r}"
    if not _are_metrics(spec.metrics):
        yield f"metrics must hold an object per split, each accuracy from 0 to 1, received {spec.metrics!r}"
    for name, read in (
        ("sureness", Sureness.from_dict),
        ("novelty", Novelty.from_dict),
        ("neither", Neither.from_dict),
    ):
        if getattr(spec, name) is not None:
            yield from _unreadable(spec, name, read)
    yield from _unreadable(spec, "disagreement", cases_from_list)


def _unreadable(spec: ModelSpec, name: str, read: Callable[[Any], Any]) -> Iterator[str]:
    try:
        read(getattr(spec, name))
    except ValueError as error:
        yield f"{name} cannot be used: {error}"


def _matches(pattern: re.Pattern[str], value: Any) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _is_number(value: Any, kinds: type | tuple[type, ...] = (int, float)) -> bool:
    return isinstance(value, kinds) and not isinstance(value, bool)


def _are_metrics(metrics: Any) -> bool:
    return isinstance(metrics, dict) and all(
        isinstance(figures, dict)
        and _is_number(figures.get("accuracy", 0.0))
        and 0 <= figures.get("accuracy", 0.0) <= 1
        for figures in metrics.values()
    )


def _are_classes(classes: Any) -> bool:
    return (
        isinstance(classes, (list, tuple))
        and len(classes) >= 2
        and all(isinstance(name, str) and name for name in classes)
        and len(set(classes)) == len(classes)
    )
