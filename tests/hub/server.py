"""A stand-in for the Hugging Face Hub on loopback, for the real `huggingface_hub` client.

    with StandInHub() as hub:
        commit = hub.publish("user/name", folder)       # one more commit on `main`
        hub.inject("hang", r"GET .*/resolve/.*h5")      # a fault, see Fault
        ...                                             # HF_ENDPOINT=hub.endpoint
        assert hub.requests == []                       # "METHOD path", in order of arrival

Served, as far as a download needs it: information and tree of a revision, HEAD and GET of a file with
`Range`, and the Hub's error codes. Commits are 40 hexadecimal digits; tags and branches point to them.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import MappingProxyType
from urllib.parse import unquote, urlsplit

Files = Mapping[str, bytes]

_INFO = re.compile(r"/api/models/(?P<repo>[^/]+/[^/]+)/revision/(?P<revision>[^/]+)")
_TREE = re.compile(r"/api/models/(?P<repo>[^/]+/[^/]+)/tree/(?P<revision>[^/]+)")
_FILE = re.compile(r"/(?P<repo>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<file>.+)")


@dataclass
class Repository:
    """Commits with their files, and the branches and tags that point to them.

    gated   only requests with the Hub's token may read files
    hidden  files that the tree lists and that cannot be fetched
    """

    commits: dict[str, Files] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    gated: bool = False
    hidden: set[str] = field(default_factory=set)


@dataclass
class Fault:
    """What goes wrong with requests whose "METHOD path" matches a pattern: after `skip` good ones, `times` times.

    hang      the connection is accepted and nothing is ever sent
    cut       the connection ends after half of the body
    <status>  that HTTP status, e.g. 429 or 503, with `Retry-After: 0`
    """

    kind: str | int
    pattern: str
    times: float = float("inf")
    skip: int = 0


class StandInHub:
    """The server; a context manager that listens on a free port of 127.0.0.1."""

    token = "hf_stand_in"

    def __init__(self):
        self.repositories: dict[str, Repository] = {}
        self.requests: list[str] = []
        self.closing = threading.Event()
        self._faults: list[Fault] = []
        self._lock = threading.Lock()
        hub = self

        class Handler(_Handler):
            def __init__(self, *args):
                self.hub = hub
                super().__init__(*args)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self) -> StandInHub:
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.close()

    @property
    def endpoint(self) -> str:
        """What HF_ENDPOINT must be."""
        return f"http://127.0.0.1:{self._server.server_port}"

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
        repository = self.repositories.setdefault(repo, Repository())
        seed = [repo, len(repository.commits), sorted((name, _oid(data)) for name, data in files.items())]
        commit = hashlib.sha1(json.dumps(seed).encode()).hexdigest()
        repository.commits[commit] = dict(files)
        repository.refs[branch] = commit
        return commit

    def inject(self, kind: str | int, pattern: str, **when: float) -> None:
        """Switch a Fault on."""
        self._faults.append(Fault(kind, pattern, **when))

    def arrived(self, request: str) -> Fault | None:
        """Log a request; return the fault that it meets, if any."""
        with self._lock:
            self.requests.append(request)
            for fault in self._faults:
                if not re.search(fault.pattern, request) or fault.times <= 0:
                    continue
                if fault.skip > 0:
                    fault.skip -= 1
                else:
                    fault.times -= 1
                    return fault
        return None


class _Handler(BaseHTTPRequestHandler):
    # HTTP/1.0 closes each connection, so nothing is kept alive when the server is gone.
    hub: StandInHub

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def log_message(self, *_) -> None:
        """The request log takes the place of lines on stderr."""

    def _answer(self) -> None:
        path = urlsplit(self.path).path
        fault = self.hub.arrived(f"{self.command} {unquote(path)}")
        self.cut = fault is not None and fault.kind == "cut"
        if fault is not None and fault.kind == "hang":
            self.hub.closing.wait()
            self.close_connection = True
        elif fault is not None and isinstance(fault.kind, int):
            self._send(fault.kind, headers={"Retry-After": "0"})
        elif match := _INFO.fullmatch(path):
            self._info(**match.groupdict())
        elif match := _TREE.fullmatch(path):
            self._tree(**match.groupdict())
        elif match := _FILE.fullmatch(path):
            self._file(**match.groupdict())
        else:
            self._send(404)

    def _info(self, repo: str, revision: str) -> None:
        if commit := self._commit(repo, revision):
            self._send_json({"id": repo, "modelId": repo, "sha": commit})

    def _tree(self, repo: str, revision: str) -> None:
        if commit := self._commit(repo, revision):
            files = self.hub.repositories[repo].commits[commit].items()
            self._send_json([{"type": "file", "path": n, "size": len(d), "oid": _oid(d)} for n, d in files])

    def _file(self, repo: str, revision: str, file: str) -> None:
        commit = self._commit(repo, revision)
        if commit is None:
            return
        repository = self.hub.repositories[repo]
        data = repository.commits[commit].get(unquote(file))
        headers = {"X-Repo-Commit": commit}
        if repository.gated and self.headers.get("Authorization") != f"Bearer {self.hub.token}":
            self._send_error(403, "GatedRepo", headers)
        elif data is None or file in repository.hidden:
            self._send_error(404, "EntryNotFound", headers)
        else:
            self._send_range(data, headers | {"ETag": f'"{_oid(data)}"', "Accept-Ranges": "bytes"})

    def _commit(self, repo: str, revision: str) -> str | None:
        """The commit of a revision, or None after an error has been sent."""
        repository = self.hub.repositories.get(repo)
        if repository is None:
            self._send_error(404, "RepoNotFound")
            return None
        revision = unquote(revision)
        commit = repository.refs.get(revision, revision)
        if commit not in repository.commits:
            self._send_error(404, "RevisionNotFound")
            return None
        return commit

    def _send_range(self, data: bytes, headers: dict[str, str]) -> None:
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if not match:
            self._send(200, data, headers)
            return
        start = int(match[1])
        self._send(206, data[start:], headers | {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"})

    def _send_json(self, content: object) -> None:
        self._send(200, json.dumps(content).encode(), {"Content-Type": "application/json"})

    def _send_error(self, status: int, code: str, headers: Mapping[str, str] = MappingProxyType({})) -> None:
        self._send(status, headers={**headers, "X-Error-Code": code})

    def _send(self, status: int, body: bytes = b"", headers: Mapping[str, str] = MappingProxyType({})) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[: len(body) // 2] if self.cut else body)


def _oid(data: bytes) -> str:
    """The id of a file's content, as git makes it; the Hub sends it as ETag."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
