"""POST /predict: what comes back for good photos, and the right error for everything else."""

from __future__ import annotations

import io

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catdog import Settings
from catdog.comparator import Comparator
from catdog.flask_app import create_app
from tests.catdog import fakes
from tests.catdog.photos import BAD, CAT, encoded, flag, photo_form


def error_of(response) -> str:
    """The code of an error, after a look at its form."""
    assert response.content_type == "application/json"
    assert response.json.keys() == {"error"}
    assert response.json["error"].keys() == {"code", "message"}
    assert response.json["error"]["message"].endswith(".")
    return response.json["error"]["code"]


def test_the_answer_is_the_comparison_in_its_order(send, tiny_comparator):
    response, expected = send(CAT), tiny_comparator.compare(CAT).to_dict()
    answer = response.json
    assert list(answer) == list(expected)
    for verdict in [*answer["models"], *expected["models"]]:
        assert verdict.pop("milliseconds") > 0
    assert (response.status_code, answer) == (200, expected)
    client = create_app(Comparator([fakes.fixed("m", 0.2, 0.8, classes=("dog", "cat"))])).test_client()
    answer = client.post("/predict", data=photo_form()).json
    assert list(answer["models"][0]["probabilities"]) == ["dog", "cat"]


@pytest.mark.parametrize(
    ("model", "asked"), [("scratch_cnn", ["scratch_cnn"]), ("", ["scratch_cnn", "xception"])], ids=["one", "all"]
)
def test_one_model_or_all_are_asked(send, model, asked):
    assert [verdict["model"] for verdict in send(model=model).json["models"]] == asked


@pytest.mark.parametrize("names", [["scratch_cnn", "xception"], ["xception", "xception"], ["", "xception"]])
def test_two_models_are_not_one(send, names):
    response = send(model=names)
    assert (response.status_code, error_of(response)) == (400, "too_many_models")


@pytest.mark.parametrize(
    ("explain", "wanted"), [("1", True), ("true", True), ("True", True), ("", False), ("0", False), ("no", False)]
)
def test_maps_come_when_they_are_asked_for(send, explain, wanted):
    maps = [verdict["heatmap"] for verdict in send(explain=explain).json["models"]]
    assert [isinstance(rows, list) for rows in maps] == [wanted, wanted]


@pytest.mark.parametrize("model", ["vgg", "../../etc/passwd", "xception ", "\0", "<b>", "💥"])
def test_unknown_model(send, model):
    response = send(model=model)
    assert (response.status_code, error_of(response)) == (404, "unknown_model")


@pytest.mark.parametrize("path", ["/predict", "/"])
@pytest.mark.parametrize(("content", "status", "code"), BAD.values(), ids=BAD)
def test_bad_files(send, path, content, status, code):
    response = send(content, path)
    assert response.status_code == status
    assert error_of(response) == code if path == "/predict" else 'data-accent="error"' in response.text


@pytest.mark.parametrize(
    "name",
    ["../../../etc/passwd", "/etc/passwd", "..\\..\\boot.ini", "\0.jpg", "a" * 5000, "<img src=x>", "猫.jpg", "."],
)
def test_the_file_name_is_never_a_path(send, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert send(name=name).status_code == 200
    assert list(tmp_path.iterdir()) == []


def photo() -> tuple[io.BytesIO, str]:
    return io.BytesIO(CAT), "cat.jpg"


# Form, code, and what its message must name.
FORMS = {
    "wrong field name": (lambda: {"photo": photo()}, "missing_file", "'photo'"),
    "no field at all": (lambda: {"file": []}, "missing_file", ""),
    "no file chosen": (lambda: photo_form(b"", ""), "missing_file", ""),
    "content without a file name": (lambda: photo_form(name=""), "missing_file", ""),
    "text instead of a file": (lambda: {"file": "cat.jpg"}, "missing_file", "as a file"),
    "a long text": (lambda: {"file": "x" * 600_000}, "missing_file", "as a file"),
    "model alone": (lambda: {"model": "xception"}, "missing_file", ""),
    "two files": (lambda: {"file": [photo(), photo()]}, "too_many_files", ""),
}


@pytest.mark.parametrize(("form", "code", "named"), FORMS.values(), ids=FORMS)
def test_bad_forms(client, form, code, named):
    response = client.post("/predict", data=form(), content_type="multipart/form-data")
    assert (response.status_code, error_of(response)) == (400, code)
    assert named in response.json["error"]["message"]


@pytest.mark.parametrize(
    "body",
    [
        {"data": CAT, "content_type": "image/jpeg"},
        {"json": {"file": "cat.jpg"}},
        {"data": {"file": "cat.jpg"}},
        {},
        {"data": b"--b--", "content_type": "multipart/mixed; boundary=b"},
        {"data": b"x", "content_type": ";;;"},
    ],
    ids=["raw photo", "JSON", "url-encoded form", "no body", "other multipart", "nonsense type"],
)
def test_not_multipart(client, body):
    response = client.post("/predict", **body)
    assert (response.status_code, error_of(response)) == (415, "unsupported_media_type")


BROKEN_MULTIPART = {
    "no boundary": ("multipart/form-data", b"--b\r\n"),
    "empty boundary": ("multipart/form-data; boundary=", b"--\r\n"),
    "boundary that is not ASCII": ("multipart/form-data; boundary=\xe9", b"--\xe9\r\n"),
    "boundary that never comes": ("multipart/form-data; boundary=b", CAT),
    "no body": ("multipart/form-data; boundary=b", b""),
    "part without a header": ("multipart/form-data; boundary=b", b"--b\r\n\r\nx\r\n--b--\r\n"),
    "part without a name": (
        "multipart/form-data; boundary=b",
        b'--b\r\nContent-Disposition: form-data; filename="x"\r\n\r\nx\r\n--b--\r\n',
    ),
    "no final boundary": (
        "multipart/form-data; boundary=b",
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n' + CAT,
    ),
}


@pytest.mark.parametrize(("content_type", "body"), BROKEN_MULTIPART.values(), ids=BROKEN_MULTIPART)
def test_broken_multipart(client, content_type, body):
    response = client.post("/predict", data=body, content_type=content_type)
    assert (response.status_code, error_of(response)) == (400, "missing_file")


PREFIX = b'--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n'


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.one_of(st.binary(max_size=300), st.binary(max_size=300).map(lambda tail: PREFIX + tail)))
def test_any_body_gets_a_client_error(client, body):
    response = client.post("/predict", data=body, content_type="multipart/form-data; boundary=b")
    assert response.status_code in (400, 413, 422)
    error_of(response)


@pytest.fixture
def small_client(tiny_comparator):
    """A client of an application that takes 1000 bytes and 10 000 pixels."""
    settings = Settings(max_upload_bytes=1000, max_pixels=10_000)
    comparator = Comparator(tiny_comparator.models.values(), settings=settings)
    app = create_app(comparator)
    app.testing = True
    yield app.test_client()
    comparator.close()


@pytest.mark.parametrize("path", ["/predict", "/"])
@pytest.mark.parametrize("size", [1001, 60_000, 70_000, 2_000_000], ids="{} bytes".format)
def test_too_many_bytes(small_client, path, size):
    """Just over the limit, around the room for the form, and far beyond: one and the same error."""
    response = small_client.post(path, data=photo_form(bytes(size)))
    assert response.status_code == 413
    assert path == "/" or error_of(response) == "image_too_large"


def test_the_limits_are_those_of_the_settings(small_client):
    contents = {bytes(1000): 422, encoded(flag(100, 100), "PNG"): 200, encoded(flag(100, 101), "PNG"): 413}
    answers = [small_client.post("/predict", data=photo_form(content)).status_code for content in contents]
    assert answers == list(contents.values())


@pytest.mark.parametrize(
    "fields", [{f"f{i}": "x" for i in range(5000)}, {"model": "x" * 22_000_000}], ids=["many fields", "a huge field"]
)
def test_too_much_around_the_photo(send, fields):
    response = send(**fields)
    assert (response.status_code, error_of(response)) == (413, "image_too_large")
