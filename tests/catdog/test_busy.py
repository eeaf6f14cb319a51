"""More photos at once than the settings allow: every page and API says so, and answers when there is room again."""

from catdog.flask_app import create_app
from catdog.wording import BUSY
from tests.catdog.gradio_app.calls import call, data_url, refused
from tests.catdog.photos import CAT, photo_form
from tests.servers import served_page

SENTENCE = "Too many photos at once: 1 are being judged or waiting. Try again shortly."


def test_flask_says_so_and_when_to_come_back(busy):
    comparator, free = busy
    client = create_app(comparator).test_client()

    def send(path: str):
        return client.post(path, data=photo_form())

    refused = send("/predict")
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")
    assert refused.json == {"error": {"code": "busy", "message": SENTENCE}}
    for page in (send("/"), client.get("/?example=cat")):
        assert (page.status_code, page.headers["Retry-After"]) == (429, "1")
        assert BUSY in page.text and 'role="alert"' in page.text
    assert client.get("/readyz").status_code == 200

    free()
    for path in ("/predict", "/"):
        answer = send(path)
        assert answer.status_code == 200
        assert "Retry-After" not in answer.headers


def test_gradio_says_so(busy):
    comparator, free = busy
    photo = {"url": data_url(CAT)}
    with served_page(comparator) as (_, url):
        assert refused(url, photo) == SENTENCE
        free()
        event, (*_, comparison) = call(url, photo)
    assert event == "complete"
    assert [verdict["model"] for verdict in comparison["models"]] == ["m"]
