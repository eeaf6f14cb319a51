"""What is fitted on answers and features whose truth is known."""

import numpy as np
import pytest
from scipy.special import logit

from catdog.adopt.fit_confidence import fit_error_rate, fit_temperature
from catdog.classifier import calibrated
from train.measure.calibration.fit_clear import MOST_DOUBTFUL, fit_clear
from train.measure.calibration.fit_disagreement import fit_disagreement
from train.measure.calibration.fit_refusal import fit_neither
from train.measure.calibration.fit_shift import fit_shift

# --- temperature and shift ----------------------------------------------------------------------


@pytest.mark.parametrize(("photos", "most"), [(6, 0.7), (20, 0.8), (50, 0.9)])
def test_few_photos_that_are_all_right_make_no_answer_certain(photos, most):
    labels, confidence = np.arange(photos) % 2, np.linspace(0.55, 0.9, photos)
    of_dog = np.where(labels == 1, confidence, 1 - confidence)
    temperature = fit_temperature(np.stack([1 - of_dog, of_dog], axis=1), labels)
    assert 0.6 < calibrated(np.array([[0.4, 0.6]]), temperature)[0, 1] < most


def test_temperature_mends_overconfidence():
    random = np.random.default_rng(0)
    logits = random.normal(0, 2, 4000)
    labels = (random.random(4000) < 1 / (1 + np.exp(-logits))).astype(int)
    overconfident = 1 / (1 + np.exp(-2.5 * logits))
    assert fit_temperature(np.stack([1 - overconfident, overconfident], axis=1), labels) == pytest.approx(2.5, rel=0.1)


def test_the_shift_undoes_a_lean_towards_classes():
    """Labels drawn from known logits; the model sharpens them, then leans by 1 and -2."""
    random = np.random.default_rng(0)
    honest = random.normal(0, 2, (20000, 3))
    labels = (honest + random.gumbel(size=honest.shape)).argmax(axis=1)
    leaning = np.exp(2 * honest + [0, 1, -2])
    shift = fit_shift(leaning / leaning.sum(axis=1, keepdims=True), labels)
    assert shift == pytest.approx([0, -1, 2], abs=0.15)


def test_few_photos_move_a_model_less_than_many_like_them():
    of_dog, labels = np.array([0.1, 0.2, 0.3, 0.4]), np.array([0, 0, 1, 1])
    few, many = (
        fit_shift(np.tile(np.stack([1 - of_dog, of_dog], axis=1), (times, 1)), np.tile(labels, times))[1]
        for times in (1, 1000)
    )
    assert 0.1 < few < 0.75 * many


def test_the_order_of_classes_makes_no_difference_to_the_shift():
    random = np.random.default_rng(0)
    labels = np.arange(30) % 3
    probabilities = random.dirichlet((1, 1, 1), 30) * 0.5 + 0.5 * np.eye(3)[labels]
    turned = fit_shift(probabilities[:, [2, 0, 1]], (labels + 1) % 3)[[1, 2, 0]]
    assert fit_shift(probabilities, labels) == pytest.approx(turned - turned[0], abs=1e-3)


# --- sureness -----------------------------------------------------------------------------------


def test_learned_rates_are_those_of_the_answers():
    random = np.random.default_rng(0)
    confidence = random.uniform(0.5, 1, 20_000)
    right = random.random(20_000) < confidence
    learned = fit_error_rate(confidence, right)
    for value in (0.55, 0.7, 0.85, 0.95):
        assert learned.at(value) == pytest.approx(1 - value, abs=0.05)
    assert list(learned.error_rate) == sorted(learned.error_rate, reverse=True)


def test_what_never_failed_may_still_fail():
    learned = fit_error_rate(np.linspace(0.9, 1, 400), np.ones(400, bool))
    assert (learned.confidence, learned.error_rate) == ((0.0,), (round(1 / 402, 5),))


@pytest.mark.parametrize("count", [1, 7, 51])
def test_few_answers_make_one_level(count):
    learned = fit_error_rate(np.full(count, 0.9), np.zeros(count, bool))
    assert (learned.confidence, learned.error_rate) == ((0.0,), (round((count + 1) / (count + 2), 5),))


def test_answers_of_equal_confidence_are_of_one_level():
    right = np.r_[np.zeros(100, bool), np.ones(100, bool)]
    assert fit_error_rate(np.full(200, 0.9), right).confidence == (0.0,)


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
        for case in fit_disagreement("a", predicted, labels, sha256)
    }
    assert found == {
        (frozenset("b"), frozenset()): (3, 1),
        (frozenset("c"), frozenset()): (4, 2),
        (frozenset("bc"), frozenset()): (3, 1),
        (frozenset("bc"), frozenset("b")): (1, 1),
    }
    assert fit_disagreement("a", predicted, labels, sha256)[0].others == {"b": "b" * 64}
    assert fit_disagreement("a", {"a": labels, "b": labels}, labels, sha256) == []


# --- neither ------------------------------------------------------------------------------------


def test_the_threshold_lies_where_both_kinds_of_mistakes_are_fewest():
    """Equal normal distributions at -4 and 0 cross at -2, where each has 2.3 % on the wrong side."""
    random = np.random.default_rng(0)
    found = fit_neither(random.normal(-4, 1, 20_000), random.normal(0, 1, 10_000))
    assert logit(found.threshold) == pytest.approx(-2, abs=0.25)
    assert found.caught == pytest.approx(0.977, abs=0.01) and found.refused == pytest.approx(0.023, abs=0.01)
    assert found.auroc > 0.99 and found.photos == 10_000


def test_the_threshold_counts_what_is_above_it():
    found = fit_neither(np.array([-3.0, -2.0, 1.0]), np.array([-1.0, 0.0, 2.0]))
    assert logit(found.threshold) == pytest.approx(-1.5)
    assert (found.caught, found.refused) == (1, pytest.approx(1 / 3, abs=1e-6))


def test_without_photos_of_neither_the_threshold_refuses_few():
    alone = fit_neither(np.random.default_rng(0).normal(-6, 1, 2000), np.zeros(0))
    assert alone.threshold == pytest.approx(1 / (1 + np.exp(6 - 2.17)), rel=0.2)
    assert (alone.auroc, alone.caught, alone.photos, alone.refused) == (None, None, None, None)


def test_the_threshold_is_a_probability_however_certain_the_model_is():
    for classes, others in ((-50.0, 50.0), (-50.0, -50.0), (50.0, 50.0)):
        found = fit_neither(np.full(10, classes), np.full(10, others))
        assert 0 < found.threshold < 1
        assert (found.caught, found.refused) == ((1, 0) if classes < others else (found.refused, found.caught))


# --- clear --------------------------------------------------------------------------------------


def both(*rows: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities in fast arithmetic and in float32, from those of the second class; 100 clear ones beside them."""
    fast, exact = np.array([*rows, *[(0.999, 0.999)] * 100]).T
    return tuple(np.stack([1 - values, values], axis=1) for values in (fast, exact))


@pytest.mark.parametrize(
    ("rows", "clear"),
    [
        ([(0.51, 0.512)], 0.5),  # nothing moved that would matter
        ([(0.501, 0.499)], 0.51),  # but the label
        ([(0.72, 0.74), (0.92, 0.921)], 0.73),
        ([(0.28, 0.26), (0.08, 0.08)], 0.73),  # the label of a low probability is the other one
        ([(0.985, 0.97)], 0.99),
        ([(0.9999, 0.9)], None),  # wrong although it is sure
        ([(0.99, 0.994), (0.8, 0.8)], 0.81),  # what moved logits of a sure photo would have moved this one
    ],
)
def test_the_least_confidence_that_is_enough_is_found(rows, clear):
    assert fit_clear(*both(*rows), 2) == clear


def test_what_moves_is_measured_as_it_is_served():
    rows = both((0.6, 0.606), (0.9, 0.9))
    assert fit_clear(*rows, 2) == 0.5
    assert fit_clear(*rows, 2, temperature=0.5) == 0.61  # sharper answers move more


def test_with_too_many_doubts_there_is_none():
    many = round(100 * MOST_DOUBTFUL / (1 - MOST_DOUBTFUL))
    assert fit_clear(*both(*[(0.7, 0.75)] * many), 2) == 0.71
    assert fit_clear(*both(*[(0.7, 0.75)] * (many + 1)), 2) is None


def test_what_was_harmed_once_among_many_is_not_clear():
    quiet = np.full((2000, 2), [0.001, 0.999])
    fast, exact = np.concatenate([quiet, [[0.4, 0.6]]]), np.concatenate([quiet, [[0.51, 0.49]]])
    assert fit_clear(fast, exact, 2) == 0.61


@pytest.mark.parametrize(
    ("fast", "exact", "clear"),
    [((0.36, 0.3, 0.34), (0.34, 0.3, 0.36), 0.5), ((0.36, 0.06, 0.58), (0.3, 0.08, 0.62), 0.59)],
)
def test_more_than_two_classes_are_told_apart(fast, exact, clear):
    quiet = np.full((200, 3), [0.01, 0.01, 0.98])
    assert fit_clear(*(np.concatenate([quiet, [row]]) for row in (fast, exact)), 3) == clear


def test_beside_an_output_for_neither_the_classes_must_not_move_among_themselves():
    quiet = np.full((200, 3), [0.01, 0.98, 0.01])
    fast, exact = (np.concatenate([quiet, [row]]) for row in ((0.51, 0.06, 0.43), (0.504, 0.067, 0.429)))
    assert (fit_clear(fast, exact, 2), fit_clear(fast, exact, 3)) == (0.52, 0.5)
