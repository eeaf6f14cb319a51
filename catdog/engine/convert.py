"""`.h5` -> OpenVINO, in a process of its own: `python -m catdog.engine.convert < jobs.json`.

TensorFlow takes a gigabyte of memory, which the server would keep. The process reads a list of `{"path", "out",
"spec"}` from stdin and writes a JSON line per job to stdout: `{}`, or the `{"code", "message"}` of an error.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import logging
import math
import os
import select
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from catdog.engine import cache, exported
from catdog.engine.int8 import quantized
from catdog.engine.interface import Engine, are_probabilities
from catdog.engine.keras_engine import KerasEngine, has_keras, load_model
from catdog.engine.openvino_engine import OpenVINOEngine, import_openvino
from catdog.errors import CatDogError, DifferentAnswers, ModelMismatch, NotConverted
from catdog.keras_file.refusals import REFUSALS, Refused, first_line
from catdog.models.spec import ModelSpec
from catdog.photo.array import to_array
from catdog.settings import environment_with_tensorflow

# Largest accepted difference between a probability of OpenVINO and of Keras. Rounding in float32 causes far less.
LARGEST_DIFFERENCE = 1e-4
PATIENCE = 15 * 60  # seconds
# The photos of examples/ as squares in a row; see SOURCES.md there.
PHOTOS = Path(__file__).with_name("photos.jpg")
ROOT = Path(__file__).resolve().parents[2]
TAIL = 4000  # characters of a dead child's stderr that are logged

log = logging.getLogger(__name__)


class NotStored(NotConverted):
    """A conversion could not be written completely: another folder may have room for it."""

    code = "not_stored"


class Job(NamedTuple):
    """A verified `.h5`, its spec, and an empty folder for its conversion."""

    path: Path
    spec: ModelSpec
    out: Path


def convert(jobs: Sequence[Job]) -> list[CatDogError | None]:
    """Convert in a child process; return None or an error for each job.

    If the child dies, the job that it was doing fails, its stderr is logged, and a new child does the rest. Other
    errors are those of `attempt`.
    """
    errors: list[CatDogError | None] = []
    while len(errors) < len(jobs):
        errors += _in_child(jobs[len(errors) :])
    return errors


def _in_child(jobs: Sequence[Job]) -> list[CatDogError | None]:
    """As `convert`, but only up to the job at which the child died."""
    request = [
        {"path": str(job.path.absolute()), "out": str(job.out.resolve()), "spec": job.spec.model_dump()} for job in jobs
    ]
    command = [sys.executable, "-m", __name__]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    try:
        # In a session of its own, where Ctrl-C does not reach it: it ends with this process.
        options = {"cwd": ROOT, "env": environment_with_tensorflow(ROOT), "start_new_session": True, **pipes}
        with _started(command, encoding="utf-8", **options) as child:
            stdout, stderr = child.communicate(json.dumps(request), timeout=PATIENCE)
        lines = [json.loads(line) for line in stdout.splitlines() if line.startswith("{")]
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        # Not the error's text: pages show this message, and the text names folders.
        return [NotConverted(f"The process that converts models failed ({type(error).__name__}).")] * len(jobs)
    errors = [_error(line) for line in lines[: len(jobs)]]
    if len(errors) < len(jobs):
        died = f"The process that converts models ended with {child.returncode}."
        log.warning("%s It said last:\n%s", died, stderr[-TAIL:])
        errors.append(NotConverted(died))
    return errors


@contextlib.contextmanager
def _started(command: Sequence[str], **options: Any) -> Iterator[subprocess.Popen[str]]:
    """A process, which is ended when the block or this process ends, also while it starts."""
    leaving, children = threading.Lock(), []

    def end() -> None:
        leaving.acquire()  # and never release: no thread is to report the death of the child, or to start another one
        for child in children:
            child.kill()
            child.wait()

    atexit.register(end)
    try:
        with leaving:
            children.append(subprocess.Popen(command, **options))
        yield children[0]
    finally:
        with leaving:
            atexit.unregister(end)
            for child in children:
                with child:  # closes its pipes and waits for it
                    child.kill()


def _error(line: dict[str, str]) -> CatDogError | None:
    if not line:
        return None
    if line["code"] in REFUSALS:
        return Refused(line["code"], line["message"])
    kinds = {kind.code: kind for kind in (ModelMismatch, DifferentAnswers, NotStored)}
    return kinds.get(line["code"], NotConverted)(line["message"])


def main() -> None:
    """Do the jobs on stdin. What libraries print to stdout goes to stderr."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as stdout:
        os.dup2(2, 1)
        jobs = [
            Job(Path(job["path"]), ModelSpec(**job["spec"]), Path(job["out"]))
            for job in json.loads(sys.stdin.buffer.read())
        ]
        threading.Thread(target=_end_unread, args=(stdout.fileno(), [job.out for job in jobs]), daemon=True).start()
        for job in jobs:
            error = attempt(job)
            print(json.dumps(error.to_dict() if error else {}), file=stdout, flush=True)


def _end_unread(answers: int, folders: Sequence[Path]) -> None:
    """End this process when nobody reads its answers any more, as the process that asked was killed."""
    if hasattr(select, "poll"):
        reader = select.poll()
        reader.register(answers, 0)  # only errors, of which the loss of the reader is one
        reader.poll()
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
        os._exit(1)


def attempt(job: Job) -> CatDogError | None:
    """Convert in this process; return None, or ModelMismatch, DifferentAnswers, NotStored or NotConverted."""
    try:
        _convert(job)
    except CatDogError as error:
        return error
    except Exception as error:  # Keras, OpenVINO and a full disk raise many kinds
        reason = first_line(error).replace(str(job.out), job.out.name)  # pages show it: no folders
        kind = NotStored if isinstance(error, OSError) else NotConverted
        return kind(f"{type(error).__name__}: {reason}.")
    return None


def _convert(job: Job) -> None:
    """Convert one model, read it back and compare it with Keras on real photos.

    It is converted from its exact ONNX export if there is one, else from Keras. Raises ModelMismatch for a file that
    does not fit its spec, DifferentAnswers when the conversion's answers differ from Keras's, and OSError when it
    cannot be written.
    """
    openvino, batch = import_openvino(), check_batch(job.spec)
    if export := exported.find(job.path, job.spec):
        try:
            return _write(job, openvino.convert_model(export.path), batch, export.answers)
        except OSError:  # the disk's fault
            raise
        except Exception as error:  # OpenVINO raises many kinds on what it cannot read
            log.warning("The ONNX file of %s is not used (%s).", job.path.name, first_line(error))
    if not has_keras():
        raise NotConverted("TensorFlow is not installed.")
    reference = KerasEngine(load_model(job.path, job.spec))
    _know_tensorflow()
    # Keras's own export does the same but needs SciPy, 140 MB.
    return _write(job, openvino.convert_model(reference.model), batch, _answers(reference, batch))


def _know_tensorflow() -> None:
    """Tell OpenVINO the version of TensorFlow, which is all that it takes from the function that this replaces.

    That of OpenVINO 2026.4 runs `exec("del tensorflow")` after `exec("import tensorflow")`. Since Python 3.13 each call
    sees names of its own (PEP 667), so that it raises NameError. To be removed when OpenVINO is mended: a test tells.
    """
    import tensorflow
    from openvino.frontend.tensorflow import utils

    utils.get_environment_setup = lambda framework: {"tensorflow": tensorflow.__version__}


def _write(job: Job, converted: Any, batch: np.ndarray, expected: np.ndarray) -> None:
    """Write a conversion that gives the expected probabilities, (N, columns), for a batch; raises as `_convert`."""
    _save(converted, job.out / cache.CONVERTED[0])
    actual = _answers(OpenVINOEngine(job.out), batch)
    difference = float(np.abs(expected - actual).max()) if expected.shape == actual.shape else math.inf
    if not difference <= LARGEST_DIFFERENCE:  # also for NaN
        raise DifferentAnswers(
            f"OpenVINO answers otherwise than Keras: a probability differs by {difference:.1e}, "
            f"more than {LARGEST_DIFFERENCE:g}."
        )
    _save_quantized(converted, batch, job.out)
    cache.describe(job.out, job.spec.sha256, difference)


def _answers(engine: Engine, batch: np.ndarray) -> np.ndarray:
    """Probabilities of the photos of a batch, (N, classes), one photo after the other to take little memory."""
    return np.concatenate([engine(photo).probabilities for photo in batch[:, None]])


def _save(model: Any, path: Path) -> None:
    """Write a model and read it again; raises OSError if that fails."""
    openvino = import_openvino()
    try:
        openvino.save_model(model, path, compress_to_fp16=False)
        openvino.Core().read_model(path)
    except RuntimeError as error:  # what OpenVINO raises on a full disk
        raise OSError(f"{path.name} could not be written, as on a full disk ({first_line(error)})") from error


def _save_quantized(converted: Any, batch: np.ndarray, out: Path) -> None:
    """Also save the model quantized, if that works and the result gives probabilities; raises as `_save`."""
    try:
        model = quantized(converted, batch)
        if model is None:
            return
        _save(model, out / cache.QUANTIZED[0])
        if are_probabilities(_answers(OpenVINOEngine(out, precision="int8"), batch)):
            return
        reason = "its answers are not probabilities"
    except OSError:  # the disk's fault, not the model's
        raise
    except Exception as error:  # OpenVINO raises many kinds on unusual models
        reason = first_line(error)
    log.warning("The model is not quantized (%s).", reason)
    for name in cache.QUANTIZED:
        (out / name).unlink(missing_ok=True)


def check_batch(spec: ModelSpec) -> np.ndarray:
    """Real photos and their mirror images as the model's input: float32 (10, height, width, channels)."""
    with Image.open(PHOTOS) as row:
        side = row.height
        photos = [row.crop((x, 0, x + side, side)) for x in range(0, row.width, side)]
    photos += [photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for photo in photos]
    return np.stack([to_array(photo, spec.input) for photo in photos])


if __name__ == "__main__":
    main()
