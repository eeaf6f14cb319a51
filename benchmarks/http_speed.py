"""Photos over HTTP, from several clients at once: Flask and Gradio beside a plain Flask route."""

import base64
import contextlib
import functools
import http.client
import json
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from .plan import EXAMPLES, Plan, in_turns, milliseconds, times, versus
from .processes import PATIENCE, Failed, free_port, peak_memory, python, started, wait_until_it_answers

THREADS = 16  # of gunicorn, so that 16 clients are served at once
BOUNDARY = "catdog-benchmark"


@dataclass(frozen=True)
class Server:
    """A running server and how to ask it about one photo."""

    port: int
    process: subprocess.Popen
    ask: Callable[[http.client.HTTPConnection, bytes], None]


def gunicorn(application: str, port: int) -> list[str]:
    """One process with THREADS threads, as all models are in memory once."""
    options = ("--workers=1", f"--threads={THREADS}", f"--bind=127.0.0.1:{port}", "--timeout=600", "--log-level=error")
    return python("-m", "gunicorn", *options, application)


@contextlib.contextmanager
def servers(environment: Mapping[str, str]) -> Iterator[dict[str, Server]]:
    """The servers, all started; those that wait for their turn take no processor time."""
    ports = {name: free_port() for name in ("flask", "gradio", "plain")}
    gradio = {"GRADIO_SERVER_PORT": str(ports["gradio"]), "GRADIO_ANALYTICS_ENABLED": "False"}
    commands = {
        "flask": (gunicorn("catdog.flask_app:create_app()", ports["flask"]), {}, "/readyz", _post_form),
        "gradio": (python("app.py"), gradio, "/gradio_api/info", _call_gradio),
        "plain": (gunicorn("benchmarks.plain:create_app()", ports["plain"]), {}, "/healthz", _post_form),
    }
    with contextlib.ExitStack() as stack:
        running = {}
        for name, (command, extra, _, ask) in commands.items():
            process = stack.enter_context(started(command, {**environment, **extra}, stdout=subprocess.DEVNULL))
            running[name] = Server(ports[name], process, ask)
        for name, (_, _, path, _) in commands.items():
            wait_until_it_answers(ports[name], path, running[name].process)
        yield running


def measure(plan: Plan, environment: Mapping[str, str]) -> dict[str, Any]:
    """Per server and number of clients: milliseconds per photo and photos per second; per server: peak memory.

    `versus` is of the photos per second to those of the plain server.
    """
    photos = [path.read_bytes() for path in EXAMPLES]
    with servers(environment) as running:
        for server in running.values():
            _load(server, photos, clients=1, requests=3)
        clients = {str(count): _in_turns(plan, running, photos, count) for count in plan.clients}
        memory = {name: peak_memory(server.process) for name, server in running.items()}
    return {"clients": clients, "peak_megabytes": memory}


def _in_turns(plan: Plan, running: Mapping[str, Server], photos: list[bytes], clients: int) -> dict[str, Any]:
    sides = {
        name: lambda server=server: _load(server, photos, clients, plan.requests) for name, server in running.items()
    }
    turns = in_turns(plan.rounds, sides)
    rates = {name: [len(latencies) / seconds for seconds, latencies in of_side] for name, of_side in turns.items()}
    return {
        name: {
            **milliseconds([value for _, latencies in of_side for value in latencies]),
            "photos_per_second": statistics.median(rates[name]),
            **versus(rates[name], rates["plain"]),
        }
        for name, of_side in turns.items()
    }


def _load(server: Server, photos: list[bytes], clients: int, requests: int) -> tuple[float, list[float]]:
    """Let clients ask at once, each `requests` times: seconds in all, and seconds of each request."""

    def client(number: int) -> list[float]:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
        first = number % len(photos)
        with contextlib.closing(connection):
            return times(functools.partial(server.ask, connection), photos[first:] + photos[:first], requests)

    start = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        seconds = [value for values in pool.map(client, range(clients)) for value in values]
    return time.perf_counter() - start, seconds


def _post_form(connection: http.client.HTTPConnection, photo: bytes) -> None:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="photo.jpg"\r\n\r\n'
    body = head.encode() + photo + f"\r\n--{BOUNDARY}--\r\n".encode()
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    _read(connection, "POST", "/predict", body, headers)


def _call_gradio(connection: http.client.HTTPConnection, photo: bytes) -> None:
    """The two requests of Gradio's API: the call with the photo in it, then the answer."""
    url = "data:image/jpeg;base64," + base64.b64encode(photo).decode()
    body = json.dumps({"data": [{"url": url}]}).encode()
    path = "/gradio_api/call/predict"
    event = json.loads(_read(connection, "POST", path, body, {"Content-Type": "application/json"}))["event_id"]
    answer = _read(connection, "GET", f"{path}/{event}")
    if b"event: complete" not in answer:
        raise Failed(f"Gradio gave no verdict: {answer[:500]!r}.")


def _read(connection: http.client.HTTPConnection, method: str, path: str, body=None, headers=None) -> bytes:
    connection.request(method, path, body, headers or {})
    response = connection.getresponse()
    content = response.read()
    if response.status != 200:
        raise Failed(f"{method} {path} answered with {response.status}: {content[:500]!r}.")
    return content
