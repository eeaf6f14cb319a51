"""Real `.h5` files, good and bad, through the engine."""

from __future__ import annotations

import re
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow
from keras.layers import Dense

from catdog.engine import FOLDER_BATCH, load_engine
from catdog.engine.keras_engine import limit_threads
from catdog.errors import ModelMismatch
from catdog.keras_file.refusals import Refused
from catdog.models.spec import ModelSpec, sha256_of
from catdog.settings import Settings
from tests.catdog.keras_file import recorded
from tests.specs import minimal
from tests.tiny import write_tiny_model

RECORDS = recorded.records()
SIZE = 16


def spec_of(path: Path, **changes) -> ModelSpec:
    values = {"file": path.name, "sha256": sha256_of(path), "bytes": path.stat().st_size, "image_size": SIZE}
    return minimal(path.stem, **values | changes)


def saved(folder: Path, *head, inputs=(SIZE, SIZE, 3)) -> Path:
    """A `.h5` of mean colour plus the given layers."""
    path = folder / "model.h5"
    keras.Sequential([keras.Input(inputs), keras.layers.GlobalAveragePooling2D(), *head]).save(path)
    return path


def load(path: Path, **changes):
    return load_engine(path, spec_of(path, **changes), Settings())


def test_threads_can_be_limited(tmp_path):
    spec = write_tiny_model(tmp_path, "tiny", image_size=16)
    engine = load_engine(tmp_path / spec.file, spec, Settings(threads=1))
    for photos in (1, FOLDER_BATCH):
        assert engine(np.zeros((photos, 16, 16, 3), np.float32)).probabilities.shape == (photos, 2)
    compiled = [request.get_compiled_model() for request in engine.requests.values()]
    assert [model.get_property("INFERENCE_NUM_THREADS") for model in compiled] == [1, 1]


def test_threads_of_tensorflow_can_be_limited(monkeypatch):
    told = []
    for kind in ("intra", "inter"):
        monkeypatch.setattr(tensorflow.config.threading, f"set_{kind}_op_parallelism_threads", told.append)
    for threads in (0, 3):
        limit_threads(threads)
    assert told == [3, 3]


@pytest.mark.parametrize(("inputs", "size"), [((SIZE, SIZE, 3), 24), ((SIZE, SIZE, 1), SIZE)], ids=["size", "grey"])
def test_a_wrong_input_is_refused(tmp_path, inputs, size):
    path = saved(tmp_path, Dense(1, "sigmoid"), inputs=inputs)
    declared, wanted = re.escape(str([(None, *inputs)])), re.escape(str((None, size, size, 3)))
    with pytest.raises(ModelMismatch, match=rf"takes .* {declared}; its spec says {wanted}"):
        load(path, image_size=size)


@pytest.mark.parametrize(("inputs", "outputs", "said"), [(2, 1, "takes inputs"), (1, 2, "2 outputs")])
def test_a_model_with_two_inputs_or_outputs_is_refused(tmp_path, inputs, outputs, said):
    photos = [keras.Input((SIZE, SIZE, 3)) for _ in range(inputs)]
    mean = keras.layers.GlobalAveragePooling2D()(keras.layers.add(photos) if inputs > 1 else photos[0])
    keras.Model(photos, [Dense(units + 1, "sigmoid")(mean) for units in range(outputs)]).save(tmp_path / "model.h5")
    with pytest.raises(ModelMismatch, match=said):
        load(tmp_path / "model.h5")


def test_a_model_without_an_input_layer_or_a_fixed_input_size_is_accepted(tmp_path):
    photos = np.zeros((2, SIZE, SIZE, 3), np.float32)
    engine = load(saved(tmp_path, Dense(1, "sigmoid"), inputs=(None, None, 3)))
    assert engine(photos).probabilities.shape == (2, 2)

    model = keras.Sequential([keras.layers.GlobalAveragePooling2D(), Dense(1, "sigmoid")])
    model.build((None, SIZE, SIZE, 3))
    model.save(tmp_path / "model.h5")
    assert load(tmp_path / "model.h5")(photos).probabilities.shape == (2, 2)


@pytest.mark.parametrize(
    ("units", "columns", "classes"),
    [(3, 3, ("cat", "dog")), (1, 2, ("cat", "dog", "owl"))],
)
def test_a_wrong_number_of_outputs_is_refused(tmp_path, units, columns, classes):
    path = saved(tmp_path, Dense(units, "sigmoid" if units == 1 else "softmax"))
    needed = rf"\(1, {columns}\), .* names {len(classes)} classes, which needs \(1, {len(classes)}\)"
    with pytest.raises(ModelMismatch, match=needed):
        load(path, classes=classes)


def test_outputs_that_are_no_probabilities_are_refused(tmp_path):
    path = saved(tmp_path, Dense(1, "sigmoid", bias_initializer=keras.initializers.Constant(float("nan"))))
    with pytest.raises(ModelMismatch, match="not probabilities from 0 to 1"):
        load(path)


@pytest.mark.parametrize(
    ("name", "code"), [("linear", "linear_head"), ("two sigmoids", "several_sigmoids"), ("lambda", "own_code")]
)
def test_a_file_with_a_spec_written_by_hand_is_refused_rather_than_wrong(name, code, tmp_path):
    path = recorded.write(RECORDS[name], tmp_path / "model.h5")
    with pytest.raises(Refused) as caught:
        load(path, image_size=12)
    assert caught.value.code == code


def test_a_file_of_keras_2_with_a_spec_written_by_hand_is_served(tmp_path):
    record = RECORDS["nested, trained"]
    engine = load(recorded.write(record, tmp_path / "model.h5"), image_size=12)
    assert np.abs(engine(recorded.photos((12, 12, 3))).probabilities - record["answers"]).max() < 1e-4
    assert engine.runtime.startswith("OpenVINO")
