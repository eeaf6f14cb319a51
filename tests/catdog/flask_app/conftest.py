"""An application on the tiny models, a client for it, and a real server."""

from __future__ import annotations

import contextlib
import io

import pytest

from catdog import Settings
from catdog.flask_app import create_app
from tests.catdog import fakes as colours
from tests.servers import served_app

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


@contextlib.contextmanager
def served(comparator):
    """The port of a server on a comparator, which is closed at the end."""
    with served_app(create_app(comparator)) as port:
        yield port
    comparator.close()


@pytest.fixture(scope="module")
def port(tiny_comparator):
    """The port of a server that takes photos of up to 1 MB."""
    with served(fakes.comparator(*tiny_comparator.models.values(), settings=Settings(max_upload_bytes=2**20))) as port:
        yield port


@pytest.fixture(scope="module")
def knowing_port():
    """The port of a server on three models that know everything that models can know."""
    with served(colours.comparator()) as port:
        yield port
