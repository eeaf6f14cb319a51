"""An application on the tiny models, and a client for it."""

from __future__ import annotations

import io

import pytest

from catdog.web import create_app

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
