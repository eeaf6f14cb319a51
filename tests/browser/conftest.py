"""The page in a real Chromium, on models that look at colours alone, in every width and colour scheme."""

from __future__ import annotations

import contextlib
import re

import pytest

from catdog import gradio_app
from tests.catdog import fakes
from tests.catdog.photos import encoded
from tests.conftest import WAIT
from tests.servers import launched_at

PHONE, DESKTOP = 360, 1440
# What the page writes to the console when the queue is full, and when a test ends its server.
EXPECTED = ("the server responded with a status of 503", "Server stopped unexpectedly", "ERR_CONNECTION_REFUSED")


@contextlib.contextmanager
def launched(comparator, **queue):
    """The address of the page of a comparator."""
    demo = gradio_app.build(comparator)
    if queue:
        demo.queue(**queue)
    try:
        yield launched_at(demo, comparator.settings)
    finally:
        demo.close(verbose=False)
        comparator.close()


@pytest.fixture(scope="package")
def url():
    with launched(fakes.comparator()) as url:
        yield url


@pytest.fixture
def open_page(chromium):
    """open_page(url, width, scheme) -> the page; at the end, nothing was asked of others and nothing failed."""
    contexts, strangers, failures = [], [], []

    def opened(url: str, width: int = DESKTOP, scheme: str = "light", **options):
        contexts.append(chromium.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme, **options))
        contexts[-1].set_default_timeout(WAIT)
        page = contexts[-1].new_page()
        page.on("request", lambda request: None if is_local(request.url) else strangers.append(request.url))
        page.on("console", lambda message: failures.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: failures.append(str(error)))
        page.goto(url)
        page.wait_for_selector(".cd-card", state="attached")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert strangers == []
    assert [text for text in failures if not any(words in text for words in EXPECTED)] == []


@pytest.fixture
def page(open_page, url):
    return open_page(url)


@pytest.fixture(params=[(PHONE, "light"), (PHONE, "dark"), (DESKTOP, "light"), (DESKTOP, "dark")], ids=str)
def any_page(request, open_page, url):
    """The page in both widths and both colour schemes."""
    return open_page(url, *request.param)


@pytest.fixture
def photo(tmp_path):
    """photo(colour) -> the path of a photo of this colour."""

    def written(colour: tuple[int, int, int], name: str = "photo.png"):
        path = tmp_path / name
        path.write_bytes(encoded(fakes.photo(colour), "PNG"))
        return path

    return written


def is_local(url: str) -> bool:
    return re.match(r"(https?|ws)://127\.0\.0\.1[:/]|data:|blob:", url) is not None
