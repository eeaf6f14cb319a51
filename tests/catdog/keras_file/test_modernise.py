"""What a config names is walked, and refused where it means something else today."""

from __future__ import annotations

import json

import keras
import pytest

from catdog.keras_file.modernise import MOST_IN_A_ROW, MOST_LAYERS, modernised
from catdog.keras_file.read import read
from catdog.keras_file.refusals import Refused


def layer(kind, **config):
    return {"class_name": kind, "config": {"name": kind.lower()} | config}


def sequential(*layers):
    return {"class_name": "Sequential", "config": {"name": "s", "layers": list(layers)}}


def refusal(*layers, version=2):
    with pytest.raises(Refused) as caught:
        modernised(sequential(*layers), "model.h5", version, (8, 8))
    return caught.value.code


MINE, LSTM = layer("Mine"), layer("LSTM", units=2, activation="tanh", recurrent_activation="sigmoid")


@pytest.mark.parametrize(
    "wrapped",
    [
        layer("TimeDistributed", layer=MINE),
        layer("Bidirectional", layer=LSTM, backward_layer=MINE),
        layer("RNN", cell=MINE),
        layer("RNN", cell=layer("StackedRNNCells", cells=[MINE])),
    ],
)
def test_layers_in_layers_are_walked(wrapped):
    assert refusal(wrapped) == "own_code"


@pytest.mark.parametrize("option", ["activation", "recurrent_activation"])
def test_a_hard_sigmoid_of_keras_2_in_a_recurrent_layer_is_refused(option):
    changed = LSTM["config"] | {option: "hard_sigmoid"}
    assert refusal(layer("LSTM") | {"config": changed}) == "unknown_option"
    modernised(sequential(LSTM | {"config": changed}), "model.h5", 3, (8, 8))


def test_more_layers_than_any_network_has_are_refused():
    assert refusal(*[layer("ReLU")] * (MOST_IN_A_ROW + 1)) == "absurd_size"
    entries = [layer("ReLU") | {"name": "relu", "inbound_nodes": []}] * (MOST_LAYERS + 1)
    with pytest.raises(Refused) as caught:
        modernised({"class_name": "Functional", "config": {"name": "f", "layers": entries}}, "model.h5", 3)
    assert caught.value.code == "absurd_size"


def test_no_layer_opens_a_file_that_its_config_names(tmp_path):
    (tmp_path / "secret.txt").write_text("a\nb\n")
    text = sequential(
        layer("InputLayer", batch_shape=[None, 1], dtype="string"),
        layer("StringLookup", vocabulary=str(tmp_path / "secret.txt")),
    )
    (tmp_path / "model.json").write_text(json.dumps(text | {"keras_version": keras.__version__}))
    keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)]).save_weights(tmp_path / "model.weights.h5")
    with pytest.raises(Refused) as caught:
        read(tmp_path / "model.json", tmp_path / "model.weights.h5")
    assert caught.value.code == "not_loaded" and "safe_mode" in str(caught.value.__cause__)
