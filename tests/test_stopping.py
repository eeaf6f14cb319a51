"""A server that is told to stop (SIGTERM) answers what it has begun to receive, and then ends."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import shlex
import signal
import socket
import sys

import httpx
import pytest

from catdog.gradio_app.serving import Activity, Watch
from tests.conftest import ROOT
from tests.servers import free_port, running, until_it_answers

pytestmark = pytest.mark.long
HOST = "127.0.0.1"
# app.py, which waits long enough for the next request of a test on a slow machine.
UNHURRIED = """
import runpy, sys
from catdog.settings import configure_gradio
configure_gradio()
from catdog.gradio_app import serving
serving.QUIET, serving.GRACE = 3.0, 60.0
runpy.run_path(sys.argv[1], run_name="__main__")
"""


class Slow:
    """A request whose head the server has read, and whose body it waits for."""

    def __init__(self, port: str, path: str, content_type: str, body: bytes):
        self.body, self.connection = body, socket.create_connection((HOST, int(port)), timeout=20)
        lines = [
            f"POST {path} HTTP/1.1", "Host: localhost", "Connection: close", "Expect: 100-continue",
            f"Content-Type: {content_type}", f"Content-Length: {len(body)}", "", "",
        ]  # fmt: skip
        self.connection.sendall("\r\n".join(lines).encode())
        assert self.connection.recv(100).startswith(b"HTTP/1.1 100")

    def finish(self) -> tuple[bytes, dict]:
        """Send the body; return the line with the status, and the JSON."""
        self.connection.sendall(self.body)
        answer = b""
        while data := self.connection.recv(65536):
            answer += data
        self.connection.close()
        head, _, content = answer.partition(b"\r\n\r\n")
        return head.splitlines()[0], json.loads(content)


def test_the_page(tiny_weights, tmp_path, cat):
    port = free_port()
    url = f"http://{HOST}:{port}"
    call = "/gradio_api/call/predict"
    environment = {"CATDOG_WEIGHTS": str(tiny_weights), "GRADIO_SERVER_PORT": port, "PYTHONPATH": str(ROOT)}
    payload = {"data": [{"url": "data:image/jpeg;base64," + base64.b64encode(cat.read_bytes()).decode()}]}
    with (
        running([sys.executable, "-c", UNHURRIED, ROOT / "app.py"], tmp_path, **environment) as process,
        httpx.Client(base_url=url, timeout=60) as client,
    ):
        until_it_answers(url, process)
        slow = Slow(port, call, "application/json", json.dumps(payload).encode())
        process.send_signal(signal.SIGTERM)
        status, answer = slow.finish()
        assert status.endswith(b"200 OK")
        verdicts = client.get(f"{call}/{answer['event_id']}").text
        assert "event: complete" in verdicts and "xception" in verdicts
        assert process.wait(timeout=120) == 0


def test_the_web_service(tiny_weights, tmp_path, cat):
    unit = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    arguments = shlex.split(re.search(r"^ExecStart=\S+/gunicorn (.*catdog\.flask_app.*)$", unit, re.MULTILINE)[1])
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", *arguments, "--bind", f"{HOST}:{port}", "--chdir", ROOT]
    form = b'--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n%s\r\n--b--\r\n'
    with running(command, tmp_path, CATDOG_WEIGHTS=str(tiny_weights)) as process:
        until_it_answers(f"http://{HOST}:{port}/readyz", process)
        slow = Slow(port, "/predict", "multipart/form-data; boundary=b", form % cat.read_bytes())
        process.send_signal(signal.SIGTERM)
        status, answer = slow.finish()
        assert status.endswith(b"200 OK")
        assert len(answer["models"]) == 2
        assert process.wait(timeout=120) == 0


@pytest.mark.parametrize(("path", "counted"), [("/gradio_api/queue/data", 1), ("/gradio_api/heartbeat/abc", 0)])
def test_the_stream_of_an_open_page_is_no_request_to_wait_for(path, counted):
    activity, seen = Activity(), []

    async def app(scope, receive, send):
        seen.append(activity.requests)

    asyncio.run(Watch(app, activity)({"type": "http", "path": path}, None, None))
    assert (seen, activity.requests) == ([counted], 0)


def test_no_request_is_waited_for_without_end():
    activity = Activity()
    with activity.request():
        activity.wait_until_quiet(quiet=0, at_most=0.01)
    activity.wait_until_quiet(quiet=0, at_most=3600)
