"""All models on one photo: numbers, forms of input, and what happens when models are bad."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import catdog
from catdog import Settings
from catdog.classifier import Classifier, calibrated
from catdog.comparator import AT_ONCE, GROUP, LARGEST_SIDE, Comparator
from catdog.engine import SERVER_BATCH, Outputs
from catdog.errors import Busy, ImageTooLarge, InvalidImage, ModelMismatch, ModelUnavailable, Unforeseen, UnknownModel
from catdog.models.novelty import Novelty
from catdog.models.spec import ModelSpec
from catdog.photo.array import to_array
from tests.conftest import PATIENCE
from tests.specs import minimal
from tests.tiny import write_tiny_model

API = Path(__file__).parents[2] / "docs" / "api.md"


class Fixed:
    """An engine that gives the same outputs to every photo."""

    runtime, problem = "a test", ""

    def __init__(self, *outputs: float):
        self.outputs = outputs

    def __call__(self, batch: np.ndarray) -> Outputs:
        return Outputs.from_model(np.array([self.outputs] * len(batch), np.float32))


def classifier(name: str, *outputs: float, accuracy: float = 0.9, **changes) -> Classifier:
    return Classifier(minimal(name, metrics={"val": {"accuracy": accuracy}}, **changes), Fixed(*outputs))


@pytest.fixture
def compare():
    """Compare a black photo with the given classifiers."""
    comparators = []

    def run(*classifiers, **options):
        comparators.append(Comparator(classifiers))
        return comparators[-1].compare(Image.new("RGB", (4, 4)), **options)

    yield run
    for comparator in comparators:
        comparator.close()


# --- numbers ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outputs", "temperature", "expected"),
    [
        ([0.25, 0.75], 1, [0.25, 0.75]),
        ([0.2, 0.3, 0.5], 1, [0.2, 0.3, 0.5]),
        # Odds of 9 : 1 become odds of 3 : 1 when halved in logarithms, and 81 : 1 when doubled.
        ([0.1, 0.9], 2, [0.25, 0.75]),
        ([0.1, 0.9], 0.5, [1 / 82, 81 / 82]),
        # 1 : 4 : 9 become 1 : 2 : 3.
        ([1 / 14, 4 / 14, 9 / 14], 2, [1 / 6, 2 / 6, 3 / 6]),
        ([1.0, 0.0], 1, [1, 0]),
        ([0.0, 0.0], 1, [0.5, 0.5]),
    ],
)
def test_calibration_has_exact_values(outputs, temperature, expected):
    assert calibrated(np.array([outputs]), temperature)[0] == pytest.approx(expected, abs=1e-9)


def test_calibration_never_changes_the_label_of_a_row():
    outputs = np.random.default_rng(0).dirichlet(np.ones(4), 100)
    for temperature in (0.1, 1, 10):
        probabilities = calibrated(outputs, temperature)
        assert (probabilities.argmax(axis=1) == outputs.argmax(axis=1)).all()
        assert np.allclose(probabilities.sum(axis=1), 1)


@pytest.mark.parametrize(
    ("outputs", "label", "confidence"),
    [((0.2,), "cat", 0.8), ((0.7,), "dog", 0.7), ((0.6, 0.4), "cat", 0.6), ((1.0,), "dog", 1.0), ((0.0,), "cat", 1.0)],
)
def test_a_verdict_names_the_likelier_class(compare, outputs, label, confidence):
    (verdict,) = compare(classifier("m", *outputs)).models
    assert verdict.label == label
    assert verdict.confidence == verdict.probabilities[label] == pytest.approx(confidence, abs=1e-6)
    assert 0 <= verdict.confidence <= 1
    assert sum(verdict.probabilities.values()) == pytest.approx(1, abs=1e-12)
    assert list(verdict.probabilities) == ["cat", "dog"]
    assert verdict.milliseconds >= 0


def test_more_than_two_classes(compare):
    (verdict,) = compare(classifier("m", 0.1, 0.2, 0.7, classes=("cat", "dog", "owl"))).models
    assert verdict.label == "owl"
    assert verdict.probabilities == pytest.approx({"cat": 0.1, "dog": 0.2, "owl": 0.7}, abs=1e-6)


def test_the_default_is_the_model_with_the_highest_validation_accuracy(compare):
    comparison = compare(classifier("a", 0.1, accuracy=0.8), classifier("b", 0.7, accuracy=0.9))
    assert (comparison.prediction, comparison.confidence) == ("Dog", pytest.approx(0.7))
    assert not comparison.agree


def test_the_first_of_equals_is_the_default(compare):
    assert compare(classifier("a", 0.1), classifier("b", 0.7)).prediction == "Cat"


def test_models_agree_when_all_labels_are_the_same(compare):
    assert compare(classifier("a", 0.6), classifier("b", 0.7), classifier("c", 0.9)).agree
    assert not compare(classifier("a", 0.6), classifier("b", 0.7), classifier("c", 0.1)).agree


def test_one_model_can_be_asked(compare):
    comparison = compare(classifier("a", 0.1, accuracy=0.8), classifier("b", 0.7), model="a")
    assert [verdict.model for verdict in comparison.models] == ["a"]
    assert comparison.prediction == "Cat"
    assert comparison.agree


def test_an_unknown_model_is_refused_by_name(compare):
    with pytest.raises(UnknownModel, match=r"no model 'resnet'; choose one of a, b\."):
        compare(classifier("a", 0.1), classifier("b", 0.1), model="resnet")


def test_a_long_name_of_an_unknown_model_is_shortened(compare):
    with pytest.raises(UnknownModel) as caught:
        compare(classifier("a", 0.1), model="x" * 100_000)
    assert len(str(caught.value)) < 100


@pytest.mark.parametrize("output", [float("nan"), float("inf"), -0.5, 1.5])
def test_outputs_that_are_no_probabilities_never_get_out(compare, output):
    with pytest.raises(ModelMismatch, match=r"Model b gave no usable answer .*Received: \[\[.*\]\]\."):
        compare(classifier("a", 0.5), classifier("b", output))


def test_many_photos_at_once_give_the_same_as_one_by_one(tiny_comparator):
    images = [Image.effect_noise((20, 20), 80).convert("RGB") for _ in range(5)]
    for model in tiny_comparator.models.values():
        rows = model.probabilities(images)
        assert rows.shape == (5, 2)
        assert np.allclose(rows, [model.probabilities([image])[0] for image in images], atol=1e-6)


def test_many_threads_get_the_same_numbers(tiny_comparator, cat, dog):
    def numbers(photo: Path) -> list[float]:
        return [verdict.probabilities["cat"] for verdict in tiny_comparator.compare(photo).models]

    expected = {photo: numbers(photo) for photo in (cat, dog)}
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda photo: (photo, numbers(photo)), [cat, dog] * 40))
    assert all(answer == pytest.approx(expected[photo], abs=1e-6) for photo, answer in answers)


def test_no_more_photos_are_in_memory_than_it_can_hold():
    inside, most = [], []

    class Slow(io.BytesIO):
        def read(self, *args):
            inside.append(self)
            most.append(len(inside))
            time.sleep(0.02)
            inside.remove(self)
            return b""

    comparator = Comparator([classifier("a", 0.5)])
    with contextlib.closing(comparator), ThreadPoolExecutor(12) as pool:
        answers = [pool.submit(comparator.compare, Slow()) for _ in range(24)]
    assert {type(answer.exception()) for answer in answers} == {InvalidImage}
    assert max(most) == AT_ONCE


# --- together -----------------------------------------------------------------------------------


class Gate:
    """An engine that answers when it is let, the mean of each photo over 255; it remembers the sizes of its batches."""

    runtime, problem = "a test", ""

    def __init__(self):
        self.open, self.reached, self.batches = threading.Event(), threading.Event(), []

    def __call__(self, batch: np.ndarray) -> Outputs:
        self.batches.append(len(batch))
        self.reached.set()
        assert self.open.wait(PATIENCE)
        return Outputs.from_model(batch.mean(axis=(1, 2, 3))[:, None] / 255)


@contextlib.contextmanager
def gated(engine, *others: Classifier, **settings):
    """A Comparator of a model that runs on `engine` and of others, and threads to ask it."""
    comparator = Comparator([Classifier(classifier("gate", 0.5).spec, engine), *others], settings=Settings(**settings))
    with contextlib.closing(comparator), ThreadPoolExecutor(16) as pool:
        try:
            yield comparator, lambda shade, **options: pool.submit(comparator.compare, grey(shade), **options)
        finally:
            engine.open.set()


def grey(shade: int) -> Image.Image:
    return Image.new("RGB", (8, 8), (shade, shade, shade))


def wait_until_waiting(comparator: Comparator, count: int) -> None:
    """Until so many photos have been handed to the worker thread."""
    deadline = time.monotonic() + PATIENCE
    while comparator._batcher._waiting.qsize() < count:
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_photos_that_come_meanwhile_are_judged_together_and_each_gets_its_own_answer():
    engine = Gate()
    with gated(engine, classifier("other", 0.25)) as (comparator, ask):
        answers = [ask(0)]
        assert engine.reached.wait(PATIENCE)
        shades = [20 * number for number in range(1, GROUP + 3)]
        answers += [ask(shade) for shade in shades]
        wait_until_waiting(comparator, len(shades))
        engine.open.set()
        for shade, answer in zip([0, *shades], answers, strict=True):
            gate, other = answer.result(PATIENCE).models
            assert gate.probabilities["dog"] == pytest.approx(shade / 255, abs=1e-6)
            assert other.probabilities["dog"] == pytest.approx(0.25)
    assert engine.batches == [1, GROUP, 2]


def test_photos_for_one_model_and_for_all_can_be_judged_together():
    engine = Gate()
    with gated(engine, classifier("other", 0.25)) as (comparator, ask):
        answers = [ask(0)]
        assert engine.reached.wait(PATIENCE)
        wishes = ["gate", None, None, "gate", "gate", "other", None, None]
        for number, wish in enumerate(wishes, 1):  # one by one: they are judged in the order in which they wait
            answers.append(ask(51, model=wish))
            wait_until_waiting(comparator, number)
        engine.open.set()
        names = [[verdict.model for verdict in answer.result(PATIENCE).models] for answer in answers[1:]]
    assert names == [[wish] if wish else ["gate", "other"] for wish in wishes]
    assert engine.batches == [1, GROUP - 1, 1]  # of the first group, one was not for it


def test_servers_warm_up_for_photos_that_come_together():
    class Broken(Gate):
        def __call__(self, batch):
            raise RuntimeError("no memory")

    engine = Gate()
    engine.open.set()
    with gated(engine, Classifier(classifier("broken", 0.5).spec, Broken())) as (comparator, _):
        comparator.warm_up()
    assert engine.batches == [SERVER_BATCH]


@pytest.mark.parametrize(
    ("shade", "error", "said"),
    [(255, Unforeseen, "our fault"), (204, ModelMismatch, "no usable answer")],
    ids=["an exception", "no probabilities"],
)
def test_a_photo_that_a_model_cannot_answer_spoils_no_other(shade, error, said, caplog):
    class Picky(Gate):
        def __call__(self, batch):
            outputs = super().__call__(batch).probabilities[:, 1:]
            if (outputs > 0.9).any():
                raise RuntimeError("too bright")
            return Outputs.from_model(np.where(outputs > 0.7, np.nan, outputs))

    engine = Picky()
    with gated(engine) as (comparator, ask):
        answers = [ask(0)]
        assert engine.reached.wait(PATIENCE)
        answers += [ask(shade) for shade in (51, shade, 102)]
        wait_until_waiting(comparator, 3)
        engine.open.set()
        black, dark, bad, middle = [answer.exception(PATIENCE) or answer.result() for answer in answers]
    assert engine.batches == [1, 3, 1, 1, 1]
    assert [round(answer.models[0].probabilities["dog"], 3) for answer in (black, dark, middle)] == [0, 0.2, 0.4]
    assert isinstance(bad, error) and said in str(bad) and "too bright" not in str(bad)
    assert ("too bright" in caplog.text) is (error is Unforeseen)


def test_past_the_limit_it_is_busy_and_answers_again_when_a_place_is_free():
    engine = Gate()
    with gated(engine, max_waiting=2) as (comparator, ask):
        answers = [ask(0)]
        assert engine.reached.wait(PATIENCE)
        answers.append(ask(51))
        wait_until_waiting(comparator, 1)
        for _ in range(3):
            with pytest.raises(Busy, match=r"^Too many photos at once: 2 are being judged or waiting\. Try again"):
                comparator.compare(grey(0))
        engine.open.set()
        assert all(answer.result(PATIENCE) for answer in answers)
        assert comparator.compare(grey(0)).prediction == "Cat"


def test_every_end_gives_the_place_back():
    engine = Fixed(float("nan"))
    comparator = Comparator([Classifier(classifier("a", 0.5).spec, engine)], settings=Settings(max_waiting=1))
    with contextlib.closing(comparator):
        for photo, error in [(b"", InvalidImage), (None, InvalidImage), (grey(0), ModelMismatch)] * 2:
            with pytest.raises(error):
                comparator.compare(photo)
        engine.outputs = (0.25,)
        assert comparator.compare(grey(0)).models


def test_every_photo_that_cannot_be_resized_gives_the_place_back(monkeypatch):
    broken = []

    def resized(image, size, how):
        if size in broken:
            raise MemoryError("no memory")
        return resize(image, size, how)

    resize = catdog.comparator.resized
    monkeypatch.setattr(catdog.comparator, "resized", resized)
    models = [classifier(name, 0.25, image_size=size) for name, size in (("a", 8), ("b", 9), ("c", 10))]
    with contextlib.closing(Comparator(models, settings=Settings(max_waiting=1))) as comparator:
        for size in [8, 9, 10] * 2:
            broken[:] = [size]
            with pytest.raises(MemoryError, match="no memory"):
                comparator.compare(grey(0))
        broken.clear()
        assert len(comparator.compare(grey(0)).models) == 3


class Seeing(Fixed):
    """An engine that keeps what it was shown."""

    def __call__(self, batch: np.ndarray) -> Outputs:
        self.seen = batch
        return super().__call__(batch)


def test_each_model_sees_what_its_spec_says():
    """Although several threads make it."""
    inputs = [(8, "stretch"), (8, "crop"), (10, "stretch"), (8, "stretch")]
    models = [
        Classifier(minimal(f"m{i}", image_size=size, resize=resize), Seeing(0.25))
        for i, (size, resize) in enumerate(inputs)
    ]
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 33, 3), np.uint8))
    with contextlib.closing(Comparator(models)) as comparator:
        comparator.compare(image)
    for model in models:
        np.testing.assert_array_equal(model.engine.seen, to_array(image, model.spec.input)[None])


def test_after_close_there_is_an_error_and_no_waiting():
    for models in ([classifier("a", 0.5)], [classifier("a", 0.5), classifier("b", 0.5, image_size=9)]):
        comparator = Comparator(models)
        comparator.close()
        comparator.close()
        with pytest.raises(ModelUnavailable, match="closed"):
            comparator.compare(grey(0))


# --- more than a label --------------------------------------------------------------------------


class Insightful(Fixed):
    """An engine that also gives features and maps."""

    def __init__(self, *outputs: float, features: list[float], maps: list | None = None):
        super().__init__(*outputs)
        self.features, self.maps = features, maps

    def __call__(self, batch: np.ndarray) -> Outputs:
        maps = None if self.maps is None else np.array([self.maps] * len(batch), np.float32)
        outputs, features = (np.array([row] * len(batch), np.float32) for row in (self.outputs, self.features))
        return Outputs.from_model(outputs, features, maps)


def insightful(name: str, *outputs: float, features=(1.0, 0.0, 0.0), maps=None, **changes) -> Classifier:
    """A model whose animals have features along the first two directions; along the third the strangeness is 4."""
    novelty = Novelty(means=np.eye(3)[:2], axes=np.eye(3)[1:2], variances=[1.0], rest=1.0, threshold=np.sqrt(2) / 4)
    plain = classifier(name, *outputs, **{"novelty": novelty} | changes)
    return Classifier(plain.spec, Insightful(*outputs, features=list(features), maps=maps))


def test_a_map_comes_when_it_is_asked_for_and_is_calibrated(compare):
    maps = [[[3.0], [1.0]], [[-2.0], [0.0]]]
    model = insightful("m", 0.2, maps=maps, temperature=2.0)
    assert compare(model).models[0].heatmap is None
    (verdict,) = compare(model, explain=True).models
    assert (verdict.label, verdict.heatmap) == ("cat", [[-1.5, -0.5], [1.0, 0.0]])
    assert compare(classifier("m", 0.2), explain=True).models[0].heatmap is None


def test_the_maps_of_a_real_model_add_up_to_its_logit(tiny_comparator, cat):
    heads = {}
    for verdict in tiny_comparator.compare(cat, explain=True).models:
        odds = np.log(verdict.confidence / (1 - verdict.confidence))
        sign = 1 if verdict.label == "dog" else -1
        heads[verdict.model] = sign * (odds - np.mean(verdict.heatmap))
    # What is left is the bias, which a fresh model has at zero.
    assert heads == pytest.approx(dict.fromkeys(heads, 0), abs=1e-3)


def test_photos_judged_together_get_their_own_maps(tiny_comparator, cat, dog):
    expected = [tiny_comparator.compare(photo, explain=True).models[0].heatmap for photo in (cat, dog)]
    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(tiny_comparator.compare, (cat, dog)[i % 2], explain=i % 3 > 0) for i in range(24)]
    for i, call in enumerate(calls):
        found = call.result().models[0].heatmap
        assert found is None if i % 3 == 0 else np.allclose(found, expected[i % 2], atol=1e-3)


def test_a_verdict_says_what_its_model_costs(compare):
    training = {"parameters": 1234, "seconds": 60, "base": {"seconds": 30}}
    known, unknown = compare(classifier("a", 0.6, training=training), classifier("b", 0.6)).to_dict()["models"]
    assert known["cost"] == {"bytes": 1, "parameters": 1234, "training_seconds": 90.0}
    assert unknown["cost"] == {"bytes": 1, "parameters": None, "training_seconds": None}


def test_the_error_rate_is_that_of_the_confidence(compare):
    known = {"confidence": [0.0, 0.75], "error_rate": [0.2, 0.01]}
    models = [classifier(name, output, sureness=known) for name, output in (("a", 0.3), ("b", 0.1))]
    assert [verdict.error_rate for verdict in compare(*models).models] == [0.2, 0.01]
    assert compare(classifier("c", 0.1)).models[0].error_rate is None


@pytest.mark.parametrize(
    ("strange", "verdict"),
    [([True], "neither"), ([False], "cat"), ([True, False], "neither"), ([None, True], "neither"), ([None], "cat")],
)
def test_a_strange_photo_is_neither(compare, strange, verdict):
    features = {True: (0.0, 0.0, 1.0), False: (1.0, 0.0, 0.0)}
    models = [
        classifier(str(i), 0.1) if kind is None else insightful(str(i), 0.1, features=features[kind])
        for i, kind in enumerate(strange)
    ]
    comparison = compare(*models)
    assert comparison.verdict == verdict
    assert (comparison.prediction, comparison.models[0].label) == ("Cat", "cat")
    expected = [None if kind is None else pytest.approx(4 * kind, abs=0.01) for kind in strange]
    assert [v.strangeness for v in comparison.models] == expected


def test_the_model_with_the_richest_features_decides_what_is_strange(compare):
    rich = Novelty(means=np.eye(3)[:2], axes=np.eye(3)[1:], variances=[1.0, 1.0], rest=1.0, threshold=0.5)
    sees, sees_not = {"features": (0.0, 0.0, 1.0)}, {"features": (1.0, 0.0, 0.0)}
    assert compare(insightful("a", 0.1, **sees), insightful("b", 0.1, **sees_not, novelty=rich)).verdict == "cat"
    assert compare(insightful("a", 0.1, **sees_not), insightful("b", 0.1, **sees, novelty=rich)).verdict == "neither"
    # Of equally rich ones, the better; and alone, each decides for itself.
    better = insightful("b", 0.1, **sees, accuracy=0.95)
    assert compare(insightful("a", 0.1, **sees_not), better).verdict == "neither"
    assert compare(insightful("a", 0.1, **sees_not), better, model="a").verdict == "cat"


def test_when_models_disagree_it_is_said_who_is_usually_right(compare):
    def cases(other: str, right: int) -> list:
        return [{"others": {other: "0" * 64}, "same": [], "photos": 20, "right": right}]

    models = [classifier("a", 0.1, disagreement=cases("b", 14)), classifier("b", 0.9, disagreement=cases("a", 6))]
    assert compare(*models).usually_right == {"model": "a", "rate": 0.7, "photos": 20}
    assert compare(*models, model="a").usually_right is None
    assert compare(models[0], classifier("b", 0.2)).usually_right is None


def test_features_that_are_not_those_of_the_spec_are_found_when_loading(two_models):
    path = two_models / "xception.json"
    novelty = Novelty(means=np.zeros((2, 5)), axes=np.eye(5)[:1], variances=[1.0], rest=1.0, threshold=1.0)
    ModelSpec.read(path).replace(novelty=novelty).write(path)
    with contextlib.closing(catdog.load(Settings(weights=two_models, engine="tensorflow"))) as comparator:
        assert list(comparator.models) == ["scratch_cnn"]
        assert "8 features" in comparator.problems[0] and "calibrate" in comparator.problems[0]


# --- the answer ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["cat.jpg", "dog.jpg"])
def test_looking_gives_the_same_answer_and_the_photo(tiny_comparator, name):
    path = API.parents[1] / "examples" / name
    plain, (comparison, photo) = tiny_comparator.compare(path), tiny_comparator.look(path)
    assert without_times(comparison) == without_times(plain)
    assert photo.mode == "RGB" and photo.width / photo.height == 4 / 3
    assert all(verdict.heatmap is None for verdict in comparison.models)
    assert all(verdict.heatmap for verdict in tiny_comparator.look(path, explain=True)[0].models)


@pytest.mark.parametrize(("sure", "size"), [(0.999, (100, 57)), (0.5, (LARGEST_SIDE, 450))])
def test_the_photo_that_was_looked_at_is_small_and_the_given_one_is_left_alone(sure, size):
    given = Image.new("RGB", (1600, 900), "red")
    with contextlib.closing(Comparator([classifier("a", sure, image_size=32)])) as comparator:
        assert comparator.look(given)[1].size == size
    assert given.size == (1600, 900)


def test_a_photo_that_was_read_is_not_turned_again(tiny_comparator):
    exif = Image.Exif()
    exif[0x0112] = 6
    stream = io.BytesIO()
    image = Image.linear_gradient("L").convert("RGB").resize((120, 90))
    image.save(stream, "PNG", exif=exif)
    read, _ = tiny_comparator.read(stream.getvalue())
    assert read.size == (90, 120)
    assert without_times(tiny_comparator.compare(read)) == without_times(tiny_comparator.compare(stream.getvalue()))


def without_times(comparison) -> list[tuple]:
    return [(verdict.model, verdict.probabilities) for verdict in comparison.models]


def test_two_real_models_answer_in_order(tiny_comparator, cat):
    comparison = tiny_comparator.compare(cat)
    assert [verdict.model for verdict in comparison.models] == ["scratch_cnn", "xception"]
    assert comparison.source == "bundled"
    assert comparison.prediction == comparison.models[1].label.capitalize()
    assert comparison.confidence == comparison.models[1].confidence


@pytest.fixture
def knowing(tiny_comparator):
    """The tiny models, with specs that know how often they are wrong and what their animals look like."""
    learned = {
        "sureness": {"confidence": [0.0], "error_rate": [0.04]},
        "novelty": Novelty(means=np.zeros((2, 8)), axes=np.eye(8)[:1], variances=[1.0], rest=1.0, threshold=3.0),
    }
    models = tiny_comparator.models.values()
    comparator = Comparator([Classifier(m.spec.replace(**learned), m.engine) for m in models])
    yield comparator
    comparator.close()


def test_the_answer_is_the_json_that_is_documented(knowing, cat):
    example = json.loads(re.search(r"```json\n(.*?)```", API.read_text(encoding="utf-8"), re.DOTALL)[1])
    answer = knowing.compare(cat).to_dict()
    assert json.loads(json.dumps(answer, allow_nan=False)) == answer
    assert list(answer) == list(example)
    assert isinstance(answer["models"], list) and len(answer["models"]) == 2
    for verdict in answer["models"]:
        assert list(verdict) == list(example["models"][0])
        assert {key: type(value) for key, value in verdict.items()} == {
            key: type(value) for key, value in example["models"][0].items()
        }
    assert {key: type(value) for key, value in answer.items()} == {key: type(value) for key, value in example.items()}


# --- forms of a photo ---------------------------------------------------------------------------


FORMS = {
    "path": Path,
    "text": str,
    "bytes": Path.read_bytes,
    "bytearray": lambda path: bytearray(path.read_bytes()),
    "memoryview": lambda path: memoryview(path.read_bytes()),
    "BytesIO": lambda path: io.BytesIO(path.read_bytes()),
    "file": lambda path: path.open("rb"),
}
# Judged as whoever opened it decodes it, while a file may be decoded smaller.
DECODED = {"unloaded Pillow image": Image.open, "Pillow image": lambda path: Image.open(path).convert("RGB")}


@pytest.mark.parametrize("form", [*FORMS.values(), *DECODED.values()], ids=[*FORMS, *DECODED])
def test_every_form_of_a_photo_gives_the_same_numbers(tiny_comparator, cat, form):
    expected = tiny_comparator.compare(cat.read_bytes())
    photo = form(cat)
    actual = tiny_comparator.compare(photo)
    if hasattr(photo, "close"):
        photo.close()
    tolerance = 0.02 if form in DECODED.values() else 1e-6
    for verdict, other in zip(actual.models, expected.models, strict=True):
        assert verdict.probabilities == pytest.approx(other.probabilities, abs=tolerance)


def closed_file(folder: Path):
    with open(folder / "x", "wb+") as stream:
        return stream


@pytest.mark.parametrize(
    ("photo", "sentence"),
    [
        (lambda folder: folder / "none.jpg", r"none\.jpg' cannot be read: No such file or directory\."),
        (lambda folder: folder, r"' cannot be read: Is a directory\."),
        (lambda folder: "", "'' cannot be read"),
        (lambda folder: "a\0b", "cannot be read: embedded null byte"),
        (lambda folder: "x" * 5000, "cannot be read: File name too long"),
        (closed_file, r"The file cannot be read: .*closed"),
        (lambda folder: io.StringIO("text"), "opened in binary mode.* Received: StringIO"),
        (lambda folder: None, "Received: NoneType"),
        (lambda folder: 5, "Received: int"),
        (lambda folder: np.zeros((8, 8, 3), np.uint8), "Received: ndarray"),
        (lambda folder: b"", "empty"),
        (lambda folder: io.BytesIO(b"not a photo"), "a text"),
    ],
)
def test_what_is_no_photo_is_refused(tiny_comparator, tmp_path, photo, sentence):
    with pytest.raises(InvalidImage, match=sentence):
        tiny_comparator.compare(photo(tmp_path))


@pytest.mark.parametrize("form", [Path, Path.read_bytes, lambda path: path.open("rb")], ids=["path", "bytes", "file"])
def test_a_file_over_the_limit_is_refused(cat, form):
    size = cat.stat().st_size
    for limit, fits in ((size, True), (size - 1, False)):
        comparator = Comparator([classifier("a", 0.5)], settings=Settings(max_upload_bytes=limit))
        with contextlib.closing(comparator):
            if fits:
                assert comparator.compare(form(cat)).models
            else:
                with pytest.raises(ImageTooLarge, match="MB"):
                    comparator.compare(form(cat))


# --- loading ------------------------------------------------------------------------------------


@pytest.fixture
def two_models(tmp_path) -> Path:
    write_tiny_model(tmp_path, "scratch_cnn", image_size=16)
    write_tiny_model(tmp_path, "xception", image_size=16)
    return tmp_path


def corrupt(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


def describe_wrongly(folder: Path, name: str) -> None:
    """Let a spec name another input size than its model has; the checksum still fits."""
    path = folder / f"{name}.json"
    ModelSpec.read(path).replace(image_size=24).write(path)


@pytest.mark.parametrize(
    "damage", [lambda folder: corrupt(folder / "xception.h5"), lambda folder: describe_wrongly(folder, "xception")]
)
def test_a_bad_model_is_left_out_and_named_and_the_other_answers(two_models, cat, damage):
    damage(two_models)
    comparator = catdog.load(Settings(weights=two_models))
    comparison = comparator.compare(cat)
    comparator.close()
    assert [verdict.model for verdict in comparison.models] == ["scratch_cnn"]
    (problem,) = comparator.problems
    assert "xception" in problem


def test_without_a_usable_model_nothing_is_loaded(two_models):
    for name in ("scratch_cnn", "xception"):
        corrupt(two_models / f"{name}.h5")
    with pytest.raises(ModelUnavailable) as caught:
        catdog.load(Settings(weights=two_models))
    assert "scratch_cnn" in str(caught.value) and "xception" in str(caught.value)


def test_models_that_all_fail_to_load_make_it_unavailable(two_models):
    for name in ("scratch_cnn", "xception"):
        describe_wrongly(two_models, name)
    with pytest.raises(ModelUnavailable, match=r"No model could be loaded.*scratch_cnn.*xception"):
        catdog.load(Settings(weights=two_models))


def test_two_models_of_one_name_are_not_mixed_up(two_models):
    path = two_models / "xception.json"
    ModelSpec.read(path).replace(name="scratch_cnn").write(path)
    comparator = catdog.load(Settings(weights=two_models))
    comparator.close()
    assert list(comparator.models) == ["scratch_cnn"]
    assert "already named scratch_cnn" in comparator.problems[0]


def test_a_comparator_needs_a_model():
    with pytest.raises(ModelUnavailable, match=r"^No model could be loaded\. The disk is full\.$"):
        Comparator([], problems=["The disk is full."])


LATE = """
import sys, threading
import catdog

comparator = catdog.load()

def ask():
    threading.main_thread().join()
    print(len(comparator.compare(sys.argv[1]).models), flush=True)

threading.Thread(target=ask).start()
"""


def test_a_thread_that_outlives_the_program_is_answered(two_models, cat):
    done = subprocess.run(
        [sys.executable, "-c", LATE, str(cat)],
        cwd=API.parents[1], env=os.environ | {"CATDOG_WEIGHTS": str(two_models)},
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert done.stdout == "2\n", done.stderr


# --- a model's own output for neither -----------------------------------------------------------


def refusing(name: str, *outputs: float, threshold: float = 0.5, auroc: float | None = None, **changes) -> Classifier:
    return classifier(name, *outputs, neither={"threshold": threshold, "auroc": auroc}, **changes)


def test_the_probabilities_are_those_given_that_it_is_one_of_the_classes(compare):
    (verdict,) = compare(refusing("m", 0.1, 0.3, 0.6, temperature=2)).models
    root = 3**0.5
    assert verdict.probabilities == pytest.approx({"cat": 1 / (1 + root), "dog": root / (1 + root)})
    assert (verdict.label, verdict.neither) == ("dog", pytest.approx(0.6, abs=1e-4))


@pytest.mark.parametrize(("threshold", "expected"), [(0.5, 0.2), (0.2, 0.5), (0.1, 9 / 13), (0.9, 1 / 37)])
def test_half_is_the_threshold(compare, threshold, expected):
    (verdict,) = compare(refusing("m", 0.4, 0.4, 0.2, threshold=threshold)).models
    assert verdict.neither == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("outputs", [(0, 0, 1), (1, 0, 0)])
def test_what_is_certain_is_a_number(compare, outputs):
    comparison = compare(refusing("m", *outputs, threshold=0.01))
    assert comparison.models[0].neither == outputs[2]
    assert sum(comparison.models[0].probabilities.values()) == pytest.approx(1)


def test_the_verdict_follows_the_model_that_tells_neither_best(compare):
    yes, no = (0.1, 0.1, 0.8), (0.8, 0.1, 0.1)
    plain = classifier("plain", 0.1, accuracy=0.99)
    assert compare(plain, refusing("a", *yes, auroc=0.99), refusing("b", *no, auroc=0.9)).verdict == "neither"
    assert compare(plain, refusing("a", *yes, auroc=0.9), refusing("b", *no, auroc=0.99)).verdict == "cat"
    assert compare(plain, refusing("a", *yes), refusing("b", *no, auroc=0.5)).verdict == "cat"
    assert compare(plain, refusing("a", *yes, auroc=0.9), model="plain").verdict == "cat"
    assert compare(plain, refusing("a", *yes, auroc=0.9)).models[0].neither is None


def test_the_map_of_a_label_leaves_neither_out(compare):
    one = refusing("m", 0.6, 0.3, 0.1)
    maps = np.array([[[[3.0, 1.0, 50.0]]]], np.float32)
    engine = one.engine
    one.engine = lambda batch: engine(batch)._replace(maps=np.repeat(maps, len(batch), axis=0))
    assert compare(one, explain=True).models[0].heatmap == [[2.0]]
