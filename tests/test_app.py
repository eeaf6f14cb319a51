"""app.py serves the page or says why it cannot; a server that is told to stop answers what it has begun to receive."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import shlex
import signal
import socket
import sys
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from catdog.gradio_app.serving import Activity, Watch
from tests.catdog.gradio_app.calls import data_url
from tests.conftest import PATIENCE, ROOT
from tests.servers import free_port, running, until_it_answers

# So that the app finds its models converted.
pytestmark = [pytest.mark.long, pytest.mark.usefixtures("tiny_comparator")]
HOST = "127.0.0.1"
# Runs app.py with one change of the environment after the other until it ends well, and tells how it ends. Told to
# stop, it lets what has begun take as long as a slow machine needs.
EACH = """
import json, os, runpy, sys
from catdog.settings import configure_gradio

given, patient = dict(os.environ), "patient" in sys.argv
for changes in json.loads(sys.argv[2]):
    os.environ.clear()
    os.environ.update(given | changes)
    if patient:
        configure_gradio()
        from catdog.gradio_app import serving
        serving.QUIET, serving.GRACE = 0.1, 60.0
    try:
        runpy.run_path(sys.argv[1], run_name="__main__")
    except SystemExit as end:
        print("ended with", end.code, file=sys.stderr, flush=True)
        if not end.code:
            break
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


def app(folder: Path, *program: str | Path, **environment: object):
    """A process of `python app.py`, or of another way to run it, started in `folder`."""
    variables = {name: str(value) for name, value in environment.items()}
    return running([sys.executable, *(program or [ROOT / "app.py"])], folder, **variables)


def each(folder: Path, changes: list[dict[str, str]], weights: Path, *options: str):
    """A process that runs app.py with each of these changes of the environment."""
    return app(
        folder, "-c", EACH, ROOT / "app.py", json.dumps(changes), *options, CATDOG_WEIGHTS=weights, PYTHONPATH=ROOT
    )


def test_an_app_that_cannot_start_says_why(tmp_path, tiny_weights):
    wrong = {"CATDOG_WEIGHTS": "/nowhere", "CATDOG_MAX_PIXELS": "many", "GRADIO_SERVER_PORT": "web"}
    with each(tmp_path, [{name: value} for name, value in wrong.items()], tiny_weights) as process:
        _, errors = process.communicate(timeout=PATIENCE)
    *told, rest = errors.split("ended with 1\n")
    assert (len(told), rest) == (3, "") and "Traceback" not in errors
    assert all(word in text for word, text in zip(["/nowhere", *list(wrong)[1:]], told, strict=True))


def test_the_app_serves_from_any_folder_until_interrupted_and_tells_of_a_fallback(tmp_path, tiny_weights, cat):
    port, folder = free_port(), tmp_path / "Köln am Rhein"
    folder.mkdir()
    hub = {"CATDOG_HUB_REPO": "user/name", "HF_ENDPOINT": f"http://{HOST}:{free_port()}", "HF_HOME": folder}
    machine = {"LC_ALL": "C", "HOME": "/proc/nowhere", "TMPDIR": folder, "GRADIO_TEMP_DIR": folder / "uploads"}
    unusable = {"ALL_PROXY": "socks://proxy:1080", "no_proxy": "fd00::/8", "SSL_CERT_FILE": tmp_path / "none"}
    environment = {"CATDOG_WEIGHTS": tiny_weights, "GRADIO_SERVER_PORT": port, "CATDOG_LOG": "json"}
    with app(folder, **environment, **hub, **machine, **unusable) as process:
        url = f"http://{HOST}:{port}"
        until_it_answers(url, process)
        with httpx.Client(base_url=f"{url}/gradio_api/call/", headers={"X-Request-ID": "mine"}, timeout=60) as client:
            event = client.post("predict", json={"data": [{"url": data_url(cat.read_bytes())}]}).json()["event_id"]
            assert "event: complete" in client.get(f"predict/{event}", headers={"X-Request-ID": "other"}).text
            client.post("v2/nothing", json={})
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=PATIENCE) == 0
        lines = [json.loads(line) for line in process.stderr.read().splitlines()]
    messages = "".join(line["message"] for line in lines)
    assert "user/name cannot be reached" in messages and all(name in messages for name in unusable)
    (photo,) = (line for line in lines if line["message"] == "photo")
    assert photo["request_id"] == "mine" and photo["verdict"] in ("cat", "dog", "neither")
    assert {line["status"] for line in lines if line["request_id"] == "mine" and "path" in line} == {200, 404}


def test_the_app_says_that_its_port_is_taken_and_told_to_stop_it_answers_first(tiny_weights, tmp_path, cat):
    payload = json.dumps({"data": [{"url": data_url(cat.read_bytes())}]}).encode()
    taken = socket.create_server((HOST, 0))
    port = str(taken.getsockname()[1])
    url, ask = f"http://{HOST}:{port}", "/gradio_api/call/predict"
    with (
        taken,
        each(tmp_path, [{"GRADIO_SERVER_PORT": port}] * 99, tiny_weights, "patient") as process,
        httpx.Client(timeout=60) as client,  # which takes a while to make
    ):
        told = "".join(itertools.takewhile(lambda line: line != "ended with 1\n", process.stderr))
        assert port in told and "Traceback" not in told
        taken.close()
        until_it_answers(url, process)
        # As long as one of them is in flight, the app goes on.
        slow, slower = (Slow(port, ask, "application/json", payload) for _ in range(2))
        process.send_signal(signal.SIGTERM)
        status, answer = slow.finish()
        assert status.endswith(b"200 OK")
        verdicts = client.get(f"{url}{ask}/{answer['event_id']}").text
        assert "event: complete" in verdicts and "xception" in verdicts
        assert slower.finish()[0].endswith(b"200 OK")
        assert process.wait(timeout=PATIENCE) == 0
        assert process.stderr.read().endswith("ended with 0\n")


def test_the_web_service_that_is_told_to_stop(tiny_weights, tmp_path, cat):
    unit = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    arguments = shlex.split(re.search(r"^ExecStart=\S+/gunicorn (.*catdog\.flask_app.*)$", unit, re.MULTILINE)[1])
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", *arguments, "--bind", f"{HOST}:{port}", "--chdir", ROOT]
    form = b'--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n%s\r\n--b--\r\n'
    with running(command, tmp_path, CATDOG_WEIGHTS=str(tiny_weights)) as process:
        until_it_answers(f"http://{HOST}:{port}/readyz", process)
        slow, *others = (
            Slow(port, "/predict", "multipart/form-data; boundary=b", form % cat.read_bytes()) for _ in range(30)
        )
        answered = httpx.post(f"http://{HOST}:{port}/predict", files={"file": cat.read_bytes()}, timeout=PATIENCE)
        assert answered.status_code == 200  # beside thirty clients that are slow
        for other in others:
            other.connection.close()
        process.send_signal(signal.SIGTERM)
        status, answer = slow.finish()
        assert status.endswith(b"200 OK")
        assert len(answer["models"]) == 2
        assert process.wait(timeout=PATIENCE) == 0


@pytest.mark.parametrize(
    ("method", "path", "waited_for"),
    [
        ("GET", "queue/data", True), ("GET", "heartbeat/abc", False), ("GET", "mcp/", False), ("GET", "mcp/sse", False),
        ("POST", "mcp/", True),
    ],
)  # fmt: skip
def test_the_stream_of_an_open_page_or_agent_is_no_request_to_wait_for(method, path, waited_for):
    seen = []

    async def app(scope, receive, send):
        seen.append("answered")

    scope = {"type": "http", "method": method, "path": f"/gradio_api/{path}"}
    asyncio.run(Watch(app, SimpleNamespace(add=seen.append))(scope, None, None))
    assert seen == ([1, "answered", -1] if waited_for else ["answered"])


def test_no_request_is_waited_for_without_end():
    activity = Activity()
    activity.add(1)
    activity.wait_until_quiet(quiet=0, at_most=0.01)
    activity.add(-1)
    activity.wait_until_quiet(quiet=0, at_most=3600)
