"""What models learn about themselves on val."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from catdog import ModelSpec, Settings, load
from catdog.classifier import calibrated
from tests.tiny import write_tiny_model
from train.__main__ import main
from train.measure import calibrate, evaluate, fit_disagreement, fit_error_rate, fit_novelty


@pytest.fixture
def weights(tiny_weights, tmp_path):
    return shutil.copytree(tiny_weights, tmp_path / "weights")


# --- the command --------------------------------------------------------------------------------


def test_calibrate_writes_what_serving_uses_and_can_be_run_again(tiny_data, weights, capsys):
    command = ["calibrate", "--data", str(tiny_data), "--weights", str(weights)]
    before = {path.stem: ModelSpec.read(path) for path in weights.glob("*.json")}
    assert main(command) == 0
    written = {path.name: path.read_bytes() for path in weights.iterdir()}
    assert main(command) == 0
    assert {path.name: path.read_bytes() for path in weights.iterdir()} == written
    for name, old in before.items():
        spec = ModelSpec.read(weights / f"{name}.json")
        learned = {field: getattr(spec, field) for field in ("sureness", "novelty", "disagreement", "clear")}
        assert spec == old.replace(**learned)
        assert learned["sureness"] and learned["novelty"]
    comparator = load(Settings(weights=weights))
    comparison = comparator.compare(tiny_data / "test" / "cats" / "cats.0.png")
    comparator.close()
    assert all(0 < verdict.error_rate <= 1 and verdict.strangeness > 0 for verdict in comparison.models)


@pytest.mark.parametrize(("found", "left"), [(0.8, {"int8": 0.8, "bfloat16": 0.7}), (None, {"bfloat16": 0.7})])
def test_what_is_clear_is_learned_anew_of_what_the_processor_is_fast_at(tiny_data, tmp_path, monkeypatch, found, left):
    """Of answers without a second one; what only another processor could measure stays."""
    asked = []

    def fit_clear(fast, exact, temperature):
        asked.append((fast, exact, temperature))
        return found

    monkeypatch.setattr(calibrate, "fast_here", lambda: ("int8",))
    monkeypatch.setattr(calibrate.fit_clear, "fit_clear", fit_clear)
    spec = write_tiny_model(tmp_path, "scratch_cnn", convolutions=4)
    spec.replace(clear={"int8": 1.0, "bfloat16": 0.7}, temperature=0.5).write(tmp_path / "scratch_cnn.json")
    assert main(["calibrate", "--data", str(tiny_data), "--weights", str(tmp_path)]) == 0
    assert ModelSpec.read(tmp_path / "scratch_cnn.json").clear == left
    ((fast, exact, temperature),) = asked
    assert temperature == 0.5 and 0 < np.abs(fast - exact).max() < 0.01


def test_a_model_that_cannot_be_quantized_learns_nothing_of_it(tiny_data, weights, monkeypatch):
    monkeypatch.setattr(calibrate, "fast_here", lambda: ("int8",))
    for path in weights.glob("*.json"):  # of models with a single convolution
        ModelSpec.read(path).replace(clear={"int8": 0.9}).write(path)
    assert main(["calibrate", "--data", str(tiny_data), "--weights", str(weights)]) == 0
    assert [ModelSpec.read(path).clear for path in weights.glob("*.json")] == [{}, {}]


def test_only_val_is_read(tiny_data, weights, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(tiny_data / "val", data / "val")
    assert main(["calibrate", "--data", str(data), "--weights", str(weights)]) == 0


def test_a_model_that_cannot_be_used_is_named_and_left_alone(tiny_data, weights, capsys):
    (weights / "xception.h5").write_bytes(b"damaged")
    before = (weights / "xception.json").read_bytes()
    assert main(["calibrate", "--data", str(tiny_data), "--weights", str(weights)]) == 0
    assert "xception.h5 is damaged" in capsys.readouterr().err
    assert (weights / "xception.json").read_bytes() == before
    assert ModelSpec.read(weights / "scratch_cnn.json").sureness


def test_a_spec_of_another_model_is_not_amended(weights):
    path = weights / "xception.json"
    measured = ModelSpec.read(path)
    measured.replace(sha256="0" * 64).write(path)
    before = path.read_bytes()
    with pytest.raises(Exception, match="another model than the one that was measured"):
        evaluate.amend(path, measured, novelty=None)
    assert path.read_bytes() == before


# --- temperature and shift ----------------------------------------------------------------------


@pytest.mark.parametrize(("photos", "most"), [(6, 0.7), (20, 0.8), (50, 0.9)])
def test_few_photos_that_are_all_right_make_no_answer_certain(photos, most):
    labels, confidence = np.arange(photos) % 2, np.linspace(0.55, 0.9, photos)
    of_dog = np.where(labels == 1, confidence, 1 - confidence)
    temperature = calibrate.fit_temperature(np.stack([1 - of_dog, of_dog], axis=1), labels)
    assert 0.6 < calibrated(np.array([[0.4, 0.6]]), temperature)[0, 1] < most


def test_few_photos_move_a_model_less_than_many_like_them():
    of_dog, labels = np.array([0.1, 0.2, 0.3, 0.4]), np.array([0, 0, 1, 1])
    few, many = (
        calibrate.fit_shift(np.tile(np.stack([1 - of_dog, of_dog], axis=1), (times, 1)), np.tile(labels, times))[1]
        for times in (1, 1000)
    )
    assert 0.1 < few < 0.75 * many


def test_the_order_of_classes_makes_no_difference_to_the_shift():
    random = np.random.default_rng(0)
    labels = np.arange(30) % 3
    probabilities = random.dirichlet((1, 1, 1), 30) * 0.5 + 0.5 * np.eye(3)[labels]
    turned = calibrate.fit_shift(probabilities[:, [2, 0, 1]], (labels + 1) % 3)[[1, 2, 0]]
    assert calibrate.fit_shift(probabilities, labels) == pytest.approx(turned - turned[0], abs=1e-3)


# --- sureness -----------------------------------------------------------------------------------


def test_too_few_photos_teach_nothing_of_what_is_strange():
    labels = np.repeat([0, 1], 3)
    features = np.random.default_rng(0).random((6, 5), np.float32)
    assert calibrate._novelty(features, labels) is not None
    assert calibrate._novelty(features[1:], labels[1:]) is None
    assert calibrate._novelty(None, labels) is None


def test_learned_rates_are_those_of_the_answers():
    random = np.random.default_rng(0)
    confidence = random.uniform(0.5, 1, 20_000)
    right = random.random(20_000) < confidence
    learned = fit_error_rate.fit(confidence, right)
    for value in (0.55, 0.7, 0.85, 0.95):
        assert learned.at(value) == pytest.approx(1 - value, abs=0.05)
    assert list(learned.error_rate) == sorted(learned.error_rate, reverse=True)


def test_what_never_failed_may_still_fail():
    learned = fit_error_rate.fit(np.linspace(0.9, 1, 400), np.ones(400, bool))
    assert (learned.confidence, learned.error_rate) == ((0.0,), (round(1 / 402, 5),))


@pytest.mark.parametrize("count", [1, 7, 51])
def test_few_answers_make_one_level(count):
    learned = fit_error_rate.fit(np.full(count, 0.9), np.zeros(count, bool))
    assert (learned.confidence, learned.error_rate) == ((0.0,), (round((count + 1) / (count + 2), 5),))


def test_answers_of_equal_confidence_are_of_one_level():
    right = np.r_[np.zeros(100, bool), np.ones(100, bool)]
    assert fit_error_rate.fit(np.full(200, 0.9), right).confidence == (0.0,)


# --- novelty ------------------------------------------------------------------------------------


def features(random: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Two classes in 40 dimensions, of which few vary much."""
    labels = random.integers(2, size=count)
    spread = np.r_[np.full(5, 0.5), np.full(35, 0.05)]
    return (np.eye(40)[labels] * 3 + random.normal(size=(count, 40)) * spread).astype(np.float32), labels


def test_at_most_two_in_a_hundred_of_new_animals_are_strange_and_other_things_are():
    random = np.random.default_rng(0)
    learned = fit_novelty.fit(*features(random, 1000))
    fresh = learned.distances(features(random, 5000)[0]) / learned.threshold
    assert 0.002 < (fresh > 1).mean() < 0.025
    other = np.eye(40)[np.full(200, 20)] * 3 + random.normal(size=(200, 40)) * 0.05
    assert (learned.distances(other) / learned.threshold > 1).all()


@pytest.mark.parametrize(
    "values", [np.zeros((20, 6)), np.ones((20, 6)), np.eye(6)[np.arange(20) % 6], np.ones((20, 2))]
)
def test_features_that_hardly_vary_make_usable_statistics(values):
    learned = fit_novelty.fit(values.astype(np.float32), np.arange(20) % 2)
    assert learned.rounded() == learned
    assert learned.strangeness(np.zeros(values.shape[1])) is not None


def test_folds_have_the_axes_that_all_photos_have(monkeypatch):
    made = []
    statistics = fit_novelty._statistics
    monkeypatch.setattr(fit_novelty, "_statistics", lambda *arguments: made.append(statistics(*arguments)) or made[-1])
    fit_novelty.fit(np.random.default_rng(0).normal(size=(40, 60)), np.arange(40) % 2)
    assert [len(one.axes) for one in made] == [8] * (fit_novelty.FOLDS + 1)


# --- disagreement -------------------------------------------------------------------------------


def test_every_way_to_disagree_is_counted():
    labels = np.array([0, 0, 0, 1, 1, 1])
    predicted = {
        "a": np.array([0, 0, 1, 1, 0, 1]),
        "b": np.array([0, 1, 0, 1, 1, 1]),
        "c": np.array([0, 1, 0, 0, 1, 1]),
    }
    sha256 = {name: name * 64 for name in "abc"}
    found = {
        (frozenset(case.others), case.same): (case.photos, case.right)
        for case in fit_disagreement.count("a", predicted, labels, sha256)
    }
    assert found == {
        (frozenset("b"), frozenset()): (3, 1),
        (frozenset("c"), frozenset()): (4, 2),
        (frozenset("bc"), frozenset()): (3, 1),
        (frozenset("bc"), frozenset("b")): (1, 1),
    }
    assert fit_disagreement.count("a", predicted, labels, sha256)[0].others == {"b": "b" * 64}


def test_models_that_always_agree_have_no_cases():
    same = np.array([0, 1])
    assert fit_disagreement.count("a", {"a": same, "b": same}, same, {"a": "", "b": ""}) == []


# --- temperature and balance ---


def test_temperature_mends_overconfidence():
    random = np.random.default_rng(0)
    logits = random.normal(0, 2, 4000)
    labels = (random.random(4000) < 1 / (1 + np.exp(-logits))).astype(int)
    overconfident = 1 / (1 + np.exp(-2.5 * logits))
    assert calibrate.fit_temperature(np.stack([1 - overconfident, overconfident], axis=1), labels) == pytest.approx(
        2.5, rel=0.1
    )


def test_the_shift_undoes_a_lean_towards_classes():
    """Labels drawn from known logits; the model sharpens them, then leans by 1 and -2."""
    random = np.random.default_rng(0)
    honest = random.normal(0, 2, (20000, 3))
    labels = (honest + random.gumbel(size=honest.shape)).argmax(axis=1)
    leaning = np.exp(2 * honest + [0, 1, -2])
    shift = calibrate.fit_shift(leaning / leaning.sum(axis=1, keepdims=True), labels)
    assert shift == pytest.approx([0, -1, 2], abs=0.15)
