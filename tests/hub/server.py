"""A stand-in for the Hugging Face Hub on loopback, for the real `huggingface_hub` client.

    with StandInHub() as hub:
        commit = hub.publish("user/name", folder)       # one more commit on `main`
        hub.inject("hang", r"GET .*/resolve/.*h5")      # a fault, see Fault
        ...                                             # HF_ENDPOINT=hub.endpoint, HF_TOKEN=hub.token
        assert hub.requests == []                       # "METHOD path", in order of arrival

Served, for models and Spaces: information and tree of a revision, HEAD and GET of a file with `Range`,
creation, upload of small files in the commit and of large ones by Git LFS, variables of a Space, and the
Hub's error codes. Clients must set HF_HUB_DISABLE_XET=1: the newer upload is not served. The token
`hf_stand_in` belongs to the account `user`, which is a member of the organisation `club`; the token
`hf_read_only` is the same account's and may not write. Everybody else's repositories can be read.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote, urlsplit

from .metadata import problems_of
from .store import Account, Files, Repository, entry, etag, is_large

_NAME = r"(?P<repo>[^/]+/[^/]+)"
_API = rf"/api/(?P<kind>models|spaces)/{_NAME}"
_ROUTES = [
    ("GET", r"/api/whoami-v2", "_whoami"),
    ("POST", r"/api/repos/create", "_create"),
    ("POST", r"/api/validate-yaml", "_validate"),
    ("GET", rf"{_API}(/revision/(?P<revision>[^/]+))?", "_info"),
    ("GET", rf"{_API}/tree/(?P<revision>[^/]+)", "_tree"),
    ("POST", rf"{_API}/preupload/(?P<revision>[^/]+)", "_preupload"),
    ("POST", rf"{_API}/commit/(?P<revision>[^/]+)", "_commit"),
    ("GET POST", rf"{_API}/variables", "_variables"),
    ("POST", rf"/(?P<kind>spaces)?/?{_NAME}\.git/info/lfs/objects/batch", "_lfs_batch"),
    ("PUT", r"/lfs/(?P<oid>[0-9a-f]{64})", "_lfs_put"),
    ("GET HEAD", rf"/((?P<kind>spaces)/)?{_NAME}/resolve/(?P<revision>[^/]+)/(?P<file>.+)", "_file"),
]


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


class StandInHub:
    """The server; a context manager that listens on 127.0.0.1, by default on a free port.

    repositories  "user/name" of a model, "spaces/user/name" of a Space -> Repository
    accounts      token -> Account
    objects       large files by sha256, uploaded but perhaps not in a commit yet
    """

    token = "hf_stand_in"
    read_only_token = "hf_read_only"
    organisation = "club"

    def __init__(self, port: int = 0):
        self.repositories: dict[str, Repository] = {}
        self.accounts = {self.token: Account("user"), self.read_only_token: Account("user", "read")}
        self.objects: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.closing = threading.Event()
        self.lock = threading.Lock()
        self._faults: list[Fault] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", port), functools.partial(_Handler, self))
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
        return self.repositories.setdefault(repo, Repository(repo)).commit(files, branch)

    def inject(self, kind: str | int, pattern: str, **when: float) -> None:
        """Switch a Fault on."""
        self._faults.append(Fault(kind, pattern, **when))

    def arrived(self, request: str) -> Fault | None:
        """Log a request; return the fault that it meets, if any."""
        with self.lock:
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


def _first_files(wanted: Mapping[str, Any]) -> Files:
    """What the Hub itself puts into a new repository."""
    files = {".gitattributes": b"*.h5 filter=lfs diff=lfs merge=lfs -text\n"}
    if wanted.get("type") == "space":
        front = f"title: {wanted['name']}\nemoji: \N{ELEPHANT}\ncolorFrom: red\ncolorTo: gray\nsdk: {wanted['sdk']}"
        text = "Check out the configuration reference at https://huggingface.co/docs/hub/spaces-config-reference"
        files["README.md"] = f"---\n{front}\n---\n\n{text}\n".encode()
    return files


class _Refused(Exception):
    """A request that is answered with an error: its status, the Hub's code for it, a sentence."""

    def __init__(self, status: int, code: str = "", message: str = "", **headers: str):
        self.status, self.message = status, message
        named = {"X-Error-Code": code, "X-Error-Message": message, **headers}
        self.headers = {name.replace("_", "-"): value for name, value in named.items() if value}


class _Handler(BaseHTTPRequestHandler):
    # HTTP/1.0 closes each connection, so nothing is kept alive when the server is gone.
    def __init__(self, hub: StandInHub, *arguments):
        self.hub = hub
        super().__init__(*arguments)

    def log_message(self, *_) -> None:
        """The request log takes the place of lines on stderr."""

    def _answer(self) -> None:
        path = urlsplit(self.path).path
        fault = self.hub.arrived(f"{self.command} {unquote(path)}")
        self.fault = fault.kind if fault else None
        if self.fault == "hang":
            self.hub.closing.wait()
        elif isinstance(self.fault, int):
            self._send(self.fault, headers={"Retry-After": str(fault.retry_after)})
        elif self.fault == "cut" and self.command in ("POST", "PUT"):
            self.rfile.read(int(self.headers.get("Content-Length", 2)) // 2)
        else:
            self._dispatch(path)
        self.close_connection = True

    do_HEAD = do_GET = do_POST = do_PUT = _answer

    def _dispatch(self, path: str) -> None:
        self.body = self._read_body()
        for methods, pattern, name in _ROUTES:
            match = re.fullmatch(pattern, path)
            if match and self.command in methods.split():
                try:
                    getattr(self, name)(**{key: unquote(value or "") for key, value in match.groupdict().items()})
                except _Refused as error:
                    self._send_json({"error": error.message}, error.status, error.headers)
                return
        self._send(404)

    def _whoami(self) -> None:
        account = self._account()
        token = {"displayName": "stand-in", "role": account.role}
        orgs = [{"name": self.hub.organisation, "type": "org"}]
        self._send_json({"name": account.name, "orgs": orgs, "auth": {"accessToken": token}})

    def _create(self) -> None:
        wanted = json.loads(self.body)
        repo = f"{wanted['organization'] or self._account().name}/{wanted['name']}"
        self._require_write(repo)
        key = f"spaces/{repo}" if wanted.get("type") == "space" else repo
        url = {"url": f"{self.hub.endpoint}/{key}"}
        with self.hub.lock:
            if key in self.hub.repositories:
                self._send_json({"error": "You already created this repo"} | url, 409)
                return
            repository = self.hub.repositories[key] = Repository(key, private=wanted.get("visibility") == "private")
            repository.variables = {row["key"]: row["value"] for row in wanted.get("variables", [])}
            repository.commit(_first_files(wanted))
        self._send_json(url)

    def _validate(self) -> None:
        wanted = json.loads(self.body)
        problems = [{"message": text} for text in problems_of(wanted["content"], wanted["repoType"])]
        self._send_json({"errors": problems, "warnings": []}, 400 if problems else 200)

    def _info(self, kind: str, repo: str, revision: str) -> None:
        repository, commit = self._find(kind, repo, revision or "main")
        self._send_json({"id": repo, "sha": commit, "private": repository.private})

    def _tree(self, kind: str, repo: str, revision: str) -> None:
        repository, commit = self._find(kind, repo, revision)
        self._send_json([entry(name, data) for name, data in repository.commits[commit].items()])

    def _file(self, kind: str, repo: str, revision: str, file: str) -> None:
        repository, commit = self._find(kind, repo, revision)
        data = repository.commits[commit].get(file)
        if repository.gated and not self._is_known():
            raise _Refused(403, "GatedRepo", X_Repo_Commit=commit)
        if data is None:
            raise _Refused(404, "EntryNotFound", X_Repo_Commit=commit)
        self._send_range(data, {"X-Repo-Commit": commit, "ETag": f'"{etag(file, data)}"', "Accept-Ranges": "bytes"})

    def _preupload(self, kind: str, repo: str, revision: str) -> None:
        repository, commit = self._find(kind, repo, revision)
        self._require_write(repo)
        there = repository.commits[commit]
        files = []
        for row in json.loads(self.body)["files"]:
            path, mode = row["path"], "lfs" if is_large(row["path"], row["size"]) else "regular"
            oid = etag(path, there[path]) if path in there else None
            files.append({"path": path, "uploadMode": mode, "shouldIgnore": False, "oid": oid})
        self._send_json({"files": files})

    def _lfs_batch(self, kind: str, repo: str) -> None:
        self._find(kind, repo, "main")
        self._require_write(repo)
        rows = [{"oid": row["oid"], "size": row["size"]} for row in json.loads(self.body)["objects"]]
        for row in rows:
            if row["oid"] not in self.hub.objects:
                row["actions"] = {"upload": {"href": f"{self.hub.endpoint}/lfs/{row['oid']}"}}
        self._send_json({"transfer": "basic", "objects": rows})

    def _lfs_put(self, oid: str) -> None:
        if hashlib.sha256(self.body).hexdigest() != oid:
            raise _Refused(400, message="The content does not have that sha256.")
        self.hub.objects[oid] = self.body
        self._send(200)

    def _commit(self, kind: str, repo: str, revision: str) -> None:
        """All lines are understood before anything changes: a commit is made whole or not at all."""
        rows = [json.loads(line) for line in self.body.splitlines()]
        with self.hub.lock:
            repository, parent = self._find(kind, repo, revision)
            self._require_write(repo)
            if rows[0]["value"].get("parentCommit", parent) != parent:
                raise _Refused(412, message="A commit has happened since. Please refresh and try again.")
            files = dict(repository.commits[parent])
            for change in rows[1:]:
                path, data = self._changed(change["key"], change["value"])
                if data is None:
                    files.pop(path, None)
                else:
                    files[path] = data
            commit = repository.commit(files, revision)
        self._send_json({"commitUrl": f"{self.hub.endpoint}/{repository.name}/commit/{commit}", "commitOid": commit})

    def _changed(self, key: str, value: dict[str, Any]) -> tuple[str, bytes | None]:
        """Path and content of one line of a commit; no content for a file that is deleted."""
        if key == "file":
            return value["path"], base64.b64decode(value["content"])
        if key == "lfsFile" and value["oid"] in self.hub.objects:
            return value["path"], self.hub.objects[value["oid"]]
        if key == "deletedFile":
            return value["path"], None
        raise _Refused(400, message=f"{key} {value.get('path')} cannot be committed.")

    def _variables(self, kind: str, repo: str) -> None:
        self._require_write(repo)
        repository, _ = self._find(kind, repo, "main")
        if self.command == "POST":
            wanted = json.loads(self.body)
            repository.variables[wanted["key"]] = wanted["value"]
        self._send_json({name: {"value": value} for name, value in repository.variables.items()})

    def _find(self, kind: str, repo: str, revision: str) -> tuple[Repository, str]:
        """A repository and the commit of its revision."""
        repository = self.hub.repositories.get(f"spaces/{repo}" if kind == "spaces" else repo)
        if repository is None or (repository.private and not self._is_known()):
            raise _Refused(404, "RepoNotFound", "Repository not found")
        commit = repository.find(revision)
        if commit is None:
            raise _Refused(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return repository, commit

    def _is_known(self) -> bool:
        return self._token() in self.hub.accounts

    def _token(self) -> str:
        return self.headers.get("Authorization", "").removeprefix("Bearer ")

    def _account(self) -> Account:
        if not self._is_known():
            raise _Refused(401, message="Invalid username or password.")
        return self.hub.accounts[self._token()]

    def _require_write(self, repo: str) -> None:
        account = self._account()
        if account.role != "write":
            raise _Refused(403, message="You must use a write token to upload to a repository.")
        if repo.split("/")[0] not in (account.name, self.hub.organisation):
            raise _Refused(403, message="You don't have the rights to write under this namespace.")

    def _read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            return b"".join(self._read_chunks())
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _read_chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline(), 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def _send_range(self, data: bytes, headers: dict[str, str]) -> None:
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if not match:
            self._send(200, data, headers)
            return
        start = int(match[1])
        self._send(206, data[start:], headers | {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"})

    def _send_json(self, content: object, status: int = 200, headers: Mapping[str, str] = MappingProxyType({})) -> None:
        self._send(status, json.dumps(content).encode(), {**headers, "Content-Type": "application/json"})

    def _send(self, status: int, body: bytes = b"", headers: Mapping[str, str] = MappingProxyType({})) -> None:
        if self.fault == "lost":
            return
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[: len(body) // 2] if self.fault == "cut" else body)
