"""ModelSpec: what the JSON file beside each `.h5` says about it."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import reprlib
from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from typing_extensions import TypedDict  # pydantic needs it before Python 3.12

from catdog.errors import ModelMismatch
from catdog.files import whole
from catdog.models.disagreement import Case
from catdog.models.error_rate import ErrorRates, Share
from catdog.models.neither import Neither
from catdog.models.training_runs import steps_to
from catdog.photo.array import OF_COLOUR, Input, Resize, Scaling, size_of

# How cats and dogs are called, in small letters -> the name of their class.
USUAL_NAMES = {"cat": "cat", "cats": "cat", "dog": "dog", "dogs": "dog"}
LARGEST = 1e300  # larger numbers in a spec are mistakes, and their sums could overflow
MOST_BYTES = 2**24  # of a spec; those of this project have 0.2 MB
MOST_LEVELS = 100  # of dicts and lists in each other; a run that went on from another adds two
MOST_PROBLEMS = 5  # that one message lists


class Cost(TypedDict):
    """What a model costs besides time; None when unknown."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    bytes: Annotated[int, Field(ge=0, description="Size of its file.")]
    parameters: Annotated[int | None, Field(description="Number of learned parameters.")]
    training_seconds: Annotated[float | None, Field(description="Duration of its training.")]


def _all_different(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) < len(names):
        raise ValueError("names must be different")
    return names


def _not_deep(record: dict[str, Any]) -> dict[str, Any]:
    """Refuse a record of more than MOST_LEVELS levels: recursive functions read it."""
    level = [record]
    for _ in range(MOST_LEVELS):
        within = [value for part in level for value in (part.values() if isinstance(part, dict) else part)]
        level = [value for value in within if isinstance(value, (dict, list, tuple))]
        if not level:
            return record
    raise ValueError(f"must have at most {MOST_LEVELS} levels")


def _with_shares(metrics: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    for split, figures in metrics.items():
        accuracy = figures.get("accuracy", 0.0)
        if not _is_number(accuracy) or not 0 <= accuracy <= 1:
            raise ValueError(f"the accuracy of {split} must be a number from 0 to 1")
    return metrics


FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
ClassName = Annotated[str, Field(min_length=1)]
Side = Annotated[int, Field(strict=True, ge=8, le=2048)]
Record = Annotated[dict[str, Any], AfterValidator(_not_deep)]


class ModelSpec(BaseModel):
    """Everything needed to serve one `.h5` file. A value that is not valid raises ModelMismatch."""

    model_config = ConfigDict(frozen=True)

    name: FileName  # short, e.g. `xception`
    title: str  # shown to people
    architecture: str  # name of the network in the registry of the training package
    file: FileName  # of the `.h5`, in the same folder
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]  # of that file
    bytes: Annotated[int, Field(strict=True, ge=0)]  # of that file
    image_size: Side  # height of the model's input, pixels
    # Names in the order of the model's outputs; a single sigmoid is the probability of the second of two.
    classes: Annotated[tuple[ClassName, ...], Field(min_length=2), AfterValidator(_all_different)]
    image_width: Side | None = None  # of the input, pixels; None for a square
    channels: Literal[1, 3] = 3  # 1 for a model of grey photos
    resize: Resize = "stretch"  # as in `Input`
    scaling: Scaling = "none"  # as in `Input`
    # Logits are divided by it before they become probabilities (Guo et al. 2017).
    temperature: Annotated[float, Field(strict=True, ge=1e-6, le=1e6)] = 1.0
    # Measured figures per split, each with the number of images behind it.
    metrics: Annotated[dict[str, Record], AfterValidator(_with_shares)] = {}
    training: Record = {}  # provenance: data, base weights, epochs, seconds, backend, seed, command, ...
    sureness: ErrorRates | None = None  # how often answers of a given confidence are wrong
    # How often the model is right where others disagree.
    disagreement: Annotated[tuple[Case, ...], Field(max_length=10_000)] = ()
    # `int8` or `bfloat16` -> uncalibrated probability of the label below which a photo is computed again in float32.
    clear: dict[str, Share] = {}
    neither: Neither | None = None  # of a model whose last output is for photos of none of the classes

    def __init__(self, /, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            name = reprlib.repr(values.get("name"))
            raise ModelMismatch(f"The spec of model {name} is not usable: {_problems(error)}.") from error

    @model_validator(mode="after")
    def _check(self) -> ModelSpec:
        if self.channels == 1 and self.scaling in OF_COLOUR:
            raise ValueError(f"the scaling {self.scaling} is for photos with colours")
        return self

    @property
    def validation_accuracy(self) -> float:
        """Accuracy on the validation split, 0 to 1; 0 when it was never measured."""
        return float(self.metrics.get("val", {}).get("accuracy", 0.0))

    @property
    def input(self) -> Input:
        """What the model takes; models with equal inputs can share an array."""
        size = size_of(self.image_size, self.image_width or self.image_size, self.channels)
        return Input(size, self.resize, self.scaling)

    @property
    def adopted(self) -> bool:
        """Whether somebody else trained it, and `adopt` wrote the spec."""
        return "adopted_from" in self.training

    @property
    def parameters(self) -> int | None:
        """Number of learned parameters; None when the spec does not say."""
        count = self.training.get("parameters")
        return count if _is_number(count, int) and count > 0 else None

    @property
    def training_seconds(self) -> float | None:
        """Duration of all runs that led to the model; None when the spec does not say."""
        # Averaging weights trains nothing.
        runs = [step.record for step in steps_to(self.training) if step.is_run and "averaged_with" not in step.record]
        seconds = [run["seconds"] for run in runs if _is_number(run.get("seconds")) and run["seconds"] >= 0]
        return float(sum(seconds)) if seconds else None

    @cached_property
    def cost(self) -> Cost:
        """What the model costs besides time."""
        return Cost(bytes=self.bytes, parameters=self.parameters, training_seconds=self.training_seconds)

    def public(self, source: str) -> Model:
        """What clients may know of the model; `source` is that of its ModelFile."""
        known = {name: getattr(self, name) for name in Model.model_fields if name != "source"}
        return Model(source=source, **known)

    def replace(self, **changes: Any) -> ModelSpec:
        """A checked copy with other values for some fields."""
        return ModelSpec(**{name: getattr(self, name) for name in ModelSpec.model_fields} | changes)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> ModelSpec:
        """Read a spec from a JSON file; raise ModelMismatch when it is not one. Unknown fields are ignored."""
        path = Path(path)
        try:
            # Pydantic would accept NaN and huge numbers in free-form fields.
            numbers = {"parse_constant": _number(float), "parse_float": _number(float), "parse_int": _number(int)}
            with path.open("rb") as file:
                text = file.read(MOST_BYTES + 1)
            if len(text) > MOST_BYTES:
                raise ValueError(f"it has more than {MOST_BYTES >> 20} MB")
            content = json.loads(text.decode(), **numbers)
        except (OSError, ValueError, RecursionError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ModelMismatch(f"The model spec {path.name} cannot be read: {reason}.") from error
        if not isinstance(content, dict):
            raise ModelMismatch(
                f"The model spec {path.name} must be a JSON object. Received: {type(content).__name__}."
            )
        missing = [name for name, field in cls.model_fields.items() if field.is_required() and name not in content]
        if missing:
            raise ModelMismatch(f"The model spec {path.name} lacks {', '.join(missing)}.")
        if not isinstance(content.get("clear", {}), dict):  # an older version kept a single number
            del content["clear"]
        return cls(**content)

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the spec as JSON, whole or not at all; raise ValueError for metrics that are NaN."""
        rare = {"image_width": None, "channels": 3}
        usual = {name for name, value in rare.items() if getattr(self, name) == value}
        text = json.dumps(self.model_dump(exclude=usual), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        path = Path(path)
        with whole(path, partial=path.name + ".partial") as partial:  # no .json: a leftover is no spec
            partial.write_text(text, encoding="utf-8")


Source = Annotated[
    str,
    Field(
        description="Whose it is: `bundled`, `folder NAME` or `hub USER/NAME@COMMIT`. For models of several, each with "
        "the names of its models.",
        examples=["bundled", "bundled: scratch_cnn, xception; folder mine: course_cnn"],
    ),
]


class Model(BaseModel):
    """What clients may know of a model: not how or where it was trained."""

    model_config = ConfigDict(extra="forbid")

    name: str
    title: str
    source: Source
    architecture: str
    classes: Annotated[
        list[str], Field(min_length=2, description="What several models know is spelt as the first of them spells it.")
    ]
    image_size: Annotated[int, Field(ge=1, description="Height of the input, pixels.")]
    image_width: Annotated[int | None, Field(ge=1, description="Its width, pixels; null for a square.")]
    channels: Annotated[int, Field(ge=1, le=3, description="3, or 1 for grey photos.")]
    bytes: Annotated[int, Field(ge=0, description="Size of the model file.")]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    temperature: Annotated[float, Field(gt=0, description="Divides the logits.")]
    metrics: Annotated[dict[str, Any], Field(description="Measured figures per split, with the number of images.")]
    parameters: Annotated[int | None, Field(ge=1, description="Number of learned parameters.")]
    training_seconds: Annotated[
        float | None, Field(ge=0, description="Duration of all training, that of its starting weights included.")
    ]


def classes_of(specs: Iterable[ModelSpec]) -> list[str]:
    """Every class that a model knows, once, in the order of the models."""
    return list(dict.fromkeys(name for spec in specs for name in spec.classes))


def usual_name(name: str) -> str:
    """The name of a class without spaces around it; `cats` and `dogs` become `cat` and `dog`, in any case."""
    return USUAL_NAMES.get(name.strip().lower(), name.strip())


def respelt(specs: Iterable[ModelSpec], known_as: Iterable[str] = ()) -> list[ModelSpec]:
    """The specs with one spelling for each class: `Cat` becomes `cat` if `known_as` or an earlier model says so.

    So labels can be compared. A model that itself tells classes apart by their case keeps its names.
    """
    known = {name.casefold(): name for name in known_as}
    found = []
    for spec in specs:
        names = [known.get(name.casefold(), name) for name in spec.classes]
        if len({name.casefold() for name in names}) == len(names):
            known |= {name.casefold(): name for name in names}
            spec = spec if names == [*spec.classes] else spec.replace(classes=names)
        found.append(spec)
    return found


def find_specs(folder: Path) -> list[Path]:
    """The JSON files of a folder that are specs, good or damaged, sorted by name.

    Other JSON files, such as reports, may lie beside them: a JSON file that does not look like a spec counts only if an
    `.h5` has the same name.
    """
    return [path for path in sorted(folder.glob("*.json")) if is_spec(path) or path.with_suffix(".h5").exists()]


def is_spec(path: Path) -> bool:
    """Whether a JSON file names a file and its sha256, or cannot be read and so could be a damaged spec.

    One of more than MOST_BYTES is none, and is not read.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            return False
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return True
    return isinstance(content, dict) and {"file", "sha256"} <= content.keys()


def sha256_of(path: str | os.PathLike[str]) -> str:
    """Hex digest of a file's bytes."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _number(kind: Callable[[str], Any]) -> Callable[[str], Any]:
    def parse(text: str) -> Any:
        if not abs(float(text)) <= LARGEST:  # also for NaN
            raise ValueError(f"{text[:20]} is not a number that can be used")
        return kind(text)

    return parse


def _problems(error: ValidationError) -> str:
    """The first problems that pydantic found, each with its field and what was received."""
    found = itertools.islice(error.errors(include_url=False), MOST_PROBLEMS)
    return "; ".join(
        f"{'.'.join(map(str, problem['loc']))}: {problem['msg'].removeprefix('Value error, ')}, "
        f"received {reprlib.repr(problem['input']):.100}"
        for problem in found
    )


def _is_number(value: Any, kinds: type | tuple[type, ...] = (int, float)) -> bool:
    return isinstance(value, kinds) and not isinstance(value, bool)
