"""A file of Keras -> a Keras model in float32, without running anything that is in the file."""

from __future__ import annotations

import contextlib
import errno
import json
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py

from catdog.errors import NotWritten
from catdog.keras_file.hdf5 import LARGEST, config_of, numbers_in, opened, parsed
from catdog.keras_file.modernise import mentions, modernised, of_applications
from catdog.keras_file.refusals import Refused, first_line, refused
from catdog.keras_file.sniff import kind_of
from catdog.keras_file.weights import load_legacy_weights

if TYPE_CHECKING:
    import keras

LARGEST_CONFIG = 64 * 2**20  # bytes
MOST_PARAMETERS = LARGEST // 4
LINK = "_layer_checkpoint_dependencies"  # what early `.keras` files call `layers`


@dataclass(frozen=True)
class Read:
    """A model and what its file says besides."""

    model: keras.Model  # computes in float32
    version: str  # of Keras, as the file names it
    loss: Any = None  # config or name of the loss that it was trained with, if the file has it


def read(path: Path, weights: Path | None = None, size: tuple[int, int] | None = None) -> Read:
    """Load a `.h5`, a `.keras`, or the JSON of a model with its `weights` (.h5), whatever their suffixes are.

    size  height and width of its photos, where the file does not say

    Raises Refused, with one code for each kind of file that is none of these or cannot be served,
    and NotWritten where it cannot be unpacked.
    """
    kind = kind_of(path)
    if kind == "zip":
        raise refused("zip_file", path.name)
    if kind == "keras":
        return _from_archive(path, size)
    if kind == "json":
        return _from_json(path, weights, size)
    with opened(path) as file:
        config = config_of(file, path.name)
        version = _text(file.attrs.get("keras_version", "1"))
        loss = _loss_in(file)
        model = _built(config, version, path.name, size, numbers_in(file))
        _load(model, file.get("model_weights", file), version, path.name, config)
    return Read(model, version, loss)


def describes_model(path: Path) -> bool:
    """Whether a JSON file is what `model.to_json()` writes."""
    try:
        content = json.loads(path.read_bytes()) if path.stat().st_size <= LARGEST_CONFIG else None
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(content, dict) and {"class_name", "config"} <= content.keys()


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _loss_in(file: h5py.File) -> Any:
    """The config of the loss in an open file, or None."""
    try:
        return json.loads(file.attrs["training_config"])["loss"]
    except (KeyError, ValueError, TypeError, RecursionError):
        return None


def _from_json(path: Path, weights: Path | None, size: tuple[int, int] | None) -> Read:
    if path.stat().st_size > LARGEST_CONFIG:
        raise refused("absurd_size", path.name, reason="a description of more than 64 MB")
    config = parsed(path.read_bytes(), path.name)
    if "modelTopology" in config or "weightsManifest" in config:
        raise refused("tensorflow_js", path.name)
    if not {"class_name", "config"} <= config.keys():
        raise refused("not_a_model", path.name)
    if weights is None:
        raise refused("no_weights", path.name)
    return _with_weights(config, weights, path.name, str(config.get("keras_version", "")), size)


def _with_weights(config: Any, weights: Path, name: str, version: str, size: tuple[int, int] | None) -> Read:
    """Weights of either kind: `save_weights` of Keras 1 and 2, or of Keras 3."""
    if kind_of(weights) != "h5":
        raise refused("not_a_model", weights.name)
    compiled = config.get("compile_config")
    loss = compiled.get("loss") if isinstance(compiled, dict) else None
    with opened(weights) as file:
        version = version or _text(file.attrs.get("keras_version", "3" if {"layers", LINK} & {*file} else "1"))
        model = _built(config, version, name, size, numbers_in(file))
        if "layer_names" in file.attrs or "model_weights" in file:
            _load(model, file.get("model_weights", file), version, weights.name, config)
            return Read(model, version, loss)
    _load_by_path(model, weights)
    return Read(model, version, loss)


def _from_archive(path: Path, size: tuple[int, int] | None) -> Read:
    with workspace(path.name) as folder:
        unpacked = folder / path.with_suffix(".weights.h5").name
        with unpacking(path.name), zipfile.ZipFile(path) as archive:
            config = _member(archive, "config.json", path.name, LARGEST_CONFIG)
            metadata = _member(archive, "metadata.json", path.name, LARGEST_CONFIG)
            _member(archive, "model.weights.h5", path.name, LARGEST, unpacked)
        version = str(parsed(metadata or b"{}", path.name).get("keras_version", "3"))
        return _with_weights(parsed(config, path.name), unpacked, path.name, version, size)


@contextlib.contextmanager
def workspace(name: str) -> Iterator[Path]:
    """A temporary folder to unpack a file of this name in; raises NotWritten where there can be none."""
    with contextlib.ExitStack() as temporary:
        with unpacking(name):
            folder = temporary.enter_context(tempfile.TemporaryDirectory(prefix="catdog-"))
        yield Path(folder)


@contextlib.contextmanager
def unpacking(name: str) -> Iterator[None]:
    """Raise Refused for a damaged archive of this name, and NotWritten where the disk is at fault."""
    try:
        yield
    except Refused:
        raise
    except Exception as error:  # zipfile and zlib raise many kinds
        # Of damaged data bz2 raises an OSError without a number, and a place outside the file is invalid.
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise NotWritten(f"{name} cannot be unpacked: {error.strerror}.") from error
        raise refused("damaged", name, reason=type(error).__name__) from error


def _member(archive: zipfile.ZipFile, name: str, file: str, most: int, out: Path | None = None) -> bytes | None:
    """A file in an archive, or with `out` a copy of it; raises Refused where it says that it is larger than `most`."""
    if name not in archive.namelist():
        return None
    if archive.getinfo(name).file_size > most:
        raise refused("absurd_size", file, reason=f"{name} of {archive.getinfo(name).file_size} bytes")
    with archive.open(name) as stream:
        if out is None:
            return stream.read(most)
        with out.open("wb") as copy:
            shutil.copyfileobj(stream, copy)
    return None


def _built(config: dict[str, Any], version: str, name: str, size: tuple[int, int] | None, stored: int) -> keras.Model:
    """The model of a config, if it has no more weights than are `stored`; raises Refused."""
    import keras
    from keras.src.backend.common import global_state
    from keras.src.saving.serialization_lib import SafeModeScope

    from catdog.keras_file.footprint import require_small

    number = version.split(".")[0]
    # tf_keras counts as TensorFlow does.
    modern = modernised(config, name, int(number) if number.isdecimal() else 2, size)
    cls = keras.Sequential if modern["class_name"] == "Sequential" else keras.Model
    scope = keras.StatelessScope()  # weights take memory only when it ends
    known = keras.saving.custom_object_scope(of_applications())
    try:
        with SafeModeScope(True), known, scope:  # no layer may open the files that its config names
            scope.initialize_variables = False
            model = cls.from_config(modern["config"])
            if model.count_params() > MOST_PARAMETERS:
                raise refused("absurd_size", name, reason=f"{model.count_params()} weights")
            if model.count_params() > stored:
                reason = f"it describes {model.count_params()} weights, and holds {stored}."
                raise refused("not_loaded", name, reason=reason)
            require_small(model, name, size)
            scope.initialize_variables = True
    except Exception as error:  # Keras raises many kinds
        global_state.set_global_attribute("uninitialized_variables", [])  # or the next model would make them
        raise error if isinstance(error, Refused) else refused("not_loaded", name, reason=first_line(error)) from error
    return model


def _load(model: keras.Model, group: h5py.Group, version: str, name: str, config: dict[str, Any]) -> None:
    first = version.startswith(("0.", "1"))
    turned = first and mentions(config, "th")
    # Early files do not name the backend. The order `th` was the default of Theano.
    theano = _text(group.attrs.get("backend", "theano" if turned else "tensorflow")) == "theano"
    load_legacy_weights(model, group, name, by_place=first, turned=turned, theano=theano)


def _load_by_path(model: keras.Model, weights: Path) -> None:
    """Load what Keras 3 writes, from a copy whose name and groups are called as it wants them."""
    with workspace(weights.name) as folder:
        copy = folder / "model.weights.h5"
        try:
            shutil.copyfile(weights, copy)
            with h5py.File(copy, "r+") as file:
                groups: list[h5py.Group] = [file]
                file.visititems(lambda _, item: groups.append(item) if isinstance(item, h5py.Group) else None)
                for group in groups:
                    if LINK in group and "layers" not in group:
                        group["layers"] = group[LINK]
        except OSError as error:  # of HDF5 without a number
            raise NotWritten(f"{weights.name} cannot be copied: {error.strerror or first_line(error)}.") from error
        try:
            model.load_weights(copy)
        except Exception as error:
            raise refused("not_loaded", weights.name, reason=first_line(error)) from error
