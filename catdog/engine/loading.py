"""Load each model with the engine of the settings, or with another if that cannot run it."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from catdog.engine import cache
from catdog.engine.cascade import NOTE, CascadeEngine
from catdog.engine.convert import Job, NotStored, convert
from catdog.engine.interface import Engine, are_probabilities
from catdog.engine.keras_engine import KerasEngine, has_keras, limit_threads, load_model
from catdog.engine.openvino_engine import OpenVINOEngine, import_openvino
from catdog.engine.precision import EXACT, FAST, precisions_of
from catdog.errors import CatDogError, ModelMismatch, NotConverted
from catdog.keras_file.refusals import first_line
from catdog.models.spec import ModelSpec
from catdog.settings import Settings

# Models that are compiled at a time. Each keeps one core busy and takes twice its size in memory.
AT_A_TIME = 2

log = logging.getLogger(__name__)

Model = tuple[Path, ModelSpec]  # a verified `.h5` and its spec


def load_engine(path: Path, spec: ModelSpec, settings: Settings, *, precision: str | None = None) -> Engine:
    """Load one model as `load_engines` does, but raise its error."""
    (engine,) = load_engines([(path, spec)], settings, precision=precision)
    if isinstance(engine, CatDogError):
        raise engine
    return engine


def load_engines(
    models: Sequence[Model], settings: Settings, *, precision: str | None = None
) -> list[Engine | CatDogError]:
    """Load models and check their shapes against their specs.

    With OpenVINO, in `precision`, or by default in the first of `precisions_of` that works:

    1. Take conversions from the cache, and convert the other models in one child process.
    2. Convert in a temporary folder what cannot be written to the cache; this happens again at every start.
    3. Run with TensorFlow what cannot be converted at all. With the setting `openvino`, or a fast `precision`, that is
       an error instead.

    Returns for each model an engine, a ModelMismatch for a file that does not fit its spec, or a NotConverted.
    """
    if not _with_openvino(settings):
        return [_attempt(_with_keras, model, settings) for model in models]
    with contextlib.ExitStack() as temporary:
        folders = _conversions(models, settings, temporary)
        # The largest first, while least memory is taken by others.
        order = sorted(range(len(models)), key=lambda i: -models[i][1].bytes)
        with ThreadPoolExecutor(AT_A_TIME) as pool:
            loads = {
                i: pool.submit(_attempt, _with_conversion, models[i], settings, folders[i], precision) for i in order
            }
        engines = [loads[i].result() for i in range(len(models))]
    if precision in FAST:
        return engines
    return [
        _attempt(_instead, model, settings, engine) if isinstance(engine, NotConverted) else engine
        for model, engine in zip(models, engines, strict=True)
    ]


def describe(spec: ModelSpec, settings: Settings) -> str:
    """What would run a model, without loading it: library, version and precision."""
    if _with_openvino(settings):
        with contextlib.suppress(Exception):  # loading says what is wrong
            if version := cache.installed("openvino"):
                precision = precisions_of(spec)[0]
                return f"OpenVINO {version}, {precision}{NOTE if precision in FAST else ''}"
        if settings.engine == "openvino" or not has_keras():
            return "nothing, as OpenVINO fails on this machine"
    if not has_keras():
        return "nothing, as TensorFlow is not installed"
    return f"TensorFlow {cache.installed('tensorflow')}, float32"


def _with_openvino(settings: Settings) -> bool:
    if settings.engine == "auto":
        return importlib.util.find_spec("openvino") is not None
    return settings.engine == "openvino"


def _conversions(
    models: Sequence[Model], settings: Settings, temporary: contextlib.ExitStack
) -> list[Path | CatDogError]:
    """The folder of each model's conversion, or why there is none; temporary ones last as long as `temporary`."""
    with ThreadPoolExecutor(AT_A_TIME) as pool:  # the checksums leave a core free for the import, which takes as long
        pool.submit(import_openvino)
        found: list = list(pool.map(lambda model: cache.find(settings.cache, model[1].sha256), models))
    for parent in (settings.cache, None):  # None: a temporary folder, as the cache may be full or read-only
        missing = [i for i, entry in enumerate(found) if entry is None or isinstance(entry, NotStored)]
        if missing:
            if parent:
                names = ", ".join(models[i][0].name for i in missing)
                log.warning("Converting for OpenVINO, which may take a minute: %s.", names)
            made = _convert([models[i] for i in missing], parent, settings.cache, temporary)
            for i, entry in zip(missing, made, strict=True):
                found[i] = entry
    return found


def _convert(
    models: Sequence[Model], parent: Path | None, place: Path, temporary: contextlib.ExitStack
) -> list[Path | CatDogError]:
    """Convert in a folder inside `parent` that lasts as long as `temporary`, then move to the cache `place`."""
    try:
        workspace = Path(temporary.enter_context(cache.workspace(parent)))
        jobs = [Job(path, spec, workspace / str(number)) for number, (path, spec) in enumerate(models)]
        for job in jobs:
            job.out.mkdir()
    except OSError as error:
        return [NotStored(f"No folder can be written: {os.strerror(error.errno)}.")] * len(models)
    return [
        failure or cache.put(job.out, place, job.spec.sha256) for job, failure in zip(jobs, convert(jobs), strict=True)
    ]


def _with_conversion(model: Model, settings: Settings, conversion: Path | CatDogError, precision: str | None) -> Engine:
    """Run a conversion with OpenVINO; raises NotConverted."""
    path, spec = model
    if isinstance(conversion, CatDogError):
        raise conversion
    try:
        precisions = [precision] if precision else precisions_of(spec)
        engine = _in_first_precision(model, conversion, settings.threads, precisions)
    except NotConverted:
        raise
    except Exception as error:  # a broken library or an unknown processor; its text may name folders
        raise NotConverted(f"OpenVINO fails on this machine ({type(error).__name__}).") from error
    if conversion.parent != settings.cache:
        engine.problem = (
            f"{path.name} is converted anew at every start, which takes long, because the cache is full or cannot be "
            "written: set CATDOG_CACHE to another folder."
        )
    return engine


def _in_first_precision(model: Model, conversion: Path, threads: int, precisions: Sequence[str]) -> Engine:
    """Run a conversion in the first of these precisions that works; raises what the last one raises."""
    path, spec = model
    *others, last = precisions
    for precision in others:
        try:
            engine = _in_precision(conversion, spec, threads, precision)
            _check(engine, *model)
            return engine
        except Exception as error:  # e.g. the model could not be quantized
            log.warning("%s does not run in %s (%s).", path.name, precision, first_line(error))
    return _in_precision(conversion, spec, threads, last)


def _in_precision(conversion: Path, spec: ModelSpec, threads: int, precision: str) -> Engine:
    """Run a conversion in one precision, together with float32 if the spec has a threshold for that.

    Raises NotConverted for int8 where the model could not be quantized, and what OpenVINO raises.
    """
    if precision == "int8" and not (conversion / cache.QUANTIZED[0]).exists():
        raise NotConverted("The model could not be quantized when it was converted.")
    engine = OpenVINOEngine(conversion, threads=threads, precision=precision)
    threshold = spec.clear.get(precision) if precision in FAST else None
    if threshold is None:
        return engine
    # Compiled when it is first needed, or by `warm_up`: certain answers do not wait for it.
    exact = OpenVINOEngine(conversion, threads=threads, precision=EXACT, at_once=False)
    return CascadeEngine(engine, exact, threshold, len(spec.classes))


def _with_keras(model: Model, settings: Settings, *, why: str = "") -> Engine:
    """Run a model with TensorFlow; `why` is the reason if the settings did not ask for it."""
    path, _ = model
    if not has_keras():
        raise NotConverted(
            f"{path.name} needs TensorFlow, which is not installed. Install what requirements.txt names."
        )
    try:
        limit_threads(settings.threads)
    except Exception as error:  # not its text, which may name folders
        reason = f", as {why}" if why else "."
        raise NotConverted(
            f"TensorFlow does not start here ({type(error).__name__}), which {path.name} needs{reason}"
        ) from error
    problem = f"{path.name} runs on TensorFlow, which is slower, because {why}" if why else ""
    return KerasEngine(load_model(*model), problem=problem)


def _instead(model: Model, settings: Settings, error: NotConverted) -> Engine:
    """Run with TensorFlow what OpenVINO cannot run; raises NotConverted where the settings or the machine forbid it."""
    path, _ = model
    if settings.engine == "auto" and has_keras():
        return _with_keras(model, settings, why=f"it could not be converted: {error}")
    advice = (
        "Serve it with CATDOG_ENGINE=auto, and TensorFlow runs it."
        if has_keras()
        else "Run `python -m catdog convert` where TensorFlow is installed, and use the same CATDOG_CACHE."
    )
    raise NotConverted(f"{path.name} could not be converted for OpenVINO: {error} {advice}") from error


def _attempt(load: Callable[..., Engine], model: Model, *arguments: object) -> Engine | CatDogError:
    """Load and check a model; an error is returned, so that it stops no other model."""
    try:
        engine = load(model, *arguments)
        _check(engine, *model)
    except CatDogError as error:
        return error
    except Exception as error:
        return ModelMismatch(f"{model[0].name} cannot be run: {first_line(error)}")
    return engine


def _check(engine: Engine, path: Path, spec: ModelSpec) -> None:
    """Ask about one black photo and compare the shapes with the spec; raises ModelMismatch."""
    photo = np.zeros((1, *spec.input.array), np.float32)
    engine = getattr(engine, "fast", engine)  # an uncertain answer would make a CascadeEngine compile float32 now
    try:
        probabilities = engine(photo).probabilities
    except Exception as error:
        raise ModelMismatch(
            f"{path.name} does not turn pixels of shape {photo.shape} into one array: {first_line(error)}"
        ) from error
    count = len(spec.classes)
    needed = (1, count + 1 if spec.neither else count)
    if probabilities.shape != needed:
        raise ModelMismatch(
            f"{path.name} gives probabilities of shape {probabilities.shape}, a single sigmoid counted as two columns; "
            f"its spec names {count} classes{' and neither' if spec.neither else ''}, which needs {needed}."
        )
    if not are_probabilities(probabilities):
        raise ModelMismatch(
            f"{path.name} returns values that are not probabilities from 0 to 1: {probabilities[0].tolist()}. "
            "Its last layer must be a sigmoid or a softmax, and its weights numbers."
        )
