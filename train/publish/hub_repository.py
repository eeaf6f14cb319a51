"""Repositories of the Hub, to write to: what they hold, and one commit per publication.

The client reads HF_ENDPOINT, HF_TOKEN and HF_HOME by itself. Reading for the apps is `catdog.models.hub`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from catdog.models.spec import sha256_of
from train.publish.hub_client import PublishError, retried, rewrapped

Content = bytes | Path

UNTOUCHED = "Nothing was published."
NOT_COMMITTED = (
    "Nothing was published: all files go in one commit, and it was not made. "
    "The same command goes on from here; large files that have arrived are not sent again."
)
UNKNOWN = "Whether the commit was made is not known; the same command finds out, and does only what is missing."


@dataclass(frozen=True)
class Remote:
    """A commit of a repository on the Hub.

    files  path -> sha256 for files in Git LFS, else the id that git gives the content
    """

    commit: str
    private: bool
    files: Mapping[str, str]


class Repository:
    """A repository `user/name` that holds models (kind `model`) or is a Space (kind `space`)."""

    def __init__(self, name: str, kind: str = "model"):
        from huggingface_hub import HfApi

        self.name, self.kind, self._api = name, kind, HfApi()
        self._id = {"repo_id": name, "repo_type": kind}

    def look(self, revision: str = "main") -> Remote | None:
        """The commit of a revision with its files, or None when this token sees no such repository."""
        from huggingface_hub import RepoFile
        from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

        with rewrapped(self.name, UNTOUCHED):
            try:
                info = retried(lambda: self._api.repo_info(**self._id, revision=revision))
            except GatedRepoError:
                raise
            except RepositoryNotFoundError:
                return None
            listed = self._api.list_repo_tree(**self._id, revision=info.sha, recursive=True)
            files = {e.path: e.lfs.sha256 if e.lfs else e.blob_id for e in listed if isinstance(e, RepoFile)}
            return Remote(info.sha, bool(info.private), files)

    def read(self, path: str, commit: str) -> str:
        """A text file of a commit."""
        with rewrapped(self.name, UNTOUCHED):
            return Path(self._api.hf_hub_download(filename=path, revision=commit, **self._id)).read_text("utf-8")

    def require_permission(self) -> None:
        """Raise PublishError unless there is a token that may write to repositories of this owner."""
        from huggingface_hub import constants, get_token
        from huggingface_hub.errors import HfHubHTTPError

        advice = f"Make one at {constants.ENDPOINT}/settings/tokens and set HF_TOKEN to it, or run `hf auth login`."
        with rewrapped(self.name, UNTOUCHED):
            if not get_token():
                raise PublishError(f"Publishing needs a token of the Hub that may write. {advice}")
            try:
                account = retried(self._api.whoami)
            except HfHubHTTPError as error:
                if error.response.status_code in (403, 404):
                    return  # a token that cannot say whose it is may still write
                raise
            user, owner = account["name"], self.name.partition("/")[0]
            if account.get("auth", {}).get("accessToken", {}).get("role") == "read":
                raise PublishError(f"The token of {user} may only read, not write. {advice}")
            if owner.lower() not in [name.lower() for name in (user, *(o["name"] for o in account.get("orgs", [])))]:
                raise PublishError(
                    f"The token belongs to {user}, who cannot write to repositories of {owner}. "
                    f"Publish to {user}/{self.name.partition('/')[2]}, or set HF_TOKEN to a token of {owner}."
                )

    def create(self, private: bool, variables: Mapping[str, str]) -> Remote:
        """Create the repository, a Space with its variables; return what it holds then."""
        rows = [{"key": key, "value": value} for key, value in variables.items()]
        space = {"space_sdk": "gradio", "space_variables": rows} if self.kind == "space" else {}
        with rewrapped(self.name, UNTOUCHED):
            retried(lambda: self._api.create_repo(**self._id, private=private or None, exist_ok=True, **space))
        if remote := self.look():
            return remote
        raise PublishError(f"The Hub does not show {self.name}, which it has just made. {UNTOUCHED}")

    def commit(self, parent: Remote, files: Mapping[str, Content], deleted: Iterable[str], message: str) -> str:
        """Add or replace `files` and remove `deleted` in one commit on top of `parent`; return its 40 digits.

        Large files are sent first, and nobody sees them before the commit. It fails if `parent` is no longer
        the last one.
        """
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete

        for content in files.values():
            size_of(content)  # of a file that has gone the client would say something else than OSError
        additions = [CommitOperationAdd(path, content) for path, content in files.items()]
        with rewrapped(self.name, NOT_COMMITTED):
            self._api.preupload_lfs_files(self.name, additions, repo_type=self.kind, free_memory=False)
        with rewrapped(self.name, NOT_COMMITTED, unanswered=UNKNOWN):
            made = retried(
                lambda: self._api.create_commit(
                    **self._id,
                    operations=[*additions, *map(CommitOperationDelete, deleted)],
                    commit_message=message,
                    parent_commit=parent.commit,
                )
            )
        return made.oid

    def set_variables(self, variables: Mapping[str, str], state: str) -> list[str]:
        """Set those variables of a Space that differ; return their names. An error ends with `state`."""
        with rewrapped(self.name, state):
            there = retried(lambda: self._api.get_space_variables(self.name))
            differing = [key for key, value in variables.items() if key not in there or there[key].value != value]
            for key in differing:
                retried(lambda key=key: self._api.add_space_variable(self.name, key, variables[key]))
        return differing


def changes(files: Mapping[str, Content], remote: Remote | None) -> dict[str, str]:
    """Path -> `new` or `changed`, in the order of `files`, of those that are not there as they are here."""
    there = remote.files if remote else {}
    return {
        path: "changed" if path in there else "new"
        for path, content in files.items()
        if path not in there or not is_content(content, there[path])
    }


def is_content(content: Content, hub_id: str) -> bool:
    """Whether the Hub knows this content by that id: a sha256 for files in Git LFS, else what git gives it."""
    from huggingface_hub.utils.sha import git_hash

    if len(hub_id) == 64:
        return (hashlib.sha256(content).hexdigest() if isinstance(content, bytes) else sha256_of(content)) == hub_id
    return git_hash(content if isinstance(content, bytes) else content.read_bytes()) == hub_id


def size_of(content: Content) -> int:
    return len(content) if isinstance(content, bytes) else content.stat().st_size
