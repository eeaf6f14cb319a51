"""The blueprint in somebody else's application: it works there and leaves that application alone."""

from __future__ import annotations

import io

import pytest
from flask import Flask, request

from catdog.flask_app import create_blueprint

from . import fakes
from .photos import CAT


@pytest.fixture
def host(tiny_comparator):
    """An application with its own pages, errors and limits, and comparators mounted, one of them broken."""
    app = Flask("host")
    app.testing = True
    app.config["MAX_CONTENT_LENGTH"] = 1000
    app.register_error_handler(404, lambda error: ("host 404", 404))
    app.register_error_handler(405, lambda error: ("host 405", 405))
    app.register_error_handler(413, lambda error: ("host 413", 413))
    app.register_error_handler(Exception, lambda error: ("host 500", 500))
    app.add_url_rule("/", view_func=lambda: "host page", endpoint="home")
    app.add_url_rule("/echo", view_func=lambda: request.get_data(), methods=["POST"], endpoint="echo")
    app.add_url_rule("/crash", view_func=lambda: 1 / 0, endpoint="crash")
    app.register_blueprint(create_blueprint(tiny_comparator), url_prefix="/pets")
    other = fakes.comparator(fakes.classifier("other", {"cat": 1.0, "dog": 0.0}))
    app.register_blueprint(create_blueprint(other, name="second"), url_prefix="/second")
    app.register_blueprint(create_blueprint(fakes.Broken(), name="third"), url_prefix="/broken")
    return app.test_client()


def form(**fields):
    return {"file": (io.BytesIO(CAT), "cat.jpg"), **fields}


def test_it_answers_under_its_prefix_with_its_own_limits(host):
    assert len(CAT) > 1000
    assert len(host.post("/pets/predict", data=form()).json["models"]) == 2


def test_two_of_them_do_not_mix(host):
    assert [m["name"] for m in host.get("/second/models").json["models"]] == ["other"]
    assert host.post("/second/predict", data=form()).json["prediction"] == "Cat"


def test_the_page_links_under_its_prefix(host):
    page = host.get("/pets/").text
    assert 'action="/pets/"' in page
    for path in ("/pets/assets/catdog.css", "/pets/assets/catdog.js", "/pets/assets/catdog.svg", "/pets/openapi.json"):
        assert f'"{path}"' in page
        assert host.get(path).status_code == 200


def test_openapi_names_the_prefix(host):
    assert host.get("/pets/openapi.json").json["servers"] == [{"url": "/pets"}]


def test_its_errors_are_json(host):
    assert host.post("/pets/predict", data={}).json["error"]["code"] == "unsupported_media_type"
    assert host.post("/pets/predict", data=form(model="no")).json["error"]["code"] == "unknown_model"
    many = form(**{f"f{i}": "x" for i in range(100)})
    assert host.post("/pets/predict", data=many).json["error"]["code"] == "image_too_large"


def test_the_host_keeps_its_errors_and_limits(host):
    assert host.get("/nothing").text == "host 404"
    assert host.get("/pets/nothing").text == "host 404"
    assert host.get("/pets/predict").text == "host 405"
    assert host.post("/echo", data=b"x" * 2000).text == "host 413"


def test_crashes_stay_with_the_host(host):
    assert host.get("/crash").text == "host 500"
    for path in ("/broken/predict", "/broken/"):
        response = host.post(path, data=form())
        assert (response.status_code, response.text) == (500, "host 500")


def test_the_host_keeps_its_headers(host):
    response = host.get("/")
    assert response.text == "host page"
    assert "Content-Security-Policy" not in response.headers
    assert "Content-Security-Policy" in host.get("/pets/").headers
