"""create_app: what it joins, and how it answers what is not a prediction."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest
from flask.cli import ScriptInfo, locate_app

import catdog
from catdog import InvalidSettings, Settings
from catdog.comparator import Comparator
from catdog.flask_app import create_app
from tests.catdog import fakes
from tests.catdog.photos import photo_form


def test_importing_loads_no_model():
    code = "import sys, catdog.flask_app; print({'keras', 'tensorflow', 'h5py', 'gradio'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_flask_finds_the_factory_and_the_environment_chooses_the_models(tiny_weights, monkeypatch):
    monkeypatch.setenv("CATDOG_WEIGHTS", str(tiny_weights))
    app = ScriptInfo(create_app=lambda: locate_app("catdog.flask_app", None)).load_app()
    assert app.test_client().get("/readyz").json["models"] == ["scratch_cnn", "xception"]


def test_wrong_settings_stop_the_start(monkeypatch):
    monkeypatch.setenv("CATDOG_MAX_UPLOAD_MB", "many")
    with pytest.raises(InvalidSettings, match="CATDOG_MAX_UPLOAD_MB"):
        create_app()


def test_models(client, tiny_comparator):
    answer = client.get("/models").json
    assert answer["default"] == "xception"
    assert answer["limits"] == {"max_upload_bytes": 20 * 2**20, "max_pixels": 50_000_000}
    for described, spec in zip(answer["models"], tiny_comparator.specs, strict=True):
        for name in ("bytes", "image_size", "metrics"):
            assert described[name] == getattr(spec, name)
        assert described["classes"] == list(spec.classes)


def test_health_and_readiness(client):
    assert client.get("/healthz").json == {"status": "ok", "version": catdog.__version__}
    answer = client.get("/readyz").json
    assert answer == {"status": "ready", "models": ["scratch_cnn", "xception"], "source": "bundled", "problems": []}


def test_ready_names_a_model_that_is_missing(tiny_weights, tmp_path, caplog):
    for path in tiny_weights.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "xception.h5").write_bytes(b"damaged")
    client = create_app(settings=Settings(weights=tmp_path)).test_client()
    response = client.get("/readyz")
    assert (response.status_code, response.json["models"]) == (200, ["scratch_cnn"])
    page = client.get("/").text
    for text in (response.json["problems"][0], page, caplog.text):
        assert "xception.h5 is damaged" in text
    assert str(tmp_path) not in page


def test_without_a_model_it_lives_and_only_the_log_says_why(tmp_path, caplog):
    client = create_app(settings=Settings(weights=tmp_path)).test_client()
    assert client.get("/healthz").status_code == 200
    assert client.get("/models").json["default"] is None
    for response in (client.get("/readyz"), client.post("/predict", data=photo_form())):
        assert response.status_code == 503
        assert response.json["error"]["code"] == "model_unavailable"
        assert str(tmp_path) not in response.text
    for page in (client.get("/"), client.post("/", data=photo_form())):
        assert page.status_code == 503
        assert str(tmp_path) not in page.text
    assert str(tmp_path) in caplog.text


@pytest.mark.parametrize(
    "path", ["/nothing", "/predict/", "/static/x", "/assets/../app.py", "/%00", "/assets/%2e%2e/app.py"]
)
def test_unknown_paths(client, path):
    response = client.get(path)
    assert response.status_code == 404
    assert response.json["error"]["code"] == "not_found"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/predict", {"OPTIONS", "POST"}),
        ("PUT", "/predict", {"OPTIONS", "POST"}),
        ("DELETE", "/", {"GET", "HEAD", "OPTIONS", "POST"}),
        ("POST", "/models", {"GET", "HEAD", "OPTIONS"}),
    ],
)
def test_wrong_methods(client, method, path, allowed):
    response = client.open(path, method=method)
    assert response.status_code == 405
    assert response.json["error"]["code"] == "method_not_allowed"
    assert response.allow.as_set(preserve_casing=True) == allowed


def test_an_unexpected_exception_is_logged_and_shown_without_its_trace(caplog):
    broken = fakes.fixed("m", 0.5)
    broken.engine = lambda batch: 1 / 0
    client = create_app(Comparator([broken])).test_client()
    with caplog.at_level(logging.ERROR):
        response = client.post("/predict", data=photo_form())
    assert response.status_code == 500
    assert response.json["error"]["code"] == "internal_error"
    assert "ZeroDivisionError" not in response.text
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize("path", ["/", "/models", "/predict", "/nothing", "/assets/catdog.js"])
def test_every_answer_is_hardened(client, path):
    headers = client.get(path).headers
    assert "default-src 'self'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_ranges(client):
    whole = client.get("/assets/catdog.css").data
    part = client.get("/assets/catdog.css", headers={"Range": "bytes=0-9"})
    assert (part.status_code, part.data) == (206, whole[:10])
    beyond = client.get("/assets/catdog.css", headers={"Range": "bytes=99999999-"})
    assert (beyond.status_code, beyond.json["error"]["code"]) == (416, "requested_range_not_satisfiable")
    assert client.get("/", headers={"Range": "bytes=0-9"}).status_code == 200
