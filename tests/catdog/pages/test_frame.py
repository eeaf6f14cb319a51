"""The top and the bottom of a page."""

from __future__ import annotations

import pytest

from catdog.pages import frame
from tests.catdog import fakes
from tests.specs import minimal


@pytest.mark.parametrize(
    ("count", "classes", "question", "word"),
    [
        (0, ("cat", "dog"), "Cat or dog?", ""),
        (1, ("cat", "dog"), "Cat or dog?", "One"),
        (2, ("cat", "dog", "owl"), "Cat, dog or owl?", "Two"),
        (12, tuple("abcde"), "What is it?", "12"),
    ],
)
def test_the_heading_names_the_classes_and_how_many_models_answer(count, classes, question, word):
    html = frame.heading([minimal(classes=classes)] * count)
    assert f"<h1>{question}</h1>" in html and f"<p>{word}" in html


def test_problems_source_and_privacy_are_shown():
    html = frame.about(
        [minimal()], "bundled (Hub unreachable: a/b)", ["xception.h5 is damaged."], "Photos are not kept."
    )
    assert "<strong>bundled (Hub unreachable: a/b)</strong>" in html and "<li>xception.h5 is damaged.</li>" in html
    assert "cat or dog" in html and "Photos are not kept." in html
    assert "error rates" not in html and "error rates" in frame.about([fakes.spec("xception")], "bundled", [], "")
    assert "<li>None.</li>" in frame.about([], "none", ["None."], "")


@pytest.mark.parametrize(
    ("source", "before", "after"), [("hub {}@0123", "hub ", "@0123"), ("hub cache {}@0 (<)", "hub cache ", "@0 (&lt;)")]
)
def test_models_from_the_hub_come_with_a_link_to_their_repository(hub_client, source, before, after):
    hub_client("https://hub.example")
    link = '<a href="https://hub.example/user/name" target="_blank" rel="noopener">user/name</a>'
    assert f"<strong>{before}{link}{after}</strong>" in frame.about([minimal()], source.format("user/name"), [], "")
