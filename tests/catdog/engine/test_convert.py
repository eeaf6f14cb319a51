"""What is converted answers as Keras does; what cannot be converted says why."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers
from keras.layers import Dense
from keras.layers import GlobalAveragePooling2D as Average

from catdog.engine import class_maps, convert
from catdog.engine.cache import CONVERTED, MANIFEST, QUANTIZED
from catdog.engine.convert import Job, NotStored, attempt, check_batch
from catdog.engine.keras_engine import KerasEngine, load_model
from catdog.engine.openvino_engine import OpenVINOEngine
from catdog.errors import DifferentAnswers, ModelMismatch, NotConverted
from tests.catdog.engine.test_models import SIZE, spec_of
from tests.catdog.fakes import NonsenseInInt8
from tests.conftest import PATIENCE, ROOT
from tests.servers import running
from tests.tiny import write_tiny_model

PLACES = 4  # the maps are so many places high and wide


def saved(folder: Path, *head) -> Path:
    """A `.h5` with a strided convolution and the given layers."""
    keras.utils.set_random_seed(3)
    features = layers.Conv2D(6, 3, strides=SIZE // PLACES, padding="same", activation="relu")
    model = keras.Sequential([keras.Input((SIZE, SIZE, 3)), layers.Rescaling(1 / 255), features, *head])
    random = np.random.default_rng(3)  # for what would be 0 or 1, such as a bias
    model.set_weights([w + random.uniform(0.1, 0.5, w.shape) if w.ndim == 1 else w for w in model.get_weights()])
    model.save(folder / "model.h5")
    return folder / "model.h5"


def pooled():
    """A model inside the model that ends in its average, as `include_top=False, pooling="avg"` makes one."""
    pixels = keras.Input((PLACES, PLACES, 6))
    return keras.Model(pixels, Average()(layers.Conv2D(5, 1)(pixels)))


def headed():
    """A model inside the model that is its head, as Teachable Machine makes one."""
    hidden = [Dense(9, "relu"), layers.BatchNormalization(), layers.Dropout(0.5)]
    return keras.Sequential([keras.Input((5,)), *hidden, Dense(2, "softmax", use_bias=False)])


MAPS = (10, PLACES, PLACES, 2)
# Layers after the convolution, and the shapes of probabilities and maps of 10 photos.
HEADS = {
    "sigmoid": (lambda: [Average(), Dense(1, "sigmoid")], [(10, 2), MAPS]),
    "softmax": (lambda: [Average(), Dense(3, "softmax")], [(10, 3), (10, PLACES, PLACES, 3)]),
    "dropout": (lambda: [Average(), layers.Dropout(0.5), Dense(1, "sigmoid")], [(10, 2), MAPS]),
    "no average": (lambda: [layers.GlobalMaxPooling2D(), Dense(1, "sigmoid")], [(10, 2), None]),
    "hidden layer": (lambda: [layers.Flatten(), Dense(5, "relu"), Dense(2, "softmax")], [(10, 2), MAPS]),
    "hidden curve": (lambda: [Average(), Dense(5, "tanh"), Dense(2, "softmax")], [(10, 2), None]),
    "other order": (
        lambda: [layers.Permute((3, 1, 2)), layers.Flatten(), Dense(1, "sigmoid")],
        [(10, 2), None],
    ),
    "average of a window": (
        lambda: [layers.AveragePooling2D(PLACES), layers.Flatten(), Dense(5), layers.ReLU(), Dense(1, "sigmoid")],
        [(10, 2), MAPS],
    ),
    "model in the model": (lambda: [pooled(), layers.Dropout(0.5), Dense(1, "sigmoid")], [(10, 2), MAPS]),
    "models in a row": (lambda: [pooled(), headed()], [(10, 2), MAPS]),
    "one place": (
        lambda: [layers.AveragePooling2D(PLACES), Average(), Dense(1, "sigmoid")],
        [(10, 2), None],
    ),
    "no head": (lambda: [layers.Conv2D(2, 1), Average(), layers.Softmax()], [(10, 2), MAPS]),
    "answers of places": (lambda: [layers.Conv2D(2, 1, activation="softmax"), Average()], [(10, 2), None]),
    "two activations": (
        lambda: [
            layers.AveragePooling2D(PLACES),
            layers.BatchNormalization(axis=1),
            layers.Flatten(),
            Dense(2, "tanh"),
            layers.Softmax(),
        ],
        [(10, 2), None],
    ),
    "activation last": (lambda: [Average(), Dense(1, None), layers.Activation("sigmoid")], [(10, 2), MAPS]),
}


def job_of(path: Path, folder: Path, **changes) -> Job:
    out = folder / "out"
    out.mkdir()
    return Job(path, spec_of(path, **changes), out)


@pytest.mark.parametrize(("head", "shapes"), HEADS.values(), ids=HEADS)
def test_the_conversion_answers_as_keras_does(tmp_path, head, shapes):
    classes = ("cat", "dog", "owl")[: shapes[0][1]]
    job = job_of(saved(tmp_path, *head()), tmp_path, classes=classes)
    assert attempt(job) is None
    batch = np.random.default_rng(0).uniform(0, 255, (10, SIZE, SIZE, 3)).astype(np.float32)
    expected, actual = KerasEngine(load_model(job.path, job.spec))(batch), OpenVINOEngine(job.out)(batch)
    assert [values if values is None else values.shape for values in actual[:2]] == shapes
    for ours, theirs in zip(actual, expected, strict=True):
        assert (ours is None) == (theirs is None)
        if ours is not None:
            assert ours.dtype == theirs.dtype == np.float32
            assert np.allclose(ours, theirs, atol=1e-5)
    if actual.maps is not None:  # their mean is the logit
        odds = np.exp(actual.maps.mean(axis=(1, 2)))
        assert np.allclose(actual.probabilities, odds / odds.sum(axis=1, keepdims=True), atol=1e-5)
        assert np.abs(actual.probabilities - 0.5).max() > 0.01


def test_layers_of_one_name_have_maps_too(tmp_path):
    """One of a model within the model; those that are added for maps have any name as well."""
    pixels = keras.Input((PLACES, PLACES, 6))
    inner = keras.Model(pixels, Average()(layers.Conv2D(5, 1, name="same")(pixels)))
    path = saved(tmp_path, inner, Dense(1, "sigmoid", name="same"))
    assert KerasEngine(load_model(path, spec_of(path)))(check_batch(spec_of(path))).maps.shape == MAPS


def test_a_large_layer_is_not_kept_twice_for_maps(tmp_path, monkeypatch):
    monkeypatch.setattr(class_maps, "MOST_WEIGHTS", PLACES * PLACES * 6 - 1)
    path = saved(tmp_path, layers.Flatten(), Dense(1, "sigmoid"))
    assert KerasEngine(load_model(path, spec_of(path)))(check_batch(spec_of(path))).maps is None


def test_photos_are_computed_in_parts_of_few_sizes(tmp_path):
    job = job_of(saved(tmp_path, Average(), Dense(1, "sigmoid")), tmp_path)
    assert attempt(job) is None
    batch = np.random.default_rng(0).uniform(0, 255, (11, SIZE, SIZE, 3)).astype(np.float32)
    expected = KerasEngine(load_model(job.path, job.spec))(batch)

    def sizes(photos: int) -> set[int]:
        """What an engine computes at a time when it is asked about so many photos."""
        engine = OpenVINOEngine(job.out)
        for ours, theirs in zip(engine(batch[:photos])[:2], expected[:2], strict=True):
            assert np.allclose(ours, theirs[:photos], atol=1e-5)
        return {shape[0] for shape in engine.requests}

    assert sizes(1) == {1}
    assert sizes(3) == {1}
    assert sizes(11) == {8, 1}
    with pytest.raises(ValueError, match="takes inputs of shape"):
        OpenVINOEngine(job.out)(batch[:0])


def test_photos_of_the_check_are_real_and_differ():
    path = Path(__file__)
    batch = check_batch(spec_of(path, image_size=32))
    assert batch.shape == (10, 32, 32, 3) and batch.dtype == np.float32
    assert len({photo.tobytes() for photo in batch}) == 10
    assert np.array_equal(batch[5:], batch[:5, :, ::-1])
    assert all(photo.std() > 20 for photo in batch)


@pytest.fixture
def job(tmp_path) -> Job:
    """A model of which two of four convolutions can be quantized."""
    spec = write_tiny_model(tmp_path, "tiny", image_size=SIZE, convolutions=4)
    (tmp_path / "out").mkdir()
    return Job(tmp_path / spec.file, spec, tmp_path / "out")


@pytest.mark.parametrize(("name", "stand_in"), [("quantized", lambda *_: 1 / 0), ("OpenVINOEngine", NonsenseInInt8)])
def test_a_model_that_cannot_be_quantized_is_converted_all_the_same(job, monkeypatch, name, stand_in):
    monkeypatch.setattr(convert, name, stand_in)
    assert attempt(job) is None
    assert {path.name for path in job.out.iterdir()} == {*CONVERTED, MANIFEST}


def test_a_model_that_does_not_fit_its_spec_is_a_mismatch(job):
    assert type(attempt(job._replace(spec=job.spec.replace(image_size=24)))) is ModelMismatch


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [("LARGEST_DIFFERENCE", -1.0, DifferentAnswers), ("KerasEngine", lambda _: 1 / 0, NotConverted)],
    ids=["another answer", "a failure"],
)
def test_a_model_that_cannot_be_converted_is_no_fault_of_the_disk(job, monkeypatch, name, value, kind):
    monkeypatch.setattr(convert, name, value)
    assert type(attempt(job)) is kind
    assert not (job.out / MANIFEST).exists()


def test_openvino_still_cannot_ask_for_tensorflow_on_every_python():
    """When this fails, OpenVINO is mended, and `_know_tensorflow` is to be removed."""
    from openvino.frontend.tensorflow import utils

    assert 'exec("del tensorflow")' in Path(utils.__file__).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [CONVERTED[0], QUANTIZED[1]])
def test_a_disk_that_cannot_be_written_is_said(tmp_path, job, name):
    (job.out / name).mkdir()  # stands for a disk that takes no file of this name
    error = attempt(job)
    assert type(error) is NotStored
    assert str(tmp_path) not in str(error)


@pytest.mark.parametrize("graph", [CONVERTED[0], QUANTIZED[0]])
def test_half_a_file_is_no_conversion(job, monkeypatch, graph):
    """As a full disk leaves it, when nothing tells who writes."""
    openvino = convert.import_openvino()
    save = openvino.save_model

    def full(model, path, **options):
        save(model, path, **options)
        if path.name == graph:
            weights = path.with_suffix(".bin")
            weights.write_bytes(weights.read_bytes()[: weights.stat().st_size // 2])

    monkeypatch.setattr(openvino, "save_model", full)
    assert type(attempt(job)) is NotStored
    assert not (job.out / MANIFEST).exists()


# --- the child process --------------------------------------------------------------------------


@pytest.fixture
def child(tmp_path, monkeypatch):
    """Let a shell script stand for Python: child(script) -> what `convert` returns for two jobs."""

    def run(script: str, model: Path = Path(__file__)):
        path = tmp_path / "python"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(path))
        return convert.convert([Job(model, spec_of(model), tmp_path)] * 2)

    return run


def line(code: str) -> str:
    return f"echo '{json.dumps({'code': code, 'message': 'Why.'})}'"


def kinds(errors) -> list[type]:
    return [type(error) for error in errors]


def test_the_child_gets_the_jobs_and_its_answers_are_read(child, tmp_path):
    # As the Hub's cache links names to blobs without a suffix, by which Keras would not know the format.
    (tmp_path / "blob").write_bytes(b"weights")
    (tmp_path / "model.h5").symlink_to("blob")
    script = f"cat > {tmp_path}/jobs; echo '{{}}'; echo a library says hello; {line('model_mismatch')}"
    errors = child(script, tmp_path / "model.h5")
    assert kinds(errors) == [type(None), ModelMismatch]
    assert str(errors[1]) == "Why."
    first, second = json.loads((tmp_path / "jobs").read_text())
    assert first == second
    assert (first["path"], first["out"]) == (str(tmp_path / "model.h5"), str(tmp_path))
    assert first["spec"]["image_size"] == SIZE


def test_the_child_converts_what_tensorflow_says_whatever_keras_runs_on_here(child, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert kinds(child("[ $KERAS_BACKEND = tensorflow ] && printf '{}\\n{}\\n'")) == [type(None)] * 2


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("kill -9 $$", [NotConverted, NotConverted]),
        # The next child goes on behind the job of which the first one died.
        ("[ -e $0.died ] && echo '{}' && exit; touch $0.died; kill -9 $$", [NotConverted, type(None)]),
        ("echo '{'", [NotConverted, NotConverted]),
        (f"{line('different_answers')}; {line('not_stored')}", [DifferentAnswers, NotStored]),
        ("printf '\\377\\n'", [NotConverted, NotConverted]),
    ],
)
def test_a_child_that_fails_is_told_per_job(child, script, expected):
    assert kinds(child(script)) == expected


def test_what_a_child_said_before_it_died_is_logged(child, caplog):
    child("echo no memory left >&2; exit 3")
    assert "ended with 3. It said last:\nno memory left" in caplog.text


def test_a_child_that_never_ends_is_ended(child, monkeypatch):
    monkeypatch.setattr(convert, "PATIENCE", 0.2)
    errors = child("exec sleep 60")
    assert kinds(errors) == [NotConverted, NotConverted] and "(TimeoutExpired)" in str(errors[0])


INTERRUPTED = """
import sys
from pathlib import Path
from catdog.engine import convert
from catdog.terminal import ending_at_once
from tests.specs import minimal
sys.executable, folder = sys.argv[1], Path(sys.argv[2])
workspace = convert.cache.workspace(folder)
job = convert.Job(Path(convert.__file__), minimal(), Path(workspace.name))
ending_at_once(lambda: convert.convert([job, job]))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_leaves_no_child_and_no_folder(tmp_path, number):
    (tmp_path / "python").write_text("#!/bin/sh\necho $$ >> $0.pid\nexec sleep 60\n")
    (tmp_path / "python").chmod(0o755)
    command = [sys.executable, "-c", INTERRUPTED, tmp_path / "python", tmp_path / "cache"]
    with running(command, tmp_path, PYTHONPATH=str(ROOT)) as process:
        pids = tmp_path / "python.pid"
        while not (pids.exists() and pids.read_text()):
            assert process.poll() is None, process.communicate()
            time.sleep(0.05)
        process.send_signal(number)
        _, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, errors) == (128 + number, "")
    (pid,) = map(int, pids.read_text().split())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_child_whose_answers_nobody_reads_ends_and_leaves_nothing(tmp_path):
    (tmp_path / "made").mkdir()
    code = "from catdog.engine.convert import _end_unread; _end_unread(1, ['made'])"
    with running([sys.executable, "-c", code], tmp_path, PYTHONPATH=str(ROOT)) as child:
        child.stdout.close()
        assert child.wait(timeout=PATIENCE) == 1
        child.stdout = None
    assert list(tmp_path.iterdir()) == []


def test_without_a_program_to_start_nothing_breaks(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "none"))
    (error,) = convert.convert([Job(Path(__file__), spec_of(Path(__file__)), tmp_path)])
    assert type(error) is NotConverted and "(FileNotFoundError)" in str(error)
    assert str(tmp_path) not in str(error)
