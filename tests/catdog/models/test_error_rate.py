"""Error rates in levels of confidence."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from catdog.models.error_rate import ErrorRates

CONTENT = {"confidence": [0.0, 0.8, 0.95], "error_rate": [0.3, 0.1, 0.02]}


@pytest.mark.parametrize(
    ("confidence", "rate"), [(0.0, 0.3), (0.7999, 0.3), (0.8, 0.1), (0.95, 0.02), (1.0, 0.02), (-1.0, 0.3)]
)
def test_a_level_begins_at_its_lower_end(confidence, rate):
    assert ErrorRates(**CONTENT).at(confidence) == rate


@pytest.mark.parametrize(
    "content",
    [
        {}, CONTENT | {"confidence": [0.1, 0.8, 0.9]}, CONTENT | {"confidence": [0.0, 0.9, 0.8]},
        CONTENT | {"confidence": [0.0, 0.8, 0.8]}, CONTENT | {"confidence": [0.0, 0.8]}, CONTENT | {"error_rate": []},
        CONTENT | {"error_rate": [0.1, True, 0.1]}, CONTENT | {"error_rate": [0.1, "0", 0.1]},
        CONTENT | {"error_rate": [0.1, 1.5, 0.1]}, CONTENT | {"error_rate": [0.1, float("nan"), 0.1]},
        CONTENT | {"error_rate": [0.1, 10**400, 0.1]}, {"confidence": [0.0] * 2000, "error_rate": [0.0] * 2000},
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(content):
    with pytest.raises(ValidationError):
        ErrorRates(**content)
