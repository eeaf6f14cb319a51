"""Real `.h5` files, good and bad, through the engine."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from catdog.engine import FOLDER_BATCH, load_engine
from catdog.engine.keras_engine import limit_threads
from catdog.errors import ModelMismatch
from catdog.models.spec import ModelSpec, sha256_of
from catdog.settings import Settings
from tests.specs import minimal
from tests.tiny import write_tiny_model

SIZE = 16


def spec_of(path: Path, **changes) -> ModelSpec:
    values = {"file": path.name, "sha256": sha256_of(path), "bytes": path.stat().st_size, "image_size": SIZE}
    return minimal(path.stem, **values | changes)


def saved(folder: Path, *head, inputs=(SIZE, SIZE, 3)) -> Path:
    """A `.h5` of mean colour plus the given layers."""
    import keras

    path = folder / "model.h5"
    keras.Sequential([keras.Input(inputs), keras.layers.GlobalAveragePooling2D(), *head]).save(path)
    return path


def load(path: Path, **changes):
    return load_engine(path, spec_of(path, **changes), Settings())


def dense(units: int, activation: str | None, **options):
    from keras import layers

    return layers.Dense(units, activation=activation, **options)


def test_threads_can_be_limited(tmp_path):
    spec = write_tiny_model(tmp_path, "tiny", image_size=16)
    engine = load_engine(tmp_path / spec.file, spec, Settings(threads=1))
    for photos in (1, FOLDER_BATCH):
        assert engine(np.zeros((photos, 16, 16, 3), np.float32)).probabilities.shape == (photos, 2)
    compiled = [request.get_compiled_model() for request in engine.requests.values()]
    assert [model.get_property("INFERENCE_NUM_THREADS") for model in compiled] == [1, 1]


def test_threads_of_tensorflow_can_be_limited(monkeypatch):
    import tensorflow

    told = []
    for kind in ("intra", "inter"):
        monkeypatch.setattr(tensorflow.config.threading, f"set_{kind}_op_parallelism_threads", told.append)
    for threads in (0, 3):
        limit_threads(threads)
    assert told == [3, 3]


@pytest.mark.parametrize(("inputs", "size"), [((SIZE, SIZE, 3), 24), ((SIZE, SIZE, 1), SIZE)], ids=["size", "grey"])
def test_a_wrong_input_is_refused(tmp_path, inputs, size):
    path = saved(tmp_path, dense(1, "sigmoid"), inputs=inputs)
    declared, wanted = re.escape(str([(None, *inputs)])), re.escape(str((None, size, size, 3)))
    with pytest.raises(ModelMismatch, match=rf"takes .* {declared}; its spec says {wanted}"):
        load(path, image_size=size)


@pytest.mark.parametrize(("inputs", "outputs", "said"), [(2, 1, "takes inputs"), (1, 2, "2 outputs")])
def test_a_model_with_two_inputs_or_outputs_is_refused(tmp_path, inputs, outputs, said):
    import keras

    photos = [keras.Input((SIZE, SIZE, 3)) for _ in range(inputs)]
    mean = keras.layers.GlobalAveragePooling2D()(keras.layers.add(photos) if inputs > 1 else photos[0])
    keras.Model(photos, [dense(units + 1, "sigmoid")(mean) for units in range(outputs)]).save(tmp_path / "model.h5")
    with pytest.raises(ModelMismatch, match=said):
        load(tmp_path / "model.h5")


def test_a_model_without_an_input_layer_or_a_fixed_input_size_is_accepted(tmp_path):
    import keras

    photos = np.zeros((2, SIZE, SIZE, 3), np.float32)
    engine = load(saved(tmp_path, dense(1, "sigmoid"), inputs=(None, None, 3)))
    assert engine(photos).probabilities.shape == (2, 2)

    model = keras.Sequential([keras.layers.GlobalAveragePooling2D(), dense(1, "sigmoid")])
    model.build((None, SIZE, SIZE, 3))
    model.save(tmp_path / "model.h5")
    assert load(tmp_path / "model.h5")(photos).probabilities.shape == (2, 2)


@pytest.mark.parametrize(
    ("units", "columns", "classes"),
    [(3, 3, ("cat", "dog")), (1, 2, ("cat", "dog", "owl"))],
)
def test_a_wrong_number_of_outputs_is_refused(tmp_path, units, columns, classes):
    path = saved(tmp_path, dense(units, "sigmoid" if units == 1 else "softmax"))
    needed = rf"\(1, {columns}\), .* names {len(classes)} classes, which needs \(1, {len(classes)}\)"
    with pytest.raises(ModelMismatch, match=needed):
        load(path, classes=classes)


def test_outputs_that_are_no_probabilities_are_refused(tmp_path):
    from keras import initializers

    for bias in (3.0, 0.0):
        path = saved(tmp_path, dense(1, None, bias_initializer=initializers.Constant(bias)))
        with pytest.raises(ModelMismatch, match="logits"):
            load(path)
    path = saved(tmp_path, dense(1, "sigmoid", bias_initializer=initializers.Constant(float("nan"))))
    with pytest.raises(ModelMismatch, match="not probabilities from 0 to 1"):
        load(path)


def test_a_softmax_by_itself_leaves_maps(tmp_path):
    from keras import layers

    outputs = load(saved(tmp_path, dense(2, None), layers.Softmax()))(np.ones((1, SIZE, SIZE, 3), np.float32))
    assert outputs.maps.shape == (1, SIZE, SIZE, 2)
