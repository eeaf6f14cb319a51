"""Who is usually right."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from catdog import ModelSpec
from catdog.models.disagreement import Case
from catdog.verdict import usually_right
from tests.specs import minimal

SHA = {name: letter * 64 for name, letter in zip("abc", "abc", strict=True)}


def case(others: str, same: str = "", photos: int = 20, right: int = 10) -> dict:
    return {"others": {name: SHA[name] for name in others}, "same": list(same), "photos": photos, "right": right}


def spec(name: str, *cases: dict, accuracy: float = 0.9) -> ModelSpec:
    return minimal(name, sha256=SHA[name], metrics={"val": {"accuracy": accuracy}}, disagreement=list(cases))


def test_it_matters_who_sides_with_whom():
    specs = [
        spec("a", case("bc", "b", right=18), case("bc", "", right=4)),
        spec("b", case("ac", "a", right=18), case("ac", "c", right=16)),
        spec("c", case("ab", "", right=2), case("ab", "b", right=16), accuracy=0.95),
    ]
    assert usually_right({"a": "cat", "b": "cat", "c": "dog"}, specs) == {"model": "a", "rate": 0.9, "photos": 20}
    # Of two that are right equally often, the one with the higher validation accuracy.
    assert usually_right({"a": "dog", "b": "cat", "c": "cat"}, specs) == {"model": "c", "rate": 0.8, "photos": 20}
    assert usually_right({"a": "cat", "b": "dog", "c": "cat"}, specs) is None


@pytest.mark.parametrize(
    "entries",
    [[], [case("b", photos=9, right=9)], [case("bc")], [case("b") | {"others": {"b": "0" * 64}}]],
    ids=["nothing known", "too few photos", "other models", "another b"],
)
def test_nobody_when_nothing_is_known(entries):
    assert usually_right({"a": "cat", "b": "dog"}, [spec("a", *entries), spec("b", case("a"))]) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"others": []}, {"others": {"b": 1}}, {"others": None}, {"same": None}, {"same": ["c"]}, {"same": [["b"]]},
        {"photos": 5}, {"right": -1}, {"right": 1.0}, {"photos": True, "right": True}, {"photos": 2**53},
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(changes):
    with pytest.raises(ValidationError):
        Case(**case("b") | changes)
