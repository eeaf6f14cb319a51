"""The page: what it says with any number of models and classes, and without a script."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

import catdog.web
from catdog.web import create_app
from tests.catdog.photos import encoded, noise

from . import fakes
from .photos import CAT

WEB = Path(catdog.web.__file__).parent


def answer(*classifiers, **options) -> str:
    """The page after a photo was sent, as text."""
    client = create_app(fakes.comparator(*classifiers, **options)).test_client()
    return client.post("/", data={"file": (io.BytesIO(encoded(noise(), "PNG")), "x.png")}).text


def test_the_empty_page_shows_every_model(client):
    text = client.get("/").text
    assert text.count("<article") == 2
    assert 'data-state="idle"' in text
    assert "Source of the models: bundled" in text


def test_the_form_works_without_a_script(client):
    text = client.get("/").text
    assert 'method="post" enctype="multipart/form-data"' in text
    assert 'action="/"' in text
    response = client.post("/", data={"file": (io.BytesIO(CAT), "cat.jpg")})
    assert response.status_code == 200
    assert response.mimetype == "text/html"
    assert response.text.count('class="verdict" data-class=') == 2
    assert "cat.jpg" in response.text


def test_agreement():
    text = answer(fakes.classifier("a", {"cat": 0.9, "dog": 0.1}), fakes.classifier("b", {"cat": 0.6, "dog": 0.4}))
    assert 'data-state="agree"' in text
    assert "Both models say cat." in text
    for figure in ("90.0%", "10.0%", "60.0%", "40.0%"):
        assert figure in text


def test_disagreement_follows_the_leading_model():
    cat = fakes.classifier("a", {"cat": 0.9, "dog": 0.1}, accuracy=0.8)
    dog = fakes.classifier("b", {"cat": 0.2, "dog": 0.8}, accuracy=0.9)
    text = answer(cat, dog)
    assert 'data-state="disagree"' in text
    assert "The models disagree. Best on validation photos: B says dog, 80.0% sure." in text


def test_one_model():
    text = answer(fakes.classifier("alone", {"cat": 0.9, "dog": 0.1}))
    assert "Alone says cat." in text
    assert "Best on" not in text


def test_three_models_and_three_classes():
    outputs = {"cat": 0.1, "dog": 0.1, "red fox": 0.8}
    text = answer(*(fakes.classifier(name, outputs) for name in "abc"))
    assert "All 3 models say red fox." in text
    assert text.count("<article") == 3
    assert text.count('<div data-class="red fox">') == 3


def test_problems_are_shown_and_escaped():
    text = answer(fakes.classifier("a", {"cat": 1.0, "dog": 0.0}), problems=("<b>xception</b> is damaged.",))
    assert "&lt;b&gt;xception&lt;/b&gt; is damaged." in text
    assert "<b>" not in text


def test_what_a_client_sends_is_escaped(send):
    evil = "<script>alert(1)</script>"
    for response in (send(path="/", name=f"{evil}.jpg"), send(path="/", model=evil)):
        assert "<script>alert" not in response.text
        assert "&lt;script&gt;" in response.text


def test_a_long_file_name_is_cut(send):
    text = send(path="/", name="x" * 5000).text
    assert "x" * 50 in text
    assert "x" * 100 not in text


def test_it_needs_no_network_and_no_inline_code(client):
    text = client.get("/").text
    sources = text + "".join(path.read_text() for path in (WEB / "static").iterdir())
    urls = set(re.findall(r"https?://[^\s\"']+", sources))
    assert urls <= {"http://www.w3.org/2000/svg"}
    assert not re.search(r"\sstyle=|\son\w+=|javascript:|<style|<script(?![^>]*src=)", text)


def contrast(one: str, other: str) -> float:
    """WCAG 2 contrast ratio of two #rgb or #rrggbb colours."""

    def luminance(colour: str) -> float:
        digits = colour.lstrip("#")
        digits = "".join(2 * d for d in digits) if len(digits) == 3 else digits
        channels = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
        red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_text_has_enough_contrast(scheme):
    css = (WEB / "static" / "catdog.css").read_text()
    colours = dict(re.findall(r"--([\w-]+): (#\w+);", css.split(":root {")[scheme + 1].split("}")[0]))
    for ink in ("text", "muted", "cat-ink", "dog-ink", "other-ink"):
        for ground in ("ground", "surface"):
            assert contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)
    assert contrast(colours["error-ink"], colours["error-ground"]) >= 4.5
    for bar in ("cat-bar", "dog-bar", "other-bar"):
        assert contrast(colours[bar], colours["track"]) >= 2, bar
