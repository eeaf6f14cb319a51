"""What is shown of many judged photos."""

import base64
import csv
import io
import re

import pytest

from catdog.collection import Judged, judge
from catdog.collection.intake import NamedPhoto
from catdog.gradio_app import gallery
from catdog.pages.render import render
from tests.catdog import fakes
from tests.catdog.photos import encoded

COLOURS = {"cat": fakes.CAT, "dog": fakes.DOG, "disputed": fakes.DISPUTED, "strange": fakes.NEITHER}
# What the photos show, where that is known.
LABELS = {"cat": "cat", "dog": "cat", "strange": "dog"}


@pytest.fixture(scope="module")
def comparator():
    return fakes.comparator()


@pytest.fixture(scope="module")
def judged(comparator):
    photos = [
        NamedPhoto(f"{name}.png", LABELS.get(name), lambda colour=colour: encoded(fakes.photo(colour), "PNG"))
        for name, colour in COLOURS.items()
    ]
    return [*judge(comparator, photos), Judged("bad.txt", None, error="It is a text.")]


def test_the_most_doubtful_come_first_and_bad_files_are_listed(comparator, judged):
    html = gallery.results(judged, comparator.specs)
    names = re.findall(r"<h3>(.*?)</h3>", html)
    assert names[:2] == ["strange.png", "disputed.png"] and sorted(names[2:]) == ["cat.png", "dog.png"]
    assert "4 photos judged" in html
    assert "disagree: 2 photos." in html and "neither a cat nor a dog: 1 photo." in html
    for shown in (html, gallery.results(judged[4:], comparator.specs)):
        assert "<strong>bad.txt</strong> It is a text." in shown
    assert "cd-failures" not in gallery.results(judged[:4], comparator.specs)


def test_labelled_photos_are_marked_and_counted_and_neither_is_no_mistake(comparator, judged):
    html = gallery.results(judged, comparator.specs)
    assert html.count('data-mark="right"') == html.count('data-mark="wrong"') == 1
    marks = re.findall(r'data-mark="(\w+)">.*?</span>(.*?)</p>', html, re.DOTALL)
    assert sorted(marks) == [("right", "Cat"), ("wrong", "Dog, is cat")]
    assert '<p class="cd-mark">Neither, is dog</p>' in html
    assert len(re.findall(r"\d of 3</td>", html)) == html.count("Confusion matrix") == 3
    assert re.findall(r'<td data-right="\w+">(\d+)</td>', html)[:2] == ["1", "1"]
    unlabelled = gallery.results([entry for entry in judged if not entry.label], comparator.specs)
    assert "Confusion" not in unlabelled and "data-mark" not in unlabelled


def test_the_download_is_the_csv_in_the_order_of_the_gallery(comparator, judged):
    html = gallery.results(judged, comparator.specs)
    content = re.search(r'href="data:text/csv;charset=utf-8;base64,([^"]*)"', html)[1]
    rows = list(csv.DictReader(io.StringIO(base64.b64decode(content).decode("utf-8-sig"))))
    assert len(rows) == 13
    assert rows[0]["path"] == "strange.png" and rows[-1]["path"] == "bad.txt"


def test_what_was_stopped_says_how_far_it_came_and_its_table_that_it_is_a_part(comparator, judged):
    part = gallery.results(judged, comparator.specs, planned=90)
    assert "Stopped after 5 of 90 photos" in part
    assert "5 of 90" in re.search("<caption>(How often.*?)</caption>", part)[1]
    assert " of " not in re.search("<caption>(How often.*?)</caption>", gallery.results(judged, comparator.specs))[1]
    at_once = gallery.results([], comparator.specs, planned=90)
    assert "Stopped after 0 of 90 photos" in at_once and "download" not in at_once


def test_names_and_errors_are_escaped(comparator, judged):
    evil = "<script>alert(1)</script>"
    entry = judged[0]
    html = gallery.results(
        [Judged(evil, None, entry.comparison, entry.thumbnail), Judged(evil, None, error=evil)], comparator.specs
    )
    assert "<script" not in html and html.count("&lt;script&gt;") == 4


@pytest.mark.parametrize(
    ("count", "named", "more"),
    [(2, "a and b,", False), (3, "a, b and c,", False), (9, "a, b, c, d, e, f and so on,", True)],
)
def test_the_hint_names_all_folders(count, named, more):
    limits = {"most": 200, "megabytes": 20, "large": 10}
    html = render("many_hint.html", classes=list("abcdefghi")[:count], **limits)
    assert f"named {named}" in re.sub("</?code>", "", html) and ("so on" in html) == more
