"""Distances from what the training animals look like."""

from __future__ import annotations

import base64
import json

import numpy as np
import pytest
from pydantic import ValidationError

from catdog.models.novelty import LARGEST, Novelty, unit


def plain(**changes) -> Novelty:
    """Two classes along the first and the second of four features, one axis along the third."""
    values = {
        "means": np.eye(4)[:2], "axes": np.eye(4)[2:3], "variances": [0.04], "rest": 0.25, "threshold": 2.0,
    }  # fmt: skip
    return Novelty(**values | changes)


@pytest.mark.parametrize(
    ("features", "distance"),
    [
        ([1, 0, 0, 0], 0),
        ([0, 5, 0, 0], 0),  # of another class, and longer
        ([0.6, 0, 0.8, 0], np.sqrt(0.64 / 0.04 + 0.16 / 0.25)),
        ([0.6, 0, 0, 0.8], np.sqrt((0.16 + 0.64) / 0.25)),
        ([0, 0, 0, 1], np.sqrt(2 / 0.25)),
        ([0, 0, 0, 0], 2),
    ],
)
def test_distances_have_exact_values(features, distance):
    assert plain().distances(np.array([features], np.float32))[0] == pytest.approx(distance, rel=1e-5, abs=1e-6)
    assert plain().strangeness(np.array(features, np.float32)) == pytest.approx(distance / 2, rel=1e-5, abs=1e-4)


def test_along_the_axes_means_the_mean_over_them():
    two = plain(axes=np.eye(4)[2:], variances=[0.04, 0.01])
    assert two.distances(np.array([[0.6, 0, 0, 0.8]]))[0] == pytest.approx(np.sqrt(0.64 / 0.01 / 2 + 0.16 / 0.25))


def test_written_and_read_it_says_the_same():
    random = np.random.default_rng(0)
    axes = np.linalg.qr(random.normal(size=(64, 5)))[0].T
    written = plain(means=unit(random.random((3, 64))), axes=axes, variances=random.random(5).tolist())
    content = json.loads(json.dumps(written.model_dump()))
    read = Novelty(**content)
    assert json.loads(json.dumps(read.model_dump())) == content
    assert read == written == written.rounded() != plain()
    features = random.random((20, 64))
    np.testing.assert_allclose(read.distances(features), written.distances(features), rtol=0.02)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_features_that_are_no_numbers_are_not_judged(value):
    assert plain().strangeness(np.array([1, value, 0, 0], np.float32)) is None


def test_strangeness_has_an_end():
    assert plain(rest=1e-12, threshold=1e-12).strangeness(np.array([0, 0, 0, 1.0])) == LARGEST


def rows(values: bytes, steps: list) -> dict:
    return {"steps": steps, "int8": base64.b64encode(values).decode()}


CONTENT = plain().model_dump()
BAD = [
    {}, CONTENT | {"means": None}, CONTENT | {"means": []}, CONTENT | {"means": {}},
    CONTENT | {"means": rows(b"", [])}, CONTENT | {"means": rows(b"", [0.1])}, CONTENT | {"means": rows(b"abc", [])},
    CONTENT | {"means": rows(b"abcde", [0.1, 0.1])}, CONTENT | {"means": rows(b"abcdef", [0.1, 0.1])},
    CONTENT | {"means": rows(b"abcdefgh", [0.1, -0.1])}, CONTENT | {"means": rows(b"abcdefgh", [0.1, float("nan")])},
    CONTENT | {"means": {"steps": [0.1, 0.1], "int8": "??"}}, CONTENT | {"means": {"steps": [0.1, 0.1], "int8": 5}},
    CONTENT | {"means": {"steps": [0.1, 0.1], "int8": "é"}}, CONTENT | {"means": rows(b"a" * 40_000, [0.1, 0.1])},
    CONTENT | {"axes": rows(b"abcd" * 300, [0.1] * 300)}, CONTENT | {"variances": []}, CONTENT | {"variances": [0]},
    CONTENT | {"variances": ["1"]}, CONTENT | {"variances": 1}, CONTENT | {"rest": 0}, CONTENT | {"rest": None},
    CONTENT | {"rest": True}, CONTENT | {"rest": float("inf")}, CONTENT | {"threshold": -1},
    CONTENT | {"threshold": 10**400},
]  # fmt: skip


@pytest.mark.parametrize("content", BAD, ids=range(len(BAD)))
def test_what_makes_no_sense_is_refused(content):
    with pytest.raises(ValidationError):
        Novelty(**content)
