"""The page in a real Chromium, on models that look at colours alone, in every width and colour scheme."""

from __future__ import annotations

import contextlib
import threading

import pytest

from catdog import Settings
from catdog.classifier import Classifier
from catdog.comparator import Comparator
from tests.catdog import fakes
from tests.catdog.photos import encoded
from tests.conftest import PATIENCE
from tests.servers import served_page

from .looks import watched

PHONE, DESKTOP = 360, 1440
# What the page writes to the console when the queue is full, and when a test ends its server.
EXPECTED = ("the server responded with a status of 503", "Server stopped unexpectedly", "ERR_CONNECTION_REFUSED")


@contextlib.contextmanager
def launched(comparator, **queue):
    """The address of the page of a comparator."""
    with contextlib.closing(comparator), served_page(comparator, **queue) as (_, url):
        yield f"{url}/"


@pytest.fixture(scope="package")
def url():
    with launched(fakes.comparator()) as url:
        yield url


class Stepwise(fakes.Colours):
    """A model that answers once for each time that it is let."""

    def __init__(self):
        super().__init__(0.3)
        self.turns = threading.Semaphore(0)

    def __call__(self, batch):
        self.turns.acquire(timeout=2 * PATIENCE)
        return super().__call__(batch)


@pytest.fixture
def stepwise():
    """stepwise(**settings) -> the address of a page with such a model, and the model."""
    with contextlib.ExitStack() as pages:

        def served(**settings):
            model = Stepwise()
            comparator = Comparator([Classifier(fakes.spec("xception"), model)], settings=Settings(**settings))
            url = pages.enter_context(launched(comparator))
            pages.callback(model.turns.release, 1000)
            return url, model

        yield served


@pytest.fixture
def open_page(chromium):
    """open_page(url, width, scheme) -> the page."""
    with watched(chromium, EXPECTED, kinds=("error",)) as opened:

        def opened_whole(url: str, width: int = DESKTOP, scheme: str = "light", **options):
            page = opened(url, width, color_scheme=scheme, **options)
            page.wait_for_selector(".cd-card", state="attached")
            return page

        yield opened_whole


@pytest.fixture
def page(open_page, url):
    return open_page(url)


@pytest.fixture(params=[(PHONE, "light"), (DESKTOP, "dark")], ids=str)
def any_page(request, open_page, url):
    """The page in both widths, and in both colour schemes."""
    return open_page(url, *request.param)


@pytest.fixture
def photo(tmp_path):
    """photo(colour) -> the path of a photo of this colour."""

    def written(colour: tuple[int, int, int], name: str = "photo.png"):
        path = tmp_path / name
        path.write_bytes(encoded(fakes.photo(colour), "PNG"))
        return path

    return written
