"""Which engine runs a model, and what is done where the one asked for cannot."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from catdog.engine import cache
from catdog.engine.convert import Job, NotStored, convert
from catdog.engine.interface import Engine, are_probabilities
from catdog.engine.keras_engine import KerasEngine, first_line, limit_threads, load_model
from catdog.engine.openvino_engine import OpenVINOEngine
from catdog.engine.precision import EXACT, FAST, fast_here
from catdog.engine.recheck import IN_DOUBT, CarefulEngine
from catdog.errors import CatDogError, ModelMismatch, NotConverted
from catdog.models.spec import ModelSpec
from catdog.settings import Settings

# Fast arithmetic, with float32 when in doubt, runs a model only where it was measured on at least so many photos, none
# of which got another label, and no probability moved by more than this.
LEAST_PHOTOS, LARGEST_CHANGE = 1000, 0.01

log = logging.getLogger(__name__)

Model = tuple[Path, ModelSpec]  # a verified `.h5` and its spec


def load_engine(path: Path, spec: ModelSpec, settings: Settings, *, precision: str | None = None) -> Engine:
    """Load one model; as `load_engines`, but raises what is wrong."""
    (engine,) = load_engines([(path, spec)], settings, precision=precision)
    if isinstance(engine, CatDogError):
        raise engine
    return engine


def load_engines(
    models: Sequence[Model], settings: Settings, *, precision: str | None = None
) -> list[Engine | CatDogError]:
    """Load models, check their shapes against their specs, and warm them up, but for float32 where it waits for doubt.

    With OpenVINO, in the arithmetic that `precision_of` chooses, or a slower one where that fails, or the one given:

    1. Take from the cache what was converted before; convert the others, in one child process.
    2. What cannot be written to the cache is converted in a temporary folder, at every start anew.
    3. What cannot be converted at all runs on TensorFlow with `auto`, and is an error with `openvino`, or when fast
       arithmetic was asked for.

    Returns an engine per model, or a ModelMismatch for a file that does not fit its spec, or a
    NotConverted.
    """
    if not _with_openvino(settings):
        return [_attempt(_reference, model, settings) for model in models]
    with contextlib.ExitStack() as temporary:
        folders = _converted(models, settings, temporary)
        # The largest first: while a model is loaded it takes twice its memory, on top of what is there.
        order = sorted(range(len(models)), key=lambda i: -models[i][1].bytes)
        # Compiling keeps one core busy, and more of it at a time would take more memory.
        with ThreadPoolExecutor(2) as pool:
            loads = {i: pool.submit(_attempt, _on_openvino, models[i], settings, folders[i], precision) for i in order}
        engines = [loads[i].result() for i in range(len(models))]
    if precision in FAST:
        return engines
    return [
        _attempt(_instead, model, settings, engine) if isinstance(engine, NotConverted) else engine
        for model, engine in zip(models, engines, strict=True)
    ]


def describe(spec: ModelSpec, settings: Settings) -> str:
    """What is to run a model, without loading it: library, version, arithmetic; what fails gives way to another."""
    if _with_openvino(settings):
        if precision := _precision_here(spec):
            in_doubt = IN_DOUBT if precision in FAST else ""
            return f"OpenVINO {cache.installed('openvino')}, {precision}{in_doubt}"
        if settings.engine == "openvino" or not _has_keras():
            return "nothing, as OpenVINO fails on this machine"
    if not _has_keras():
        return "nothing, as TensorFlow is not installed"
    return f"TensorFlow {cache.installed('tensorflow')}, float32"


def precision_of(spec: ModelSpec) -> str:
    """The fastest arithmetic on this processor that the spec says was measured to be harmless, else EXACT."""
    return precisions_of(spec)[0]


def precisions_of(spec: ModelSpec) -> list[str]:
    """All arithmetics to be tried on this processor, in this order: those measured to be harmless, then EXACT."""
    harmless = [name for name in FAST if _is_harmless(spec, name)]
    here = fast_here() if harmless else ()
    return [*(name for name in harmless if name in here), EXACT]


def _is_harmless(spec: ModelSpec, precision: str) -> bool:
    """Whether fast arithmetic, with float32 below what is clear, was measured to leave labels and probabilities."""
    try:
        measured = spec.metrics["test"][precision]
        return (
            measured["images"] >= LEAST_PHOTOS
            and measured["clear"] == spec.clear[precision]
            and measured["labels_changed"] == 0
            and measured["largest_change_of_probability"] <= LARGEST_CHANGE
        )
    except (LookupError, TypeError):  # never measured, or not by this project
        return False


def _precision_here(spec: ModelSpec) -> str | None:
    """As `precision_of`; None where OpenVINO is not installed, or broken."""
    try:
        return precision_of(spec) if cache.installed("openvino") else None
    except Exception:  # loading says what is wrong
        return None


def _with_openvino(settings: Settings) -> bool:
    if settings.engine == "auto":
        return importlib.util.find_spec("openvino") is not None
    return settings.engine == "openvino"


def _converted(
    models: Sequence[Model], settings: Settings, temporary: contextlib.ExitStack
) -> list[Path | CatDogError]:
    """A folder with the conversion of each model, or why there is none."""
    found: list[Path | CatDogError | None] = [cache.find(settings.cache, spec.sha256) for _, spec in models]
    # In the cache first; and where that fails, because it is full or must not be written, in a temporary folder.
    for parent in (settings.cache, None):
        missing = [i for i, entry in enumerate(found) if entry is None or isinstance(entry, NotStored)]
        if missing:
            if parent and _has_keras():  # or the silence would be taken for a hang
                names = ", ".join(models[i][0].name for i in missing)
                log.warning("Converting for OpenVINO, which may take a minute: %s.", names)
            made = _convert([models[i] for i in missing], parent, settings.cache, temporary)
            for i, entry in zip(missing, made, strict=True):
                found[i] = entry
    return found


def _convert(
    models: Sequence[Model], parent: Path | None, place: Path, temporary: contextlib.ExitStack
) -> list[Path | CatDogError]:
    """Convert in a folder inside `parent`, which lasts as long as `temporary`, then move to the cache `place`."""
    if not _has_keras():
        return [NotConverted("TensorFlow is not installed.")] * len(models)
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


def _instead(model: Model, settings: Settings, error: NotConverted) -> Engine:
    """What runs a model that OpenVINO cannot; raises NotConverted where nothing does."""
    path, _ = model
    if settings.engine == "auto" and _has_keras():
        return _reference(model, settings, why=f"it could not be converted: {error}")
    advice = (
        "Serve it with CATDOG_ENGINE=auto, and TensorFlow runs it."
        if _has_keras()
        else "Run `python -m catdog convert` where TensorFlow is installed, and use the same CATDOG_CACHE."
    )
    raise NotConverted(f"{path.name} could not be converted for OpenVINO: {error} {advice}") from error


def _on_openvino(model: Model, settings: Settings, conversion: Path | CatDogError, precision: str | None) -> Engine:
    path, spec = model
    if isinstance(conversion, CatDogError):
        raise conversion
    try:
        engine = _opened(model, conversion, settings.threads, [precision] if precision else precisions_of(spec))
    except NotConverted:
        raise
    except Exception as error:  # a library or a processor that do not fit; its text names folders, pages show this one
        raise NotConverted(f"OpenVINO fails on this machine ({type(error).__name__}).") from error
    if conversion.parent != settings.cache:
        engine.problem = (
            f"{path.name} is converted anew at every start, which takes long, because the cache is full or cannot be "
            "written: set CATDOG_CACHE to another folder."
        )
    return engine


def _opened(model: Model, conversion: Path, threads: int, precisions: Sequence[str]) -> Engine:
    """Run a conversion in the first of these arithmetics in which it runs; raises what the last one does."""
    path, spec = model
    *others, last = precisions
    for precision in others:
        try:
            engine = _in_arithmetic(conversion, spec, threads, precision)
            _check(engine, *model)
            return engine
        except Exception as error:  # such as of a model that could not be quantized
            log.warning("%s does not run in %s (%s).", path.name, precision, first_line(error))
    return _in_arithmetic(conversion, spec, threads, last)


def _in_arithmetic(conversion: Path, spec: ModelSpec, threads: int, precision: str) -> Engine:
    """Run a conversion in one arithmetic; with a spec that says what is clear in it, in float32 too.

    Raises NotConverted for int8 where the model could not be quantized, and what OpenVINO raises.
    """
    if precision == "int8" and not (conversion / cache.QUANTIZED[0]).exists():
        raise NotConverted("The model could not be quantized when it was converted.")
    engine = OpenVINOEngine(conversion, threads=threads, precision=precision)
    clear = spec.clear.get(precision) if precision in FAST else None
    if clear is None:
        return engine
    # Compiled at the first doubt, or by `warm_up`: a clear answer does not wait for it.
    exact = OpenVINOEngine(conversion, threads=threads, precision=EXACT, at_once=False)
    return CarefulEngine(engine, exact, clear)


def _has_keras() -> bool:
    return importlib.util.find_spec("keras") is not None and importlib.util.find_spec("tensorflow") is not None


def _reference(model: Model, settings: Settings, *, why: str = "") -> Engine:
    """TensorFlow, because it was asked for or for the reason `why`."""
    path, _ = model
    if not _has_keras():
        raise NotConverted(
            f"{path.name} needs TensorFlow, which is not installed. Install what requirements.txt names."
        )
    try:
        limit_threads(settings.threads)
    except Exception as error:  # what its text names is this machine's own, and pages show this one
        reason = f", as {why}" if why else "."
        raise NotConverted(
            f"TensorFlow does not start here ({type(error).__name__}), which {path.name} needs{reason}"
        ) from error
    problem = f"{path.name} runs on TensorFlow, which is slower, because {why}" if why else ""
    return KerasEngine(load_model(*model), problem=problem)


def _attempt(load, model: Model, *arguments) -> Engine | CatDogError:
    try:
        engine = load(model, *arguments)
        _check(engine, *model)
    except CatDogError as error:
        return error
    except Exception as error:  # one model spoils no other
        return ModelMismatch(f"{model[0].name} cannot be run: {first_line(error)}")
    return engine


def _check(engine: Engine, path: Path, spec: ModelSpec) -> None:
    """Ask about one black photo and compare what comes back with the spec; raises ModelMismatch."""
    photo = np.zeros((1, spec.image_size, spec.image_size, 3), np.float32)
    # Not all of a CarefulEngine: a doubt about this photo would compile float32 now.
    engine = getattr(engine, "fast", engine)
    try:
        outputs, features, *_ = engine(photo)
    except Exception as error:
        raise ModelMismatch(
            f"{path.name} does not turn pixels of shape {photo.shape} into one array: {first_line(error)}"
        ) from error
    count = len(spec.classes)
    needed = (1, count + 1 if spec.neither else count)
    if outputs.shape != needed:
        raise ModelMismatch(
            f"{path.name} gives probabilities of shape {outputs.shape}, a single sigmoid counted as two columns; its "
            f"spec names {count} classes{' and neither' if spec.neither else ''}, which needs {needed}."
        )
    if not are_probabilities(outputs):
        raise ModelMismatch(
            f"{path.name} returns values that are not probabilities from 0 to 1: {outputs[0].tolist()}. "
            "Its last layer must be a sigmoid or a softmax, and its weights numbers."
        )
    if spec.novelty and features is not None and features.shape[1] != spec.novelty.means.shape[1]:
        raise ModelMismatch(
            f"{path.name} has {features.shape[1]} features; the novelty in its spec is of "
            f"{spec.novelty.means.shape[1]}: run `python -m train calibrate` again."
        )
