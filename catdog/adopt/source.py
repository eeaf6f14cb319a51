"""Where a model, its weights and its labels are: in a file, a folder or a zip."""

from __future__ import annotations

import json
import os.path
import re
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path

from catdog.errors import InvalidSettings
from catdog.keras_file.hdf5 import LARGEST, opened
from catdog.keras_file.read import LARGEST_CONFIG, describes_model, unpacking
from catdog.keras_file.refusals import refused
from catdog.keras_file.sniff import kind_of, other
from catdog.models.spec import usual_name

MODELS = (".h5", ".hdf5", ".keras")
COPY = r"( ?\(\d+\))?"  # as browsers name a second download
LABELS = re.compile(rf"labels?{COPY}\.txt", re.IGNORECASE)
LARGEST_LABELS = 2**20  # bytes
LARGEST_TEXT = LARGEST_CONFIG + 1  # bytes unpacked of what is no model's file
TEACHABLE = re.compile(rf"keras_model{COPY}", re.IGNORECASE)  # the name in an export of Teachable Machine
HIDDEN = re.compile(r"(^|/)(\.|__)")  # a part of a path, such as .git or __MACOSX
NUMBERED = re.compile(r"(\d{1,6})[ :,.)\t]+(.+)")


@dataclass(frozen=True)
class Source:
    """The files to adopt: a model, its weights and its labels."""

    model: Path  # a `.h5`, a `.keras`, or a JSON file that describes a model
    weights: Path | None  # a `.h5` with its weights, for a JSON file
    labels: tuple[str, ...] | None  # the names in labels.txt beside it, in the order of the outputs

    @property
    def teachable(self) -> bool:
        """Whether it is an export of Teachable Machine, whose scaling and crop are known."""
        return bool(TEACHABLE.fullmatch(self.model.stem)) and self.labels is not None


def find_source(path: Path, workspace: Path) -> Source:
    """The model in a file or folder; a zip is unpacked in `workspace`. Raises Refused or NotWritten."""
    if not os.path.isdir(path) and kind_of(path) == "zip":
        path = _unpacked(path, workspace)
    model, weights = _in_folder(path) if os.path.isdir(path) else _with_partner(path)
    labels = [file for file in _files(model.parent) if LABELS.fullmatch(file.name)]
    if len(labels) > 1:
        labels = [file for file in labels if _copy(file) == _copy(model)]
    return Source(model, weights, read_labels(labels[0]) if len(labels) == 1 else None)


def _copy(path: Path) -> str:
    """The number of a download in its name, or nothing."""
    return re.search(f"{COPY}$", path.stem)[0].strip()


def read_labels(path: Path) -> tuple[str, ...]:
    """The class names in a file: one per line, maybe after numbers from 0 or 1, or in JSON, as a list or with numbers.

    Raises InvalidSettings if it cannot be read, or is larger than LARGEST_LABELS.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_LABELS + 1)
        text = content.decode("utf-8-sig") if len(content) <= LARGEST_LABELS else None
    except OSError as error:
        raise InvalidSettings(f"The labels in {path.name} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise InvalidSettings(f"The labels in {path.name} cannot be read: save it as text in UTF-8.") from error
    if text is None:
        raise InvalidSettings(f"The labels in {path.name} cannot be read: they are larger than 1 MB.")
    if re.match(r'\s*(\{|\[\s*")', text):
        return _from_json(text, path.name)
    lines = ["".join(letter for letter in line if letter.isprintable() or letter == "\t") for line in text.splitlines()]
    lines = [line.strip() for line in lines if line.strip()]
    found = {int(match[1]): match[2] for line in lines if (match := NUMBERED.fullmatch(line))}
    if len(found) == len(lines) and sorted(found) in ([*range(len(found))], [*range(1, len(found) + 1)]):
        lines = [found[number] for number in sorted(found)]
    return tuple(map(usual_name, lines))


def _from_json(text: str, name: str) -> tuple[str, ...]:
    """`{"cats": 0, "dogs": 1}`, as `class_indices` has it, `{"0": "cat", "1": "dog"}`, or `["cat", "dog"]`."""
    try:
        content = json.loads(text)
        numbers = {
            int(value if isinstance(value, int) else key): usual_name(key if isinstance(value, int) else value)
            for key, value in (enumerate(content) if isinstance(content, list) else content.items())
        }
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise InvalidSettings(f'The labels in {name} must be like {{"cat": 0, "dog": 1}} or ["cat", "dog"].') from error
    return tuple(numbers[number] for number in sorted(numbers))


def _unpacked(path: Path, workspace: Path) -> Path:
    """A folder with those files of a zip that may be models or labels, all in one level."""
    with zipfile.ZipFile(path) as archive:
        files = [info for info in archive.infolist() if not info.is_dir()]
        wanted = [info for info in files if Path(info.filename).suffix.lower() in (*MODELS, ".json", ".txt")]
        wanted = [info for info in wanted if not Path(info.filename).name.startswith((".", "_"))]
        if len({Path(info.filename).name.casefold() for info in wanted}) < len(wanted):
            raise refused("several_files", path.name, reason=", ".join(info.filename for info in wanted))
        models = [info for info in wanted if Path(info.filename).suffix.lower() in MODELS]
        if sum(info.file_size if info in models else min(info.file_size, LARGEST_TEXT) for info in wanted) > LARGEST:
            raise refused("absurd_size", path.name, reason=f"more than {LARGEST / 2**30:g} GB in a zip")
        names = archive.namelist()
        if not models:
            script = any(name.endswith("model.json") for name in names) and any(name.endswith(".bin") for name in names)
            raise refused("tensorflow_js" if script else other(*map(Path, names)) or "zip_file", path.name)
        if any(info.flag_bits & 1 for info in wanted):  # with a password
            raise refused("archive", path.name)
        for info in wanted:
            target = workspace / Path(info.filename).name
            with unpacking(path.name), archive.open(info) as stream, target.open("wb") as out:
                if info in models:
                    shutil.copyfileobj(stream, out)
                else:  # of a larger one the first part: reading it says that it is too large
                    out.write(stream.read(LARGEST_TEXT))
    return workspace


def _in_folder(folder: Path) -> tuple[Path, Path | None]:
    files = [path for path in _files(folder) if not path.name.startswith(".")]
    described = [path for path in files if path.suffix.lower() == ".json" and describes_model(path)]
    models = [path for path in files if path.suffix.lower() in MODELS]
    inside = []
    if not models and not described:  # as in many repositories, two folders down at most
        inside = sorted({*folder.glob("*/*"), *folder.glob("*/*/*")})
        models = [path for path in inside if path.suffix.lower() in MODELS and path.is_file()]
        models = [path for path in models if not HIDDEN.search(path.relative_to(folder).as_posix())]
    if len(models) == 1:
        return _with_partner(models[0])
    if len(models) > 1:
        raise refused("several_files", folder.name, reason=", ".join(str(path.relative_to(folder)) for path in models))
    if described:
        return described[0], None
    scripts = [path for path in files if path.name == "model.json"]  # of TensorFlow.js
    raise refused("tensorflow_js" if scripts else other(*files, *inside) or "not_a_model", folder.name)


def _with_partner(path: Path) -> tuple[Path, Path | None]:
    """A model's file, or a description and the weights beside it, whichever of the two was named."""
    beside = [file for file in _files(path.parent) if file != path]
    if path.suffix.lower() == ".json":
        weights = [file for file in beside if file.suffix.lower() in MODELS[:2]]
        alike = [file for file in weights if file.name.split(".")[0] == path.stem]
        if len(weights) > 1 and len(alike) != 1:
            raise refused("several_files", path.name, reason=", ".join(file.name for file in weights))
        return path, (alike or weights or [None])[0]
    if _holds_model(path):
        return path, None
    described = [file for file in beside if file.suffix.lower() == ".json" and describes_model(file)]
    alike = [file for file in described if file.stem == path.name.split(".")[0]] or described
    return (alike[0], path) if len(alike) == 1 else (path, None)


def _files(folder: Path) -> list[Path]:
    """The files in a folder, sorted; raises Refused where it cannot be read."""
    try:
        return sorted(path for path in folder.iterdir() if path.is_file())
    except OSError as error:
        raise refused("file_unreadable", folder.name, reason=error.strerror) from error


def _holds_model(path: Path) -> bool:
    """Whether a file is more than weights; raises Refused."""
    if kind_of(path) != "h5":
        return True
    with opened(path) as file:
        return "model_config" in file.attrs
