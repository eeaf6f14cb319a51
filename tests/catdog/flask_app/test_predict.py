"""POST /predict: what comes back for good photos, and the right error for everything else."""

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


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_names_may_be_in_latin_1(client, encoding):
    head = 'name="file"; filename="Kätzchen.jpg"'.encode(encoding)
    end = b"\r\n--b--"
    assert client.post("/predict", **multipart(part(head, CAT) + end)).status_code == 200
    assert "Kätzchen.jpg" in client.post("/", **multipart(part(head, CAT) + end)).text
    response = client.post("/predict", **multipart(part('name="ä"'.encode(encoding)) + b"\r\n" + part(head, CAT) + end))
    assert response.status_code == 200


def photo() -> tuple[io.BytesIO, str]:
    return io.BytesIO(CAT), "cat.jpg"


def multipart(body: bytes, content_type: str = "multipart/form-data; boundary=b") -> dict:
    return {"data": body, "content_type": content_type}


def form(**fields) -> dict:
    return {"data": fields, "content_type": "multipart/form-data"}


def part(head: bytes, content: bytes = b"x") -> bytes:
    return b"--b\r\nContent-Disposition: form-data; " + head + b"\r\n\r\n" + content


# What is posted, the code of the error, and what its message must name.
REQUESTS = {
    "wrong field name": (lambda: form(photo=photo()), "missing_file", "'photo'"),
    "no field at all": (lambda: form(file=[]), "missing_file", ""),
    "no file chosen": (lambda: form(**photo_form(b"", "")), "missing_file", ""),
    "content without a file name": (lambda: form(**photo_form(name="")), "missing_file", ""),
    "text instead of a file": (lambda: form(file="cat.jpg"), "missing_file", "as a file"),
    "a long text": (lambda: form(file="x" * 600_000), "missing_file", "as a file"),
    "model alone": (lambda: form(model="xception"), "missing_file", ""),
    "two files": (lambda: form(file=[photo(), photo()]), "too_many_files", ""),
    "no boundary": (lambda: multipart(b"--b\r\n", "multipart/form-data"), "missing_file", ""),
    "empty boundary": (lambda: multipart(b"--\r\n", "multipart/form-data; boundary="), "missing_file", ""),
    "boundary that is not ASCII": (
        lambda: multipart(b"--\xe9\r\n", "multipart/form-data; boundary=\xe9"), "missing_file", "",
    ),
    "boundary that never comes": (lambda: multipart(CAT), "missing_file", ""),
    "empty body": (lambda: multipart(b""), "missing_file", ""),
    "part without a header": (lambda: multipart(b"--b\r\n\r\nx\r\n--b--\r\n"), "missing_file", ""),
    "part without a name": (lambda: multipart(part(b'filename="x"') + b"\r\n--b--\r\n"), "missing_file", ""),
    "half a photo": (lambda: multipart(part(b'name="file"; filename="x"', CAT[:9000])), "bad_request", ""),
    "no final boundary": (lambda: multipart(part(b'name="file"; filename="x"', CAT)), "bad_request", ""),
    "half a boundary": (lambda: multipart(part(b'name="file"; filename="x"', CAT) + b"\r\n--b"), "bad_request", ""),
    "another part announced": (
        lambda: multipart(part(b'name="file"; filename="x"', CAT) + b"\r\n--b\r\n"), "bad_request", "",
    ),
    "half a header": (lambda: multipart(b'--b\r\nContent-Disposition: form-data; name="fi'), "bad_request", ""),
    "part of unknown kind": (lambda: multipart(b"--b\r\nX: y\r\n\r\nx\r\n--b--\r\n"), "missing_file", ""),
    "raw photo": (lambda: multipart(CAT, "image/jpeg"), "unsupported_media_type", "'image/jpeg'"),
    "JSON": (lambda: {"json": {"file": "cat.jpg"}}, "unsupported_media_type", ""),
    "url-encoded form": (lambda: {"data": {"file": "cat.jpg"}}, "unsupported_media_type", ""),
    "no body": (dict, "unsupported_media_type", ""),
    "other multipart": (lambda: multipart(b"--b--", "multipart/mixed; boundary=b"), "unsupported_media_type", ""),
    "nonsense type": (lambda: multipart(b"x", ";;;"), "unsupported_media_type", ""),
}  # fmt: skip


@pytest.mark.parametrize(("posted", "code", "named"), REQUESTS.values(), ids=REQUESTS)
def test_bad_requests(client, posted, code, named):
    response = client.post("/predict", **posted())
    assert error_of(response) == code
    assert response.status_code == (415 if code == "unsupported_media_type" else 400)
    assert named in response.json["error"]["message"]


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
    return app.test_client()


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


def test_a_photo_by_its_address(client, tiny_comparator, monkeypatch):
    monkeypatch.setattr(tiny_comparator, "fetch", {"https://example.org/a": CAT}.__getitem__)
    sent = {"data": {"url": " https://example.org/a "}, "content_type": "multipart/form-data"}
    assert client.post("/predict", **sent).json["leader"] == tiny_comparator.compare(CAT).leader
    assert 'data-state="done"' in client.post("/", **sent).text


@pytest.mark.parametrize(
    "address", ["/etc/passwd", "file:///etc/passwd", "http://127.0.0.1/", "http://[::1]:5000/", "cat.jpg", "http://"]
)
def test_other_addresses_are_refused(client, address):
    response = client.post("/predict", data={"url": address}, content_type="multipart/form-data")
    assert (response.status_code, error_of(response)) == (422, "address_refused")


def test_a_photo_and_an_address_are_two(send):
    assert error_of(send(url="https://example.org/a")) == "too_many_files"
