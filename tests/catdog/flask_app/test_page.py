"""The page: what it says with any number of models and classes, and without a script."""

import re
from pathlib import Path

import pytest

import catdog.flask_app
from catdog.comparator import Comparator
from catdog.flask_app import create_app
from tests.catdog import fakes
from tests.catdog.photos import encoded, photo_form

WEB = Path(catdog.flask_app.__file__).parent


def answer(*classifiers, **options) -> str:
    """The page after a photo was sent, as text."""
    client = create_app(Comparator(classifiers, **options)).test_client()
    return client.post("/", data=photo_form()).text


def test_the_form_works_without_a_script(client, send):
    empty = client.get("/").text
    assert empty.count("<article") == 2 and 'data-accent="idle"' in empty
    assert 'action="/"' in empty and 'method="post" enctype="multipart/form-data"' in empty
    response = send(path="/")
    assert (response.status_code, response.mimetype) == (200, "text/html")
    assert response.text.count('data-state="done"') == 1 and "cat.jpg" in response.text


def test_any_number_of_models_and_classes_has_its_cards():
    one = answer(fakes.fixed("alone", 0.1))
    assert one.count("<article") == 1 and 'data-accent="cat"' in one
    three = answer(*(fakes.fixed(name, 0.1, 0.1, 0.8, classes=("cat", "dog", "red fox")) for name in "abc"))
    assert three.count("<article") == three.count("<span>Red fox</span>") == 3


def test_models_of_other_classes_are_asked_about_those():
    page = create_app(Comparator([fakes.fixed("farm", 0.1, classes=("horse", "cow"))])).test_client().get("/").text
    assert page.count("Horse or cow?") == 4 and "horse" in page and "cat" not in page.lower().replace("catdog", "")


@pytest.fixture
def knowing():
    """A client of models that know everything that models can know."""
    return create_app(fakes.comparator()).test_client()


def post(client, colour: tuple[int, int, int], **fields: str) -> str:
    return client.post("/", data=photo_form(encoded(fakes.photo(colour), "PNG"), **fields)).text


def test_the_photo_that_was_judged_is_shown_and_maps_when_they_are_asked_for(knowing):
    with_maps, without = post(knowing, fakes.CAT, explain="1"), post(knowing, fakes.CAT)
    assert with_maps.count('<img class="cd-map" src="data:image/jpeg;base64,') == 3
    assert 'class="cd-map"' not in without
    assert 'name="explain" value="1" checked' in with_maps and 'value="1" checked' not in without
    photo = '<img id="preview" alt="The photo to judge"'
    assert f'{photo} src="data:image/jpeg;base64,' in without
    assert f'{photo} src="data:image/jpeg;base64,' in knowing.get("/?example=dog").text
    for text in (knowing.get("/").text, knowing.get("/?example=nobody").text):
        assert f"{photo} hidden>" in text


def test_an_address_leads_to_an_example(client):
    text = client.get("/?example=dog").text
    assert 'data-state="done"' in text and '<a href="/?example=dog" aria-current="true">' in text
    assert text.count("aria-current") == 1 and text.count('class="cd-map"') == 2
    assert 'class="cd-map"' not in client.get("/?example=dog&explain=0").text


def test_other_sites_show_a_picture_of_the_page(client):
    address = re.search('<meta property="og:image" content="http://localhost(.*?)">', client.get("/").text)[1]
    response = client.get(address)
    assert response.content_type == "image/jpeg" and response.data[:2] == b"\xff\xd8"


@pytest.mark.parametrize("name", ["nobody", "../../etc/passwd", "SOURCES.md", "<script>alert(1)</script>"])
def test_an_address_of_no_example(client, name):
    response = client.get("/", query_string={"example": name})
    assert response.status_code == 404
    assert "choose one of cat, dog" in response.text
    assert "<script>alert" not in response.text


def test_what_others_wrote_is_escaped_and_cut(send):
    evil = "<script>alert(1)</script>"
    named = send(path="/", name=f"{evil}{'x' * 5000}.jpg").text
    assert "x" * 30 in named and "x" * 100 not in named
    problem = answer(fakes.fixed("a", 0.0), problems=(f"{evil} is damaged.",))
    for text in (named, send(path="/", model=evil).text, problem):
        assert "<script>alert" not in text and "&lt;script&gt;" in text


def test_it_needs_no_network_and_no_inline_code(client):
    text = client.get("/").text
    sources = text + "".join(path.read_text() for path in (WEB / "static").iterdir())
    urls = set(re.findall(r"https?://[^\s\"']+", sources))
    assert urls <= {"http://www.w3.org/2000/svg", "http://localhost/assets/preview.jpg"}
    assert not re.search(r"\sstyle=|\son\w+=|javascript:|<style|<script(?![^>]*src=)", text)
