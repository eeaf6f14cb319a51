"""The blueprint in somebody else's application: it works there and leaves that application alone."""

import pytest
from flask import Flask, request
from jinja2 import StrictUndefined

from catdog.comparator import Comparator
from catdog.flask_app import create_blueprint
from tests.catdog import fakes
from tests.catdog.photos import CAT, photo_form


@pytest.fixture
def host(tiny_comparator):
    """An application with its own pages, errors and limits, and comparators mounted, one of them broken."""
    app = Flask("host")
    app.testing = True
    app.jinja_env.undefined = StrictUndefined
    app.config["MAX_CONTENT_LENGTH"] = 1000
    app.register_error_handler(404, lambda error: ("host 404", 404))
    app.register_error_handler(405, lambda error: ("host 405", 405))
    app.register_error_handler(413, lambda error: ("host 413", 413))
    app.register_error_handler(Exception, lambda error: ("host 500", 500))
    app.add_url_rule("/", view_func=lambda: "host page", endpoint="home")
    app.add_url_rule("/echo", view_func=lambda: request.get_data(), methods=["POST"], endpoint="echo")
    app.add_url_rule("/crash", view_func=lambda: 1 / 0, endpoint="crash")
    app.register_blueprint(create_blueprint(tiny_comparator), url_prefix="/pets")
    other = Comparator([fakes.fixed("other", 0.0)])
    app.register_blueprint(create_blueprint(other, name="second"), url_prefix="/second")
    broken = Comparator(tiny_comparator.models.values())
    broken.compare = broken.look = lambda *_, **options: 1 / 0  # as if its code had a mistake
    app.register_blueprint(create_blueprint(broken, name="third"), url_prefix="/broken")
    return app.test_client()


def test_two_answer_under_their_prefixes_with_their_own_limits_and_do_not_mix(host):
    assert len(CAT) > 1000
    assert len(host.post("/pets/predict", data=photo_form()).json["models"]) == 2
    assert [model["model"] for model in host.post("/second/predict", data=photo_form()).json["models"]] == ["other"]
    assert [model["name"] for model in host.get("/second/models").json["models"]] == ["other"]


def test_links_and_openapi_have_the_prefix(host):
    page = host.get("/pets/").text
    assert 'action="/pets/"' in page
    for path in ("/pets/assets/catdog.css", "/pets/assets/catdog.js", "/pets/assets/catdog.svg", "/pets/openapi.json"):
        assert f'"{path}"' in page
        assert host.get(path).status_code == 200
    assert host.get("/pets/openapi.json").json["servers"] == [{"url": "/pets"}]


def test_its_errors_are_json(host):
    assert host.post("/pets/predict", data={}).json["error"]["code"] == "unsupported_media_type"
    assert host.post("/pets/predict", data=photo_form(model="no")).json["error"]["code"] == "unknown_model"
    many = photo_form(**{f"f{i}": "x" for i in range(100)})
    assert host.post("/pets/predict", data=many).json["error"]["code"] == "image_too_large"


def test_the_host_keeps_its_errors_limits_and_headers(host):
    assert host.get("/nothing").text == "host 404"
    assert host.get("/pets/nothing").text == "host 404"
    assert host.get("/pets/predict").text == "host 405"
    assert host.post("/echo", data=b"x" * 2000).text == "host 413"
    assert host.get("/crash").text == "host 500"
    for path in ("/broken/predict", "/broken/"):
        response = host.post(path, data=photo_form())
        assert (response.status_code, response.text) == (500, "host 500")
    assert host.get("/").text == "host page"
    assert "Content-Security-Policy" not in host.get("/").headers
    assert "Content-Security-Policy" in host.get("/pets/").headers
