"""The top and the bottom of a page."""

from __future__ import annotations

import pytest

from catdog.pages import frame
from tests.catdog import fakes
from tests.specs import minimal


@pytest.mark.parametrize(
    ("classes", "question"),
    [
        (None, "Cat or dog?"),
        (("cat", "dog"), "Cat or dog?"),
        (("cat", "dog", "owl"), "Cat, dog or owl?"),
        (tuple("abcde"), "What is it?"),
    ],
)
def test_the_heading_asks_for_the_classes(classes, question):
    assert f"<h1>{question}</h1>" in frame.heading([minimal(classes=classes)] if classes else [])


@pytest.mark.parametrize(("count", "word"), [(0, ""), (1, "One"), (2, "Two"), (12, "12")])
def test_the_heading_says_how_many_models_answer(count, word):
    assert f"<p>{word}" in frame.heading([minimal()] * count)


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
