"""More photos at once than the settings allow: every page and API says so, and answers when there is room again."""

from __future__ import annotations

import contextlib
import io
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from catdog import Settings
from catdog.compare import Comparator
from catdog.engine import Outputs
from catdog.web import create_app
from catdog.wording import BUSY
from tests.catdog.test_ui import call, data_url, refused
from tests.catdog.web import fakes
from tests.conftest import PATIENCE
from tests.servers import served_page

SENTENCE = "Too many photos at once: 1 are being judged or waiting. Try again shortly."


class Held:
    """An engine that answers when it is let."""

    def __init__(self):
        self.open, self.reached = threading.Event(), threading.Event()

    def __call__(self, batch: np.ndarray) -> Outputs:
        self.reached.set()
        assert self.open.wait(PATIENCE)
        return Outputs(np.full((len(batch), 1), 0.25, np.float32))


@pytest.fixture
def busy(cat):
    """A Comparator whose only place is taken, and a way to free it: (comparator, free)."""
    engine = Held()
    model = fakes.classifier("m", {"cat": 1.0, "dog": 0.0})
    model.engine = engine
    comparator = Comparator([model], settings=Settings(max_waiting=1))
    with contextlib.closing(comparator), ThreadPoolExecutor(1) as pool:
        first = pool.submit(comparator.compare, cat)
        assert engine.reached.wait(PATIENCE)

        def free() -> None:
            engine.open.set()
            assert first.result(PATIENCE).prediction

        yield comparator, free
        engine.open.set()


def test_flask_says_so_and_when_to_come_back(busy, cat):
    comparator, free = busy
    client = create_app(comparator).test_client()

    def send(path: str):
        return client.post(path, data={"file": (io.BytesIO(cat.read_bytes()), "cat.jpg")})

    refused = send("/predict")
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")
    assert refused.json == {"error": {"code": "busy", "message": SENTENCE}}
    page = send("/")
    assert (page.status_code, page.headers["Retry-After"]) == (429, "1")
    assert BUSY in page.text and 'role="alert"' in page.text
    assert client.get("/readyz").status_code == 200

    free()
    for path in ("/predict", "/"):
        answer = send(path)
        assert answer.status_code == 200
        assert "Retry-After" not in answer.headers


def test_gradio_says_so(busy, cat):
    comparator, free = busy
    photo = {"url": data_url(cat.read_bytes())}
    with served_page(comparator) as (_, url):
        assert refused(url, photo) == SENTENCE
        free()
        event, (*_, comparison) = call(url, photo)
    assert event == "complete"
    assert [verdict["model"] for verdict in comparison["models"]] == ["m"]
