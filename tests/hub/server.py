"""A stand-in for the Hugging Face Hub on loopback, for the real `huggingface_hub` client.

with StandInHub() as hub:
    commit = hub.publish("user/name", folder)       # one more commit on `main`
    hub.inject("hang", r"GET .*/resolve/.*h5")      # a fault, see Fault
    ...                                             # HF_ENDPOINT=hub.endpoint, HF_TOKEN=hub.token
    assert hub.requests == []                       # "METHOD path", in order of arrival
"""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from pathlib import Path

from flask import Flask, Response, g, request
from werkzeug.serving import WSGIRequestHandler, make_server

from .api import ROUTES, Api, Key
from .store import Account, Files, Repository


@dataclass
class Fault:
    """What goes wrong with requests whose "METHOD path" matches a pattern: after `skip` good ones, `times` times.

    hang      the connection is accepted and nothing is ever sent
    cut       the connection ends after half of the body, of the answer's or of what is uploaded
    lost      the request does what it should, and its answer never arrives
    <status>  that HTTP status, e.g. 429 or 503, with `Retry-After: <retry_after>`
    """

    kind: str | int
    pattern: str
    times: float = float("inf")
    skip: int = 0
    retry_after: int = 0


class _Handler(WSGIRequestHandler):
    def log(self, *_) -> None:
        """The list of requests takes the place of lines on stderr."""

    def connection_dropped(self, *_) -> None:
        self.close_connection = True


class StandInHub:
    """The server; a context manager that listens on 127.0.0.1, by default on a free port.

    repositories  "user/name" of a model, "spaces/user/name" of a Space -> Repository
    accounts      token -> Account
    """

    token = "hf_stand_in"
    read_only_token = "hf_read_only"

    def __init__(self, port: int = 0):
        self.repositories: dict[str, Repository] = {}
        self.accounts = {self.token: Account("user"), self.read_only_token: Account("user", "read")}
        self.requests: list[str] = []
        self.closing = threading.Event()
        self._lock, self._faults = threading.Lock(), []
        self._server = make_server("127.0.0.1", port, self._app(), threaded=True, request_handler=_Handler)
        self.endpoint = f"http://127.0.0.1:{self._server.port}"  # what HF_ENDPOINT must be
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self) -> StandInHub:
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening: from now on connections are refused. Hanging requests end."""
        if not self.closing.is_set():
            self.closing.set()
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()

    def publish(self, repo: str, files: Files | Path, *, branch: str = "main") -> str:
        """Add a commit with exactly these files, or those of a folder, and move a branch to it; return the commit."""
        if isinstance(files, Path):
            files = {path.name: path.read_bytes() for path in files.iterdir()}
        return self.repositories.setdefault(repo, Repository(repo)).commit(files, branch)

    def inject(self, kind: str | int, pattern: str, **when: float) -> None:
        """Switch a Fault on."""
        self._faults.append(Fault(kind, pattern, **when))

    def _app(self) -> Flask:
        app = Flask(__name__, static_folder=None)
        app.config["PROPAGATE_EXCEPTIONS"] = True  # so that Werkzeug ends the connection at a ConnectionError
        app.url_map.converters["key"] = Key
        app.before_request(self._fail_before)
        app.after_request(self._fail_after)
        api = Api(self.repositories, self.accounts)
        for method, rule, name in ROUTES:
            app.add_url_rule(rule, f"{name} {rule}", getattr(api, name), methods=method.split())
        return app

    def _fail_before(self) -> tuple | None:
        fault = self._fault(f"{request.method} {request.path}")
        g.fault = fault.kind if fault else None
        if isinstance(g.fault, int):
            return "", g.fault, {"Retry-After": str(fault.retry_after)}
        if g.fault == "hang":
            self.closing.wait()
            raise ConnectionAbortedError
        if g.fault == "cut" and request.method in ("POST", "PUT"):
            request.stream.read((request.content_length or 2) // 2)
            raise ConnectionAbortedError
        return None

    def _fail_after(self, response: Response) -> Response:
        if g.fault == "lost":
            raise ConnectionAbortedError
        if g.fault == "cut":
            data = response.get_data()
            response.set_data(data[: len(data) // 2])
            response.content_length = len(data)
        return response

    def _fault(self, line: str) -> Fault | None:
        """Log a request; return the fault that it meets, if any."""
        with self._lock:
            self.requests.append(line)
            for fault in self._faults:
                if not re.search(fault.pattern, line) or fault.times <= 0:
                    continue
                if fault.skip > 0:
                    fault.skip -= 1
                else:
                    fault.times -= 1
                    return fault
        return None
