"""Fixtures that every test may use: real tiny `.h5` models, real photos, a clean environment."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import tempfile
import threading
from pathlib import Path
from types import SimpleNamespace

# Before anything imports Keras, Gradio or huggingface_hub, which read these once. Without oneDNN: its kernels
# crashed TensorFlow 2.21 while it trained on photos as tiny as those of the tests, on four cores.
os.environ.update(
    GRADIO_ANALYTICS_ENABLED="False", HF_HUB_DISABLE_TELEMETRY="1", HF_HUB_DISABLE_XET="1", TF_CPP_MIN_LOG_LEVEL="3",
    TF_ENABLE_ONEDNN_OPTS="0",
)  # fmt: skip
# Two processes of tests share two cores.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.update(TF_NUM_INTRAOP_THREADS="1", TF_NUM_INTEROP_THREADS="1", OMP_NUM_THREADS="1")
# Whatever proxy is set, this machine is reached without one; and Gradio keeps uploads where no other program does.
os.environ.update(
    no_proxy=f"{os.environ.get('no_proxy') or os.environ.get('NO_PROXY', '')},127.0.0.1,localhost".strip(","),
    GRADIO_TEMP_DIR=tempfile.mkdtemp(prefix="catdog-tests-"),
)
os.environ["NO_PROXY"] = os.environ["no_proxy"]

import pytest
from hypothesis import settings

from tests.hub.server import StandInHub
from tests.tiny import write_tiny_model

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
UPLOADS = Path(os.environ["GRADIO_TEMP_DIR"])
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
    "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",  # a camera that shows a test picture
)  # fmt: skip

# Seconds that a test waits for what comes in one, on however slow a machine; and milliseconds, for a browser.
PATIENCE = 120
WAIT = 1000 * PATIENCE

# A shell lets what it runs in the background ignore Ctrl-C, and so do its children, which tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


# The same examples each time, however long one takes.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


def pytest_collection_finish():
    # What was imported stays; without this, Keras's many collections of garbage would look at all of it each time.
    gc.collect()
    gc.freeze()


def pytest_unconfigure():
    shutil.rmtree(UPLOADS, ignore_errors=True)


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory) -> Path:
    """A folder that all processes of the tests share."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


@pytest.fixture(scope="session", autouse=True)
def clean_environment(shared_folder):
    """No CATDOG_ variable of the person who runs the tests reaches a test, and no test fills their cache.

    All processes of the tests share one, so that each model is converted once: in these processes themselves, which
    have TensorFlow already.
    """
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("CATDOG_")]:
            patch.delenv(name)
        patch.setenv("XDG_CACHE_HOME", str(shared_folder / "shared-cache"))
        patch.setattr("catdog.engine.loading.convert", convert_here)
        yield


def convert_here(jobs):
    from catdog.engine import convert

    return [convert.attempt(job) for job in jobs]


@pytest.fixture
def cat() -> Path:
    return EXAMPLES / "cat.jpg"


@pytest.fixture
def dog() -> Path:
    return EXAMPLES / "dog.jpg"


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory) -> Path:
    """A weights folder with two tiny random models: scratch_cnn at 32 px, xception at 40 px."""
    folder = tmp_path_factory.mktemp("weights")
    write_tiny_model(folder, "scratch_cnn", image_size=32, seed=1, accuracy=0.90)
    write_tiny_model(folder, "xception", image_size=40, seed=2, accuracy=0.95)
    return folder


@pytest.fixture(scope="session")
def tiny_comparator(tiny_weights):
    """A Comparator on `tiny_weights`, shared by all tests that only read from it."""
    from catdog import Settings, load

    return load(Settings(weights=tiny_weights))


@pytest.fixture(scope="session")
def bundled_comparator():
    """A Comparator on the shipped models, and their conversions in the cache of all tests."""
    from catdog import load

    return load()


@pytest.fixture
def hub_client(monkeypatch, tmp_path):
    """Point the Hub's client, which has read its environment already, to an endpoint and to an empty cache."""
    from huggingface_hub import constants

    from catdog.models import hub as catdog_hub

    monkeypatch.setattr(catdog_hub, "PATIENCE", 60.0)  # the Hub is not far
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.delenv("HF_TOKEN", raising=False)

    def use(endpoint: str) -> None:
        monkeypatch.setattr(constants, "ENDPOINT", endpoint)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", endpoint + "/{repo_id}/resolve/{revision}/{filename}"
        )

    ended = threading.Event()

    def sleep(seconds: float) -> None:
        if ended.wait(seconds):
            raise InterruptedError("the test has ended")

    monkeypatch.setattr("huggingface_hub.utils._http.time", SimpleNamespace(sleep=sleep))
    yield use
    # A call that was left behind would try again during the next test, and close the connections of all.
    ended.set()
    for thread in threading.enumerate():
        if thread.name == catdog_hub.THREAD:
            thread.join(timeout=30)
            assert not thread.is_alive(), "a call to the Hub goes on after its test"


@pytest.fixture
def hub(hub_client):
    """A stand-in Hub, empty, that the client talks to."""
    with StandInHub() as hub:
        hub_client(hub.endpoint)
        yield hub


@pytest.fixture(scope="module")
def chromium():
    """Debian's Chromium, driven by Playwright; a test that asks for it is skipped where either is missing."""
    driver = pytest.importorskip("playwright.sync_api", reason="needs Playwright: pip install playwright")
    if CHROMIUM is None:
        pytest.skip("needs Chromium on the PATH")
    driver.expect.set_options(timeout=WAIT)
    with driver.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()
