"""An application on the tiny models, a client for it, and real servers."""

import contextlib

import pytest

from catdog import Settings
from catdog.comparator import Comparator
from catdog.flask_app import create_app
from tests.catdog.photos import CAT, photo_form
from tests.servers import served_app


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
    return lambda content=CAT, path="/predict", **fields: client.post(path, data=photo_form(content, **fields))


@contextlib.contextmanager
def served(comparator):
    """The port of a server on a comparator, which is closed at the end."""
    with served_app(create_app(comparator)) as port:
        yield port


@pytest.fixture(scope="module")
def port(tiny_comparator):
    """The port of a server that takes photos of up to 1 MB."""
    with served(Comparator(tiny_comparator.models.values(), settings=Settings(max_upload_bytes=2**20))) as port:
        yield port
