"""create_app: what it joins, and how it answers what is not a prediction."""

import logging

import pytest
from flask.cli import ScriptInfo, locate_app

import catdog
from catdog import InvalidSettings, Settings
from catdog.comparator import Comparator
from catdog.flask_app import create_app
from tests.catdog import fakes
from tests.catdog.photos import photo_form


def test_flask_finds_the_factory_and_the_environment_chooses_the_models(tiny_weights, monkeypatch):
    monkeypatch.setenv("CATDOG_WEIGHTS", str(tiny_weights))
    app = ScriptInfo(create_app=lambda: locate_app("catdog.flask_app", None)).load_app()
    assert app.test_client().get("/readyz").json["models"] == ["scratch_cnn", "xception"]


def test_wrong_settings_stop_the_start(monkeypatch):
    monkeypatch.setenv("CATDOG_MAX_UPLOAD_MB", "many")
    with pytest.raises(InvalidSettings, match="CATDOG_MAX_UPLOAD_MB"):
        create_app()


def test_models_health_and_readiness(client, tiny_comparator):
    answer = client.get("/models").json
    assert answer["default"] == "xception"
    assert answer["limits"] == {"max_upload_bytes": 20 * 2**20, "max_pixels": 50_000_000}
    source = tiny_comparator.source
    assert answer["models"] == [spec.public(source).model_dump() for spec in tiny_comparator.specs]
    assert client.get("/healthz").json == {"status": "ok", "version": catdog.__version__}
    answer = client.get("/readyz").json
    assert answer == {"status": "ready", "models": ["scratch_cnn", "xception"], "source": source, "problems": []}


def test_metrics_count_photos_and_also_errors_of_forms(client, send):
    assert [send().status_code, send(b"no photo").status_code, client.post("/predict").status_code] == [200, 422, 415]
    text = client.get("/metrics").text
    for code in ("invalid_image", "unsupported_media_type"):
        assert f'catdog_errors_total{{code="{code}"}} 1.0' in text
    assert 'catdog_stage_seconds_count{model="xception",stage="model"} 1.0' in text
    other = create_app(Comparator([fakes.fixed("m", 0.1)])).test_client()
    assert "catdog_photos_total{" in text and "catdog_photos_total{" not in other.get("/metrics").text


@pytest.mark.parametrize("path", ["/", "/readyz", "/nothing", "/assets/catdog.css"])
def test_every_answer_has_the_id_of_its_request(client, path):
    assert client.get(path, headers={"X-Request-ID": "mine-1"}).headers.getlist("X-Request-ID") == ["mine-1"]
    assert len(client.get(path, headers={"X-Request-ID": "no id"}).headers["X-Request-ID"]) == 32


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
    asked = [client.get(path) for path in ("/readyz", "/", "/?example=cat")]
    for response in [*asked, *(client.post(path, data=photo_form()) for path in ("/predict", "/"))]:
        assert response.status_code == 503
        assert not response.is_json or response.json["error"]["code"] == "model_unavailable"
        assert str(tmp_path) not in response.text
    assert str(tmp_path) in caplog.text
    assert 'catdog_errors_total{code="model_unavailable"} 3.0' in client.get("/metrics").text


@pytest.mark.parametrize(
    ("method", "path", "status", "code", "allowed"),
    [
        *(("GET", path, 404, "not_found", set()) for path in ("/nothing", "/predict/", "/static/x", "/%00")),
        *(("GET", path, 404, "not_found", set()) for path in ("/assets/../app.py", "/assets/%2e%2e/app.py")),
        ("GET", "/predict", 405, "method_not_allowed", {"OPTIONS", "POST"}),
        ("PUT", "/predict", 405, "method_not_allowed", {"OPTIONS", "POST"}),
        ("DELETE", "/", 405, "method_not_allowed", {"GET", "HEAD", "OPTIONS", "POST"}),
        ("POST", "/models", 405, "method_not_allowed", {"GET", "HEAD", "OPTIONS"}),
    ],
)
def test_unknown_paths_and_wrong_methods(client, method, path, status, code, allowed):
    response = client.open(path, method=method)
    assert (response.status_code, response.json["error"]["code"]) == (status, code)
    assert response.allow.as_set(preserve_casing=True) == allowed


def test_an_unexpected_exception_is_logged_and_shown_without_its_trace(caplog):
    broken = fakes.fixed("m", 0.5)
    broken.engine = lambda batch: 1 / 0
    client = create_app(Comparator([broken])).test_client()
    with caplog.at_level(logging.ERROR):
        response = client.post("/predict", data=photo_form())
    assert (response.status_code, response.json["error"]["code"]) == (500, "internal_error")
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
