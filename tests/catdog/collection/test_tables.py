"""Accuracy, confusion and CSV of judged photos."""

import csv
import io

import pytest

from catdog.collection import Judged, scores, to_csv
from tests.catdog import fakes

SPECS = [fakes.spec("scratch_cnn"), fakes.spec("xception")]


NEITHER = {"scratch_cnn": {"neither": 0.25}, "xception": {}}


def judged(name: str, label: str | None, first: str, second: str) -> Judged:
    verdicts = [
        fakes.verdict(
            spec.name, said, probabilities={said: 0.9, {"cat": "dog", "dog": "cat"}[said]: 0.1}, **NEITHER[spec.name]
        )
        for spec, said in zip(SPECS, (first, second), strict=True)
    ]
    return Judged(name, label, fakes.compared(*verdicts))


JUDGED = [
    judged("1", "cat", "cat", "cat"),
    judged("2", "cat", "cat", "dog"),
    judged("3", "dog", "dog", "dog"),
    judged("4", "dog", "cat", "dog"),
    judged("5", None, "cat", "cat"),
    Judged("6", "cat", error="It is damaged."),
]


def test_scores_count_labelled_photos():
    first, second = scores(JUDGED, SPECS)
    assert (first.model, first.confusion, first.right, first.photos) == ("scratch_cnn", ((2, 0), (1, 1)), 3, 4)
    assert (second.model, second.confusion, second.accuracy) == ("xception", ((1, 1), (0, 2)), 0.75)


def test_without_labels_there_are_no_scores():
    assert scores(JUDGED[4:], SPECS) == []
    assert scores([], SPECS) == []


def test_a_label_that_a_model_does_not_know_does_not_count():
    specs = [fakes.spec("scratch_cnn"), fakes.spec("xception", classes=("dog", "owl"))]
    first, second = scores(JUDGED, specs)
    assert (first.photos, second.photos) == (4, 2)


def test_the_csv_has_a_row_per_photo_and_model():
    rows = list(csv.DictReader(io.StringIO(to_csv(JUDGED, SPECS))))
    assert len(rows) == 11
    assert rows[2] == {
        "path": "2", "model": "scratch_cnn", "label": "cat", "confidence": "0.900000", "p_cat": "0.900000",
        "p_dog": "0.100000", "error": "", "truth": "cat", "verdict": "cat", "neither": "0.250000",
    }  # fmt: skip
    assert rows[3]["model"] == "xception" and rows[3]["neither"] == ""
    assert rows[-1]["error"] == "It is damaged." and rows[-1]["model"] == rows[-1]["p_cat"] == ""


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@x", "x;=1", 'a,"b"\nc'])
def test_no_name_is_a_formula_or_breaks_a_row(name):
    text = to_csv([Judged(name, None, error="x")], SPECS)
    for delimiter in ",;":  # the second is what some spreadsheets split lines at
        cell = list(csv.reader(io.StringIO(text), delimiter=delimiter))[1][0]
        assert cell.startswith((f"'{name}", name)) and cell[0] not in "=+-@"
