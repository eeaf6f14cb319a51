"""An application on the tiny models, a client for it, and a real server."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from flask import Flask
from werkzeug.serving import make_server

from catdog import Settings
from catdog.web import create_app

from . import fakes
from .photos import CAT


@pytest.fixture
def app(tiny_comparator):
    app = create_app(tiny_comparator)
    app.testing = True  # an unexpected exception fails the test instead of becoming a 500
    return app


@pytest.fixture
def client(app):
    return app.test_client()


@pytest.fixture
def send(client):
    """Post one file as a form: send(content, path="/predict", name="cat.jpg", **fields)."""

    def post(content: bytes = CAT, path: str = "/predict", name: str = "cat.jpg", **fields: str):
        return client.post(path, data={"file": (io.BytesIO(content), name), **fields})

    return post


@contextmanager
def serving(app: Flask) -> Iterator[int]:
    """A real server of an application; its port."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def port(tiny_comparator):
    """The port of a server that takes photos of up to 1 MB."""
    comparator = fakes.comparator(*tiny_comparator.models.values(), settings=Settings(max_upload_bytes=2**20))
    with serving(create_app(comparator)) as port:
        yield port
    comparator.close()
