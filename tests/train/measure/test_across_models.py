"""Mistakes, suspected labels and agreement, on answers whose truth is known."""

import numpy as np
import pytest

from train.measure import across_models


def rows(*of_dog: float) -> np.ndarray:
    return np.array([[1 - p, p] for p in of_dog])


LABELS = np.array([0, 0, 0, 1, 1, 1])
ANSWERS = {
    "a": rows(0.1, 0.99, 0.99, 0.9, 0.02, 0.8),
    "b": rows(0.2, 0.97, 0.90, 0.4, 0.01, 0.9),
}


def test_a_label_is_suspected_where_all_models_surely_contradict_it():
    assert list(np.flatnonzero(across_models.suspected(ANSWERS, LABELS))) == [1, 4]
    in_different_ways = {"a": np.array([[0.01, 0.98, 0.01]]), "b": np.array([[0.01, 0.01, 0.98]])}
    assert not across_models.suspected(in_different_ways, np.array([0])).any()


def test_the_worst_mistakes_come_first_and_right_answers_never():
    assert list(across_models.worst(ANSWERS, LABELS)) == [4, 1, 2, 3]
    assert list(across_models.worst({"a": rows(0.0, 1.0)}, np.array([0, 1]))) == []
    assert list(across_models.worst({"a": rows(1.0, 0.9)}, np.array([0, 0]))) == [0, 1]


def test_pairs_count_who_is_right():
    (pair,) = across_models.pairs(ANSWERS, LABELS)
    assert pair == {"models": ["a", "b"], "disagree": 1, "both": 2, "first": 1, "second": 0, "neither": 3, "p": 1.0}
    assert across_models.pairs({"a": ANSWERS["a"]}, LABELS) == []
    assert len(across_models.pairs(ANSWERS | {"c": ANSWERS["a"]}, LABELS)) == 3
    wrong_in_different_ways = {"a": np.eye(3)[[1, 0]], "b": np.eye(3)[[2, 0]]}
    (pair,) = across_models.pairs(wrong_in_different_ways, np.array([0, 0]))
    assert (pair["disagree"], pair["neither"], pair["first"], pair["second"]) == (1, 1, 0, 0)


def test_who_is_right_where_the_models_agree_and_where_not():
    found = across_models.by_agreement(ANSWERS, LABELS)
    assert found["agree"]["photos"] == 5
    assert found["agree"]["right"]["a"]["count"] == found["agree"]["right"]["b"]["count"] == 2
    assert found["disagree"]["photos"] == 1
    assert found["disagree"]["right"]["a"]["share"] == 1.0
    assert found["disagree"]["right"]["b"]["share"] == 0.0
    low, high = found["agree"]["right"]["a"]["interval"]
    assert low < 0.4 < high
    alone = across_models.by_agreement({"a": ANSWERS["a"]}, LABELS)
    assert alone["disagree"] == {"photos": 0, "right": {"a": {"count": 0, "of": 0}}}


@pytest.mark.parametrize(
    ("counts", "p"),
    [
        ((90, 8, 2, 0), 2 * (1 + 10 + 45) / 2**10),
        ((90, 2, 8, 5), 2 * (1 + 10 + 45) / 2**10),
        ((5, 4, 4, 0), 1.0),
        ((10, 0, 0, 3), 1.0),
        ((0, 0, 6, 0), 2 / 2**6),
    ],
)
def test_mcnemar_is_the_exact_binomial_test_of_the_discordant(counts, p):
    right = np.repeat([[True, True], [True, False], [False, True], [False, False]], counts, axis=0)
    answers = {name: np.eye(2)[1 - right[:, i]] for i, name in enumerate("ab")}  # all labels are of the first class
    (pair,) = across_models.pairs(answers, np.zeros(len(right), int))
    assert tuple(pair[key] for key in ("both", "first", "second", "neither")) == counts
    assert pair["p"] == pytest.approx(p)
