"""Maps that fit any architecture, ResNet50 as published, and ImageNet weights that cannot be had."""

import dataclasses
import functools

import keras
import numpy as np
import pytest

from catdog import InvalidSettings
from catdog.engine.keras_engine import KerasEngine
from train.networks import architectures


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (2, 48, 48, 3)).astype(np.float32)


@functools.cache
def built(name: str) -> keras.Model:
    """An architecture as it is, for 48 pixels; only to be looked at."""
    return architectures.build(name, image_size=48)


def test_resnet50_prepares_pixels_as_its_published_weights_expect_also_from_a_file(pixels, tmp_path):
    model = built("resnet50")
    keras.Model(model.input, model.get_layer("conv1_pad").input).save(tmp_path / "first.h5")
    prepared = keras.models.load_model(tmp_path / "first.h5", compile=False)(pixels)
    np.testing.assert_array_equal(prepared, keras.applications.resnet50.preprocess_input(pixels.copy()))


@pytest.mark.parametrize("name", architectures.ARCHITECTURES)
def test_each_has_maps_whose_mean_and_bias_are_the_logit(pixels, name):
    model = built(name)
    assert (model.input_shape, model.output_shape) == ((None, 48, 48, 3), (None, 1))
    assert any(isinstance(layer, keras.layers.Rescaling) for layer in model.layers)
    assert {type(layer).__module__.split(".")[0] for layer in model.layers} == {"keras"}  # opens without this package
    assert model.count_params() < (5e6 if name == "scratch_cnn" else 25e6)
    outputs = KerasEngine(model)(pixels)
    assert outputs.maps.shape[0] == 2 and outputs.maps.shape[1] == outputs.maps.shape[2] > 1
    logits = outputs.maps[..., 1].mean(axis=(1, 2)) + np.asarray(model.layers[-1].bias)
    np.testing.assert_allclose(outputs.probabilities[:, 1], 1 / (1 + np.exp(-logits)), atol=1e-5)


@pytest.mark.parametrize("name", ["scratch_cnn", "xception"])
def test_each_can_be_narrower(pixels, name, tmp_path):
    usual, narrow = built(name), architectures.build(name, width=0.5, dropout=0.4, image_size=48)
    assert 0.2 < narrow.count_params() / usual.count_params() < 0.45
    assert narrow.get_layer("dropout").rate == 0.4
    if name == "scratch_cnn":
        narrow.save(tmp_path / "narrow.h5")
        opened = keras.models.load_model(tmp_path / "narrow.h5", compile=False)
        np.testing.assert_allclose(opened(pixels), narrow(pixels), atol=1e-6)
    with pytest.raises(InvalidSettings):
        architectures.build_base(name, width=0.5, weights="imagenet")


@pytest.mark.parametrize("name", ["scratch_cnn", "efficientnet_lite0"])
def test_own_networks_can_be_deeper(name):
    assert architectures.build_base(name, depth=2.0).count_params() > 1.5 * built(name).count_params()
    with pytest.raises(InvalidSettings):
        architectures.build_base("xception", depth=2.0)


def test_imagenet_weights_that_cannot_be_fetched_are_told(monkeypatch):
    def unreachable(pixels, weights, depth):
        raise Exception("URL fetch failure on https://example.org/notop.h5: None -- Name or service not known\nmore")

    offline = dataclasses.replace(architectures.get("resnet50"), features=unreachable)
    monkeypatch.setitem(architectures.ARCHITECTURES, "resnet50", offline)
    with pytest.raises(InvalidSettings, match=r"weights of resnet50 cannot be fetched.*service not known$"):
        architectures.build_base("resnet50", weights="imagenet")


@pytest.mark.parametrize(("name", "base", "blocks"), [("lite0", 3_413_024, 16), ("lite2", 4_869_168, 21)])
def test_efficientnet_lite_is_as_published(pixels, name, base, blocks):
    """The numbers of weights are those of the published files, without their last layer."""
    network = built(f"efficientnet_{name}")
    assert network.count_params() - network.layers[-1].count_params() == base
    assert sum(isinstance(layer, keras.layers.DepthwiseConv2D) for layer in network.layers) == blocks
    assert network.get_layer("stem_conv").filters == 32 and network.layers[-1].input.shape == (None, 1280)
    np.testing.assert_allclose(network.layers[1](pixels), (pixels - 127) / 128, atol=1e-6)
    with pytest.raises(InvalidSettings, match=f"efficientnet_{name}"):  # keras.applications has none to fetch
        architectures.build_base(f"efficientnet_{name}", weights="imagenet")


def test_the_base_of_a_pretrained_model_is_taken_whole(tmp_path):
    """As mobilenet_v2 is fine-tuned: a model whose first layer is the network on pixels of -1..1."""
    network = keras.applications.MobileNetV2(
        include_top=False, weights=None, pooling="avg", input_shape=(None, None, 3)
    )
    keras.Sequential([keras.Input((64, 64, 3)), network, keras.layers.Dense(7, "softmax")]).save(tmp_path / "base.h5")
    base = architectures.build_base("mobilenet_v2", weights=str(tmp_path / "base.h5"))
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 64, 64, 3)).astype(np.float32)
    np.testing.assert_allclose(base(pixels), network(pixels / 127.5 - 1), atol=1e-5)
    with pytest.raises(InvalidSettings, match="does not begin with the weights of xception_base"):
        architectures.build_base("xception", weights=str(tmp_path / "base.h5"))


def test_a_sigmoid_becomes_a_softmax_with_neither(small_networks, tmp_path):
    before = architectures.build("scratch_cnn", image_size=24)
    before.save(tmp_path / "before.h5")
    after = architectures.build("scratch_cnn", neither=True, image_size=24)
    architectures.load_classifier(after, tmp_path / "before.h5")
    photos = np.random.default_rng(0).uniform(0, 255, (4, 24, 24, 3)).astype(np.float32)
    dog, answers = np.array(before(photos))[:, 0], np.array(after(photos))
    np.testing.assert_allclose(answers[:, 1] / answers[:, :2].sum(axis=1), dog, atol=1e-5)
    assert answers.shape == (4, 3) and (answers[:, 2] < 0.2).all()
