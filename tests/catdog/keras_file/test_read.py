"""Files of Keras 1, 2 and 3 become models that answer as they did there."""

from __future__ import annotations

import copy
import json
import pickle
import warnings
import zipfile

import h5py
import keras
import numpy as np
import pytest
from keras import layers
from keras.src.backend.common import global_state

from catdog.engine.keras_engine import load_model
from catdog.errors import NotConverted, NotWritten
from catdog.keras_file.head import with_probabilities
from catdog.keras_file.read import read
from catdog.keras_file.refusals import Refused
from tests.catdog.engine.test_models import spec_of
from tests.catdog.keras_file import recorded
from tests.damage import full

RECORDS = recorded.records()
REFUSED = {
    "lambda": "own_code", "linear": "linear_head", "one softmax": "one_softmax_output",
    "two sigmoids": "several_sigmoids",
}  # fmt: skip
# Keras 2 rounded to 11 bits; here all is computed in float32.
EXACT, HALF = 1e-5, 5e-3


def probabilities(path, shape, **options) -> np.ndarray:
    found = read(path)
    model = with_probabilities(found.model, path.name, found.loss, **options)
    return np.asarray(model.predict_on_batch(recorded.photos(shape)))


def refusal(path, *more) -> str:
    with pytest.raises(Refused) as caught:
        probabilities(path, (12, 12, 3)) if not more else read(path, *more)
    assert str(caught.value).startswith(path.name) and str(path.parent) not in str(caught.value)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500
    assert pickle.loads(pickle.dumps(caught.value)).code == caught.value.code
    return caught.value.code


@pytest.mark.parametrize("name", sorted(RECORDS.keys() - {*REFUSED, "logits"} | {"two sigmoids"}))
def test_a_file_of_keras_2_answers_as_it_did_there(name, tmp_path):
    record = RECORDS[name]
    answers = probabilities(recorded.write(record, tmp_path / "model.h5"), record["shape"], sigmoids=True)
    assert np.abs(answers - record["answers"]).max() < (HALF if name == "mixed precision" else EXACT)
    assert answers.shape == (2, 2) and np.ptp(answers, axis=0).max() > 0  # the photos matter


@pytest.mark.parametrize(("name", "code"), REFUSED.items())
def test_a_model_that_cannot_be_served_as_it_is_is_refused(name, code, tmp_path):
    assert refusal(recorded.write(RECORDS[name], tmp_path / "model.h5")) == code


def test_logits_get_a_sigmoid_where_the_loss_or_the_user_says_so(tmp_path):
    warnings.simplefilter("error")  # Keras warns where a model is given its photo in another form than it was made for
    for name, options in (("logits", {}), ("linear", {"logits": True})):
        answers = probabilities(recorded.write(RECORDS[name], tmp_path / "model.h5"), (12, 12, 3), **options)
        assert np.abs(answers - 1 / (1 + np.exp(-np.array(RECORDS[name]["answers"])))).max() < EXACT


def test_two_logits_that_were_trained_each_by_itself_get_sigmoids(tmp_path):
    model = keras.Sequential([keras.Input((12, 12, 3)), layers.Flatten(), layers.Dense(2, name="binary")])
    model.compile(loss={"binary": keras.losses.CategoricalCrossentropy(from_logits=True)})
    model.save(path := tmp_path / "model.h5")
    assert probabilities(path, (12, 12, 3)).sum(axis=1) == pytest.approx(1)  # whatever the name of the output
    model.compile(loss=keras.losses.BinaryCrossentropy(from_logits=True))
    model.save(path)
    assert refusal(path) == "several_sigmoids"
    logits = model.predict_on_batch(recorded.photos((12, 12, 3)))
    assert np.abs(probabilities(path, (12, 12, 3), sigmoids=True) - 1 / (1 + np.exp(-logits))).max() < EXACT


def test_names_of_layers_may_be_in_any_language(tmp_path):
    record = copy.deepcopy(RECORDS["no input layer"])
    first = record["config"]["config"]["layers"][0]["config"]
    names = {first["name"]: "Faltung für 猫"}
    first["name"] = names[first["name"]]
    record["weights"] = {names.get(layer, layer): weights for layer, weights in record["weights"].items()}
    answers = probabilities(recorded.write(record, tmp_path / "model.h5"), record["shape"])
    assert np.abs(answers - record["answers"]).max() < EXACT


def test_weights_and_a_description_of_the_layers_belong_together(tmp_path):
    record = RECORDS["layers"]
    weights = recorded.write(record, tmp_path / "weights.h5", whole=False)
    path = tmp_path / "model.json"
    path.write_text(json.dumps(record["config"] | {"keras_version": record["version"]}))
    assert (refusal(weights), refusal(path)) == ("weights_only", "no_weights")
    model = read(path, weights).model
    assert np.abs(model.predict_on_batch(recorded.photos((12, 12, 3))) - record["answers"]).max() < EXACT


def test_photos_whose_channels_come_first_are_turned(tmp_path):
    """The same weights on the same pixels; only the config says that channels come first."""
    record = copy.deepcopy(RECORDS["list of layers"])
    convolution, pooling, _ = record["config"]["config"]
    convolution["config"] |= {"data_format": "channels_first", "batch_input_shape": [None, 3, 12, 12]}
    pooling["config"]["data_format"] = "channels_first"
    answers = probabilities(recorded.write(record, tmp_path / "model.h5"), (12, 12, 3))
    assert np.abs(answers - record["answers"]).max() < EXACT


def test_a_file_of_keras_1_is_read(tmp_path):
    record = copy.deepcopy(RECORDS["list of layers"]) | {"version": "1.2.2"}
    convolution, pooling, dense = record["config"]["config"]
    shape = {"batch_input_shape": [None, 12, 12, 3], "dim_ordering": "tf", "border_mode": "valid"}
    convolution |= {"class_name": "Convolution2D"}
    convolution["config"] = shape | {"name": "c", "nb_filter": 4, "nb_row": 3, "nb_col": 3, "subsample": [1, 1]}
    convolution["config"] |= {"activation": "relu", "init": "glorot_uniform", "W_regularizer": None, "bias": True}
    pooling["config"] = {"name": "p", "dim_ordering": "tf"}
    dense["config"] = {"name": "d", "output_dim": 2, "input_dim": 4, "activation": "softmax", "bias": True}
    record["weights"] = {
        layer: [[f"{layer}_{end}", shape] for end, (_, shape) in zip("Wb", weights, strict=True)]
        for layer, weights in record["weights"].items()
    }
    answers = probabilities(recorded.write(record, tmp_path / "model.h5"), (12, 12, 3))
    assert np.abs(answers - record["answers"]).max() < EXACT


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
def test_arithmetic_and_augmentations_of_keras_3_become_layers_or_go(suffix, tmp_path):
    photo = keras.Input((12, 12, 3))
    augmentation = keras.Sequential([layers.RandomFlip(), layers.RandomRotation(0.1)])
    augmented = layers.Pipeline([layers.RandomZoom(0.1)])(augmentation(photo))
    x = layers.Conv2D(4, 3)(1 - keras.ops.cast(augmented, "float32") / 127.5)
    x = layers.GlobalAveragePooling2D()(x * 0.5 + layers.Conv2D(4, 1)(x))
    model = keras.Model(photo, layers.Dense(2, activation="softmax")(x))
    model.save(path := tmp_path / f"model{suffix}")
    found = read(path).model
    kinds = {type(layer).__name__ for layer in found.layers}
    assert {"Rescaling", "Add"} < kinds and not kinds & {"TrueDivide", "Subtract"}
    pixels = recorded.photos((12, 12, 3))
    assert np.abs(found.predict_on_batch(pixels) - model.predict_on_batch(pixels)).max() < EXACT


@pytest.mark.parametrize("functional", [False, True])
def test_an_augmentation_before_another_model_leaves_its_weights_where_they_are(functional, tmp_path):
    photo = keras.Input((12, 12, 3))
    flip = layers.RandomFlip()
    augmentation = keras.Model(photo, flip(photo)) if functional else keras.Sequential([flip])
    inner = keras.Input((12, 12, 3))
    base = keras.Model(inner, layers.Conv2D(4, 3)(inner)) if functional else keras.Sequential([layers.Conv2D(4, 3)])
    x = layers.GlobalAveragePooling2D()(base(augmentation(photo)))
    model = keras.Model(photo, layers.Dense(2, "softmax")(layers.GaussianDropout(0.1)(x)))
    model.save(tmp_path / "model.keras")
    pixels = recorded.photos((12, 12, 3))
    found = read(tmp_path / "model.keras").model
    assert np.abs(found.predict_on_batch(pixels) - model.predict_on_batch(pixels)).max() < EXACT


@pytest.mark.parametrize(
    ("join", "count", "activation", "code"),
    [
        (layers.Average, 2, "softmax", None), (layers.Average, 1, "sigmoid", None),
        (layers.Average, 2, None, "linear_head"), (layers.Concatenate, 1, "sigmoid", "several_sigmoids"),
        (layers.Concatenate, 2, "softmax", "unknown_head"),
    ],
)  # fmt: skip
def test_models_that_are_joined_at_the_end_give_what_their_parts_give(join, count, activation, code, tmp_path):
    photo = keras.Input((12, 12, 3))
    mean = layers.GlobalAveragePooling2D()(photo)
    model = keras.Model(photo, join()([layers.Dense(count, activation)(mean) for _ in range(2)]))
    model.save(path := tmp_path / "model.h5")
    if code:
        assert refusal(path) == code
    else:
        pixels = recorded.photos((12, 12, 3))
        assert np.abs(probabilities(path, (12, 12, 3)) - model.predict_on_batch(pixels)).max() < EXACT


def test_a_refusal_leaves_nothing_for_the_next_model_to_make(tmp_path):
    before = layers.Dense(1).name
    assert refusal(edited(tmp_path, lambda layers: layers[2]["config"].update(units=10**9))) == "absurd_size"
    assert not global_state.get_global_attribute("uninitialized_variables")
    assert layers.Dense(1).name != before  # the names that Keras gives go on


def test_arithmetic_that_no_layer_does_is_refused(tmp_path):
    photo = keras.Input((12, 12, 3))
    mean = layers.GlobalAveragePooling2D()(photo[..., ::-1])
    keras.Model(photo, layers.Dense(2, activation="softmax")(mean)).save(tmp_path / "model.h5")
    assert refusal(tmp_path / "model.h5") == "unknown_operation"


def test_a_size_that_the_file_lacks_can_be_given(tmp_path):
    record = copy.deepcopy(RECORDS["list of layers"])
    del record["config"]["config"][0]["config"]["batch_input_shape"]
    path = recorded.write(record, tmp_path / "model.h5")
    assert refusal(path) == "unknown_input"
    assert read(path, size=(12, 12)).model.input_shape == (None, 12, 12, 3)


@pytest.mark.parametrize(("factor", "fits"), [(100, True), (2000, False)])
@pytest.mark.parametrize("nested", [False, True])
def test_sides_that_a_model_leaves_open_count_as_those_of_its_photos(factor, fits, nested, tmp_path):
    photo = keras.Input((None, None, 3))
    made = [layers.UpSampling2D(factor), layers.GlobalAveragePooling2D()]
    if nested:
        made = [keras.Sequential([keras.Input((None, None, 3)), *made])]
    keras.Sequential([photo, *made, layers.Dense(2, "softmax")]).save(path := tmp_path / "model.h5")
    if fits:
        assert read(path, size=(12, 12)).model.input_shape == (None, None, None, 3)
    else:
        with pytest.raises(Refused) as caught:
            read(path, size=(12, 12))
        assert caught.value.code == "absurd_size"


def edited(folder, change):
    """The file of a record whose layers were changed."""
    record = copy.deepcopy(RECORDS["no input layer"])
    change(record["config"]["config"]["layers"])
    return recorded.write(record, folder / "model.h5")


def test_a_damaged_archive_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "model.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("config.json", "metadata.json", "model.weights.h5"):
            archive.writestr(name, "{}" * 1000)
    content = bytearray((tmp_path / "model.keras").read_bytes())
    content[42:50] = b"\xff" * 8  # in the compressed bytes
    (tmp_path / "model.keras").write_bytes(content)
    assert refusal(tmp_path / "model.keras") == "damaged"


def upsampled(factor):
    return {"class_name": "UpSampling2D", "config": {"name": "up", "size": [factor, factor]}}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda layers: layers[0].update(class_name="Mine"), "own_code"),
        (lambda layers: layers[0]["config"].update(activation="mine"), "own_code"),
        (lambda layers: layers[0]["config"].update(future=7), "unknown_option"),
        (lambda layers: layers[0]["config"].update(future=True), "unknown_option"),
        (lambda layers: layers.insert(1, upsampled(10**5)), "absurd_size"),
        (lambda layers: layers[0]["config"].pop("filters"), "not_loaded"),
        (lambda layers: layers[0]["config"].update(kernel_size=[5, 5]), "not_loaded"),
        (lambda layers: layers[0].pop("config"), "damaged"),
        (lambda layers: layers[2]["config"].update(units=10**9), "absurd_size"),
        (lambda layers: layers[2]["config"].update(activation="tanh"), "unknown_head"),
        (lambda layers: layers.pop(1), "unknown_head"),
    ],
)
def test_a_config_that_does_not_fit_is_refused(change, code, tmp_path):
    assert refusal(edited(tmp_path, change)) == code


def test_the_reason_of_keras_is_told_without_the_config(tmp_path):
    path = edited(tmp_path, lambda layers: layers[0]["config"].update(filters=-3))
    with pytest.raises(Refused, match=r"together: Invalid value for argument `filters`.*-3\.$"):
        read(path)


@pytest.fixture
def early(tmp_path):
    """A model of today, and an archive of it as Keras 2.12 wrote them, whose groups have another name."""
    model = keras.Sequential([keras.Input((12, 12, 3)), layers.Flatten(), layers.Dense(2, "softmax")])
    model.save(tmp_path / "new.keras")
    with zipfile.ZipFile(tmp_path / "new.keras") as new, zipfile.ZipFile(tmp_path / "old.keras", "w") as old:
        new.extract("model.weights.h5", tmp_path)
        with h5py.File(tmp_path / "model.weights.h5", "r+") as file:
            file.move("layers", "_layer_checkpoint_dependencies")
        for name in ("config.json", "metadata.json"):
            old.writestr(name, new.read(name))
        old.write(tmp_path / "model.weights.h5", "model.weights.h5")
    return model, tmp_path / "old.keras"


def test_an_early_archive_is_read(early):
    model, path = early
    pixels = recorded.photos((12, 12, 3))
    found = read(path).model
    assert np.abs(found.predict_on_batch(pixels) - model.predict_on_batch(pixels)).max() < EXACT


@pytest.mark.parametrize("step", ["shutil.copyfile", "shutil.copyfileobj", "tempfile.TemporaryDirectory"])
def test_a_full_disk_is_no_damage(step, early, monkeypatch):
    _, path = early
    monkeypatch.setattr(step, full)
    with pytest.raises(NotWritten, match="No space left"):
        read(path)
    with pytest.raises(NotConverted, match="No space left"):
        load_model(path, spec_of(path, image_size=12))


@pytest.mark.parametrize(("backend", "mirrored"), [(None, True), ("tensorflow", False), ("theano", True)])
def test_kernels_of_keras_1_with_channels_first_are_mirrored_unless_tensorflow_wrote_them(backend, mirrored, tmp_path):
    kernel = np.arange(9, dtype=np.float32).reshape(1, 1, 3, 3)
    shape = {"batch_input_shape": [None, 1, 3, 3], "dim_ordering": "th", "border_mode": "valid"}
    convolution = shape | {"name": "c", "nb_filter": 1, "nb_row": 3, "nb_col": 3, "bias": False, "activation": "linear"}
    config = {"class_name": "Sequential", "config": [{"class_name": "Convolution2D", "config": convolution}]}
    with h5py.File(tmp_path / "model.h5", "w") as file:
        file.attrs["model_config"], file.attrs["keras_version"] = json.dumps(config), "1.0.0"
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = [b"c"]
        group.create_group("c").attrs["weight_names"] = [b"c_W"]
        group["c/c_W"] = kernel
        if backend:
            group.attrs["backend"] = backend
    (found,) = read(tmp_path / "model.h5").model.get_weights()
    assert (found[:, :, 0, 0] == (kernel[0, 0, ::-1, ::-1] if mirrored else kernel[0, 0])).all()
