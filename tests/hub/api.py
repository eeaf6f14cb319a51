"""What the stand-in Hub answers, for models and Spaces.

Served: information and tree of a revision, HEAD and GET of a file with `Range`, creation, upload of small files in the
commit and of large ones by Git LFS, variables of a Space, and the Hub's error codes. Clients must set
HF_HUB_DISABLE_XET=1: the newer upload is not served. Every account is a member of the organisation `club`, and can read
everybody's repositories.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from typing import NoReturn

from flask import Response, abort, make_response, request
from werkzeug.routing import BaseConverter

from .metadata import problems_of
from .store import Account, Files, Repository, entry, etag, is_large

ORGANISATION = "club"
ROUTES = [
    ("GET", "/api/whoami-v2", "whoami"),
    ("POST", "/api/repos/create", "create"),
    ("POST", "/api/validate-yaml", "validate"),
    ("GET", "/api/<key:key>", "info"),
    ("GET", "/api/<key:key>/revision/<revision>", "info"),
    ("GET", "/api/<key:key>/tree/<revision>", "tree"),
    ("POST", "/api/<key:key>/preupload/<revision>", "preupload"),
    ("POST", "/api/<key:key>/commit/<revision>", "commit"),
    ("GET POST", "/api/<key:key>/variables", "variables"),
    ("POST", "/<key:key>.git/info/lfs/objects/batch", "lfs_batch"),
    ("PUT", "/lfs/<oid>", "lfs_put"),
    ("GET", "/<key:key>/resolve/<revision>/<path:file>", "file"),
]


class Key(BaseConverter):
    """The key of a repository: "user/name" of a model, "spaces/user/name" of a Space."""

    regex = "(?:models/|spaces/)?[^/]+/[^/]+?"
    part_isolating = False

    def to_python(self, value: str) -> str:
        return value.removeprefix("models/")


def refuse(status: int, code: str = "", message: str = "", **headers: str) -> NoReturn:
    """Answer with an error: its status, the Hub's code for it, a sentence."""
    named = {"X-Error-Code": code, "X-Error-Message": message} | headers
    abort(make_response({"error": message}, status, {name: value for name, value in named.items() if value}))


class Api:
    """The answers, from `repositories` and `accounts` as in `StandInHub`."""

    def __init__(self, repositories: dict[str, Repository], accounts: dict[str, Account]):
        self.repositories, self.accounts = repositories, accounts
        self.objects: dict[str, bytes] = {}  # large files by sha256, uploaded but perhaps not in a commit yet
        self.lock = threading.Lock()

    def whoami(self) -> dict:
        account = self._account()
        token = {"displayName": "stand-in", "role": account.role}
        return {
            "name": account.name, "orgs": [{"name": ORGANISATION, "type": "org"}], "auth": {"accessToken": token}
        }  # fmt: skip

    def create(self) -> tuple[dict, int]:
        wanted = request.json
        repo = f"{wanted['organization'] or self._account().name}/{wanted['name']}"
        key = f"spaces/{repo}" if wanted.get("type") == "space" else repo
        self._require_write(key)
        if wanted.get("sdk", "static") != "static" and not self._account().pays:
            refuse(402, message="Gradio and Docker Spaces require a paid plan.")
        url = {"url": f"{request.host_url}{key}"}
        with self.lock:
            if key in self.repositories:
                return {"error": "You already created this repo"} | url, 409
            repository = self.repositories[key] = Repository(key, private=wanted.get("visibility") == "private")
            repository.variables = {row["key"]: row["value"] for row in wanted.get("variables", [])}
            repository.commit(_first_files(wanted))
        return url, 200

    def validate(self) -> tuple[dict, int]:
        problems = [{"message": text} for text in problems_of(request.json["content"], request.json["repoType"])]
        return {"errors": problems, "warnings": []}, 400 if problems else 200

    def info(self, key: str, revision: str = "main") -> dict:
        repository, commit = self._find(key, revision)
        return {"id": key.removeprefix("spaces/"), "sha": commit, "private": repository.private}

    def tree(self, key: str, revision: str) -> list[dict]:
        repository, commit = self._find(key, revision)
        return [entry(name, data) for name, data in repository.commits[commit].items()]

    def file(self, key: str, revision: str, file: str) -> Response:
        repository, commit = self._find(key, revision)
        about = {"X-Repo-Commit": commit}
        if repository.gated and not self._is_known():
            refuse(403, "GatedRepo", **about)
        data = repository.commits[commit].get(file)
        if data is None:
            refuse(404, "EntryNotFound", **about)
        response = Response(data, headers=about)
        response.set_etag(etag(file, data))
        return response.make_conditional(request, accept_ranges=True, complete_length=len(data))

    def preupload(self, key: str, revision: str) -> dict:
        repository, commit = self._find(key, revision)
        self._require_write(key)
        there = repository.commits[commit]
        files = []
        for row in request.json["files"]:
            path, mode = row["path"], "lfs" if is_large(row["path"], row["size"]) else "regular"
            oid = etag(path, there[path]) if path in there else None
            files.append({"path": path, "uploadMode": mode, "shouldIgnore": False, "oid": oid})
        return {"files": files}

    def lfs_batch(self, key: str) -> dict:
        self._find(key, "main")
        self._require_write(key)
        wanted = request.get_json(force=True)["objects"]
        rows = [{"oid": row["oid"], "size": row["size"]} for row in wanted]
        for row in rows:
            if row["oid"] not in self.objects:
                row["actions"] = {"upload": {"href": f"{request.host_url}lfs/{row['oid']}"}}
        return {"transfer": "basic", "objects": rows}

    def lfs_put(self, oid: str) -> str:
        data = request.get_data()
        if hashlib.sha256(data).hexdigest() != oid:
            refuse(400, message="The content does not have that sha256.")
        self.objects[oid] = data
        return ""

    def commit(self, key: str, revision: str) -> dict:
        """All lines are understood before anything changes: a commit is made whole or not at all."""
        header, *changes = map(json.loads, request.get_data().splitlines())
        with self.lock:
            repository, parent = self._find(key, revision)
            self._require_write(key)
            if header["value"].get("parentCommit", parent) != parent:
                refuse(412, message="A commit has happened since. Please refresh and try again.")
            files = dict(repository.commits[parent])
            for change in changes:
                path, data = self._changed(change["key"], change["value"])
                if data is None:
                    files.pop(path, None)
                else:
                    files[path] = data
            commit = repository.commit(files, revision)
        return {"commitUrl": f"{request.host_url}{key}/commit/{commit}", "commitOid": commit}

    def variables(self, key: str) -> dict:
        self._require_write(key)
        repository, _ = self._find(key, "main")
        if request.method == "POST":
            repository.variables[request.json["key"]] = request.json["value"]
        return {name: {"value": value} for name, value in repository.variables.items()}

    def _changed(self, kind: str, value: dict) -> tuple[str, bytes | None]:
        """Path and content of one line of a commit; no content for a file that is deleted."""
        if kind == "file":
            return value["path"], base64.b64decode(value["content"])
        if kind == "lfsFile" and value["oid"] in self.objects:
            return value["path"], self.objects[value["oid"]]
        if kind == "deletedFile":
            return value["path"], None
        refuse(400, message=f"{kind} {value.get('path')} cannot be committed.")

    def _find(self, key: str, revision: str) -> tuple[Repository, str]:
        """A repository and the commit of its revision."""
        repository = self.repositories.get(key)
        if repository is None or (repository.private and not self._is_known()):
            refuse(404, "RepoNotFound", "Repository not found")
        commit = repository.find(revision)
        if commit is None:
            refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return repository, commit

    def _token(self) -> str:
        return request.headers.get("Authorization", "").removeprefix("Bearer ")

    def _is_known(self) -> bool:
        return self._token() in self.accounts

    def _account(self) -> Account:
        if not self._is_known():
            refuse(401, message="Invalid username or password.")
        return self.accounts[self._token()]

    def _require_write(self, key: str) -> None:
        account = self._account()
        if account.role != "write":
            refuse(403, message="You must use a write token to upload to a repository.")
        if key.removeprefix("spaces/").split("/")[0] not in (account.name, ORGANISATION):
            refuse(403, message="You don't have the rights to write under this namespace.")


def _first_files(wanted: dict) -> Files:
    """What the Hub itself puts into a new repository."""
    files = {".gitattributes": b"*.h5 filter=lfs diff=lfs merge=lfs -text\n"}
    if wanted.get("type") == "space":
        front = f"title: {wanted['name']}\nemoji: \N{ELEPHANT}\ncolorFrom: red\ncolorTo: gray\nsdk: {wanted['sdk']}"
        text = "Check out the configuration reference at https://huggingface.co/docs/hub/spaces-config-reference"
        files["README.md"] = f"---\n{front}\n---\n\n{text}\n".encode()
    return files
