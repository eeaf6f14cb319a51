"""Which engine runs a model, and what is done where the one asked for cannot."""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..config import Settings
from ..errors import CatDogError, ModelMismatch, NotConverted
from ..spec import ModelSpec
from . import cache
from .convert import Job, convert
from .converted import PRECISIONS, OpenVINOEngine, has_bfloat16
from .interface import Engine, are_probabilities
from .reference import KerasEngine, first_line, limit_threads, load_model

# bfloat16 runs a model only where it was measured on at least so many photos, none of which got another
# label, and no probability moved by more than this.
BFLOAT16_PHOTOS, BFLOAT16_CHANGE = 1000, 0.01

Model = tuple[Path, ModelSpec]  # a verified `.h5` and its spec


def load_engine(path: Path, spec: ModelSpec, settings: Settings) -> Engine:
    """Load one model; as `load_engines`, but raises what is wrong."""
    (engine,) = load_engines([(path, spec)], settings)
    if isinstance(engine, CatDogError):
        raise engine
    return engine


def load_engines(models: Sequence[Model], settings: Settings) -> list[Engine | CatDogError]:
    """Load models, check their shapes against their specs, and warm them up.

    With OpenVINO:

    1. Take from the cache what was converted before; convert the others, in one child process.
    2. What cannot be written to the cache is converted in a temporary folder, at every start anew.
    3. What cannot be converted at all runs on TensorFlow with `auto`, and is an error with `openvino`.

    Returns an engine per model, or a ModelMismatch for a file that does not fit its spec, or a
    NotConverted.
    """
    if not _with_openvino(settings):
        return [_attempt(_reference, model, settings) for model in models]
    with contextlib.ExitStack() as temporary:
        folders = _converted(models, settings, temporary)
        return [
            _attempt(_from_conversion, model, settings, folder) for model, folder in zip(models, folders, strict=True)
        ]


def describe(spec: ModelSpec, settings: Settings) -> str:
    """What runs a model, without loading it: library, version, arithmetic."""
    if _with_openvino(settings):
        return f"OpenVINO {cache.installed('openvino')}, {PRECISIONS[precision_of(spec)]}"
    return f"TensorFlow {cache.installed('tensorflow')}, float32"


def precision_of(spec: ModelSpec) -> str:
    """`bf16` where this processor is fast at it and the spec says that it was measured to be harmless, else `f32`."""
    measured = spec.metrics.get("test", {}).get("bfloat16", {})
    harmless = (
        measured.get("images", 0) >= BFLOAT16_PHOTOS
        and measured["labels_changed"] == 0
        and measured["largest_change_of_probability"] <= BFLOAT16_CHANGE
    )
    return "bf16" if harmless and has_bfloat16() else "f32"


def _with_openvino(settings: Settings) -> bool:
    if settings.engine == "auto":
        return importlib.util.find_spec("openvino") is not None
    return settings.engine == "openvino"


def _converted(
    models: Sequence[Model], settings: Settings, temporary: contextlib.ExitStack
) -> list[Path | CatDogError]:
    """A folder with the conversion of each model, or why there is none."""
    found = {spec.sha256: cache.find(settings.cache, spec.sha256) for _, spec in models}
    # In the cache first; and where that fails, because it is full or must not be written, in a temporary folder.
    for parent in (settings.cache, None):
        missing = [model for model in models if not isinstance(found[model[1].sha256], (Path, ModelMismatch))]
        if not missing:
            break
        try:
            workspace = temporary.enter_context(cache.workspace(parent))
            found |= _convert(missing, workspace, settings.cache)
        except OSError as error:
            found |= {spec.sha256: NotConverted(f"No folder can be written: {error.strerror}.") for _, spec in missing}
    return [found[spec.sha256] for _, spec in models]


def _convert(models: Sequence[Model], workspace: Path, place: Path) -> dict[str, Path | CatDogError]:
    jobs = [Job(path, spec, workspace / spec.sha256) for path, spec in models]
    for job in jobs:
        job.out.mkdir(exist_ok=True)
    failures = convert(jobs) if _has_keras() else [NotConverted("TensorFlow is not installed.")] * len(jobs)
    return {
        job.spec.sha256: failure or cache.put(job.out, place, job.spec.sha256)
        for job, failure in zip(jobs, failures, strict=True)
    }


def _from_conversion(model: Model, settings: Settings, folder: Path | CatDogError) -> Engine:
    path, spec = model
    if isinstance(folder, NotConverted) and settings.engine == "auto" and _has_keras():
        problem = f"{path.name} runs on TensorFlow, which is slower, because it could not be converted: {folder}"
        return _reference(model, settings, problem=problem)
    if isinstance(folder, NotConverted):
        raise NotConverted(
            f"{path.name} could not be converted for OpenVINO: {folder} Run `python -m catdog convert` where "
            "TensorFlow is installed, and use the same CATDOG_CACHE."
        )
    if isinstance(folder, CatDogError):
        raise folder
    engine = OpenVINOEngine(folder, threads=settings.threads, precision=precision_of(spec))
    if folder.parent != settings.cache:
        engine.problem = (
            f"{path.name} is converted anew at every start, which takes long, because the cache cannot be written: "
            "set CATDOG_CACHE to a folder that can."
        )
    return engine


def _has_keras() -> bool:
    return importlib.util.find_spec("keras") is not None and importlib.util.find_spec("tensorflow") is not None


def _reference(model: Model, settings: Settings, *, problem: str = "") -> Engine:
    limit_threads(settings.threads)
    return KerasEngine(load_model(*model), problem=problem)


def _attempt(load, model: Model, *arguments) -> Engine | CatDogError:
    try:
        engine = load(model, *arguments)
        _check(engine, *model)
    except CatDogError as error:
        return error
    return engine


def _check(engine: Engine, path: Path, spec: ModelSpec) -> None:
    """Ask about one black photo and compare what comes back with the spec; raises ModelMismatch."""
    shape = (1, spec.image_size, spec.image_size, 3)
    try:
        outputs = engine(np.zeros(shape, np.float32)).probabilities
    except Exception as error:
        raise ModelMismatch(
            f"{path.name} does not turn pixels of shape {shape} into one array: {first_line(error)}"
        ) from error
    allowed = [(1, len(spec.classes))] + ([(1, 1)] if len(spec.classes) == 2 else [])
    if outputs.shape not in allowed:
        raise ModelMismatch(
            f"{path.name} has outputs of shape {outputs.shape}; its spec names {len(spec.classes)} classes, "
            f"which needs {' or '.join(map(str, allowed))}."
        )
    if not are_probabilities(outputs):
        raise ModelMismatch(
            f"{path.name} returns values that are not probabilities from 0 to 1: {outputs[0].tolist()}. "
            "Its last layer must be a sigmoid or a softmax, and its weights numbers."
        )
