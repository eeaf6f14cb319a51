"""Real `.h5` files, good and bad, through the engine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from catdog.engine import FOLDER_BATCH, load_engine
from catdog.errors import ModelMismatch
from catdog.models.spec import ModelSpec, sha256_of
from catdog.settings import Settings
from tests.conftest import PATIENCE, ROOT
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


@pytest.mark.parametrize(
    ("classes", "outputs"), [(("cat", "dog"), 2), (("cat", "dog", "owl"), 3)], ids=["sigmoid", "softmax"]
)
def test_a_model_gives_one_row_per_photo(tmp_path, classes, outputs):
    spec = write_tiny_model(tmp_path, "tiny", image_size=32, classes=classes)
    engine = load_engine(tmp_path / spec.file, spec, Settings())
    batch = np.random.default_rng(0).uniform(0, 255, (5, 32, 32, 3)).astype(np.float32)
    together = engine(batch).probabilities
    assert together.shape == (5, outputs)
    assert together.dtype == np.float32
    assert ((together >= 0) & (together <= 1)).all()
    one_by_one = np.concatenate([engine(batch[i : i + 1]).probabilities for i in range(5)])
    assert np.allclose(together, one_by_one, atol=1e-6)


def test_two_softmax_outputs_are_accepted_with_exact_values(tmp_path):
    engine = load(saved(tmp_path, dense(2, "softmax", kernel_initializer="zeros")))
    assert engine(np.ones((1, SIZE, SIZE, 3), np.float32)).probabilities.tolist() == [[0.5, 0.5]]


def test_threads_can_be_limited(tmp_path):
    spec = write_tiny_model(tmp_path, "tiny", image_size=16)
    engine = load_engine(tmp_path / spec.file, spec, Settings(threads=1))
    for photos in (1, FOLDER_BATCH):
        assert engine(np.zeros((photos, 16, 16, 3), np.float32)).probabilities.shape == (photos, 2)
    compiled = [request.get_compiled_model() for request in engine.requests.values()]
    assert [model.get_property("INFERENCE_NUM_THREADS") for model in compiled] == [1, 1]


def test_threads_of_tensorflow_can_be_limited(tiny_weights):
    """In a process of its own, as the first model of a process decides."""
    code = (
        "import catdog; catdog.load().close(); from tensorflow.config import threading\n"
        "print(threading.get_intra_op_parallelism_threads(), threading.get_inter_op_parallelism_threads())"
    )
    variables = {"CATDOG_WEIGHTS": str(tiny_weights), "CATDOG_ENGINE": "tensorflow", "CATDOG_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT, env=os.environ | variables, capture_output=True, text=True, timeout=PATIENCE, check=True,
    )  # fmt: skip
    assert done.stdout == "1 1\n"


def lambda_layer(folder: Path) -> Path:
    from keras import layers

    return saved(folder, layers.Lambda(lambda x: x * 2), dense(1, "sigmoid"))


def not_a_model(folder: Path) -> Path:
    import h5py

    with h5py.File(folder / "model.h5", "w") as file:
        file["x"] = [1, 2, 3]
    return folder / "model.h5"


def cut_off(folder: Path) -> Path:
    path = saved(folder, dense(1, "sigmoid"))
    path.write_bytes(path.read_bytes()[:3000])
    return path


def text_file(folder: Path) -> Path:
    (folder / "model.h5").write_text("version https://git-lfs.github.com/spec/v1\n")
    return folder / "model.h5"


def unknown_layer(folder: Path) -> Path:
    import keras

    @keras.saving.register_keras_serializable("elsewhere")
    class Elsewhere(keras.layers.Layer):
        def call(self, x):
            return x

    path = saved(folder, Elsewhere(), dense(1, "sigmoid"))
    del keras.saving.get_custom_objects()["elsewhere>Elsewhere"]
    return path


@pytest.mark.parametrize("make", [lambda_layer, not_a_model, cut_off, text_file, unknown_layer])
def test_a_file_that_is_not_a_safe_model_is_refused(tmp_path, make):
    path = make(tmp_path)
    with pytest.raises(ModelMismatch, match="cannot be loaded as a Keras model: ") as caught:
        load(path)
    assert path.name in str(caught.value)
    assert str(path.parent) not in str(caught.value)  # pages show it
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(("inputs", "size"), [((SIZE, SIZE, 3), 24), ((SIZE, SIZE, 1), SIZE)], ids=["size", "grey"])
def test_a_wrong_input_is_refused(tmp_path, inputs, size):
    path = saved(tmp_path, dense(1, "sigmoid"), inputs=inputs)
    declared, wanted = re.escape(str([(None, *inputs)])), re.escape(str((None, size, size, 3)))
    with pytest.raises(ModelMismatch, match=rf"takes .* {declared}; its spec says {wanted}"):
        load(path, image_size=size)


def test_a_model_with_two_inputs_is_refused(tmp_path):
    import keras

    photos = [keras.Input((SIZE, SIZE, 3)) for _ in range(2)]
    mean = keras.layers.GlobalAveragePooling2D()(keras.layers.add(photos))
    keras.Model(photos, keras.layers.Dense(1, activation="sigmoid")(mean)).save(tmp_path / "model.h5")
    with pytest.raises(ModelMismatch, match="takes inputs of shape"):
        load(tmp_path / "model.h5")


def test_a_model_without_an_input_layer_or_a_fixed_input_size_is_accepted(tmp_path):
    import keras

    engine = load(saved(tmp_path, dense(1, "sigmoid"), inputs=(None, None, 3)))
    assert engine(np.zeros((2, SIZE, SIZE, 3), np.float32)).probabilities.shape == (2, 2)

    model = keras.Sequential([keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(1, activation="sigmoid")])
    model.build((None, SIZE, SIZE, 3))
    model.save(tmp_path / "model.h5")
    engine = load(tmp_path / "model.h5")
    assert engine(np.zeros((1, SIZE, SIZE, 3), np.float32)).probabilities.shape == (1, 2)


@pytest.mark.parametrize(
    ("units", "columns", "classes"),
    [(3, 3, ("cat", "dog")), (1, 2, ("cat", "dog", "owl")), (2, 2, ("cat", "dog", "owl"))],
)
def test_a_wrong_number_of_outputs_is_refused(tmp_path, units, columns, classes):
    path = saved(tmp_path, dense(units, "sigmoid"))
    needed = rf"\(1, {columns}\), .* names {len(classes)} classes, which needs \(1, {len(classes)}\)"
    with pytest.raises(ModelMismatch, match=needed):
        load(path, classes=classes)


def test_two_separate_outputs_are_refused(tmp_path):
    import keras

    photo = keras.Input((SIZE, SIZE, 3))
    mean = keras.layers.GlobalAveragePooling2D()(photo)
    outputs = [keras.layers.Dense(units, activation="sigmoid")(mean) for units in (1, 2)]
    keras.Model(photo, outputs).save(tmp_path / "model.h5")
    with pytest.raises(ModelMismatch, match="into one array"):
        load(tmp_path / "model.h5")


@pytest.mark.parametrize("bias", [3.0, -2.0, float("nan")])
def test_outputs_that_are_no_probabilities_are_refused(tmp_path, bias):
    from keras import initializers

    path = saved(tmp_path, dense(1, None, bias_initializer=initializers.Constant(bias)))
    with pytest.raises(ModelMismatch, match="not probabilities from 0 to 1"):
        load(path)


def test_a_missing_file_is_refused(tmp_path):
    path = saved(tmp_path, dense(1, "sigmoid"))
    spec = spec_of(path).replace(file="none.h5")
    with pytest.raises(ModelMismatch, match=r"^none\.h5 cannot be loaded") as caught:
        load_engine(tmp_path / "none.h5", spec, Settings())
    assert str(tmp_path) not in str(caught.value)
