"""The page of the tiny models on a real server, and what must never reach it."""

import json
import socket
from pathlib import Path

import httpx
import pytest
from gradio_client import Client

from catdog import Settings, load
from tests.conftest import PATIENCE
from tests.servers import served_page

from .calls import GOOD, LIMIT


@pytest.fixture(scope="package")
def comparator(tiny_weights):
    return load(Settings(weights=tiny_weights, max_upload_bytes=LIMIT))


@pytest.fixture(scope="package")
def site(comparator):
    with served_page(comparator) as (page, url):
        yield page, url


@pytest.fixture(scope="package")
def url(site):
    return site[1]


@pytest.fixture(scope="package")
def client(url):
    return Client(url, verbose=False, analytics_enabled=False, httpx_kwargs={"timeout": PATIENCE})


@pytest.fixture
def outside(tmp_path) -> Path:
    """A readable photo of the server that nobody uploaded."""
    path = tmp_path / "private.png"
    path.write_bytes(GOOD["no-suffix"])
    return path


@pytest.fixture
def other_site():
    """The address of a photo on this machine, of which nobody may ask; a test fails that connects to it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/cat.png"
        server.setblocking(False)
        with pytest.raises(BlockingIOError):
            server.accept()


@pytest.fixture
def press(url):
    """press(trigger, data) -> the last message of a private event of the page, called by its number."""
    config = httpx.get(f"{url}/config", timeout=PATIENCE).json()

    def call_event(name: str, data: list, session: str = "session") -> dict:
        (number,) = (entry["id"] for entry in config["dependencies"] if entry["api_name"] == name)
        body = {"data": data, "fn_index": number, "session_hash": session}
        joined = httpx.post(f"{url}/gradio_api/queue/join", json=body, timeout=PATIENCE)
        event = joined.raise_for_status().json()["event_id"]
        with httpx.stream(
            "GET", f"{url}/gradio_api/queue/data", params={"session_hash": session}, timeout=PATIENCE
        ) as stream:
            for line in stream.iter_lines():
                message = json.loads(line.removeprefix("data: ") or "{}")
                if message.get("event_id") == event and message["msg"] == "process_completed":
                    return message
        raise AssertionError("the event did not end")

    return call_event
