"""A repository of the Hub to write to: what it holds, and who may write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import HfApi, RepoFile, constants, get_token
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError

from train.publish.hub_client import PublishError, told_errors

README = "README.md"


@dataclass(frozen=True)
class Remote:
    """A commit of a repository on the Hub.

    files  path -> sha256 for files in Git LFS, else the id that git gives the content
    """

    commit: str
    private: bool
    files: Mapping[str, str]


@dataclass(frozen=True)
class Repository:
    """A repository `user/name` that holds models (kind `model`) or is a Space (kind `space`)."""

    name: str
    kind: str = "model"

    @property
    def id(self) -> dict[str, str]:
        """How the client's functions name it."""
        return {"repo_id": self.name, "repo_type": self.kind}

    def look(self, revision: str = "main") -> Remote | None:
        """The commit of a revision with its files, or None when this token sees no such repository."""
        with told_errors(self.name):
            try:
                info = HfApi().repo_info(**self.id, revision=revision)
            except GatedRepoError:
                raise
            except RepositoryNotFoundError:
                return None
            listed = HfApi().list_repo_tree(**self.id, revision=info.sha, recursive=True)
            files = {e.path: e.lfs.sha256 if e.lfs else e.blob_id for e in listed if isinstance(e, RepoFile)}
            return Remote(info.sha, bool(info.private), files)

    def readme(self, remote: Remote | None) -> str | None:
        """The README.md of a commit, or None where there is none."""
        if remote is None or README not in remote.files:
            return None
        with told_errors(self.name):
            return Path(HfApi().hf_hub_download(filename=README, revision=remote.commit, **self.id)).read_text("utf-8")

    def require_permission(self) -> None:
        """Raise PublishError unless there is a token that may write to repositories of this owner."""
        advice = f"Make one at {constants.ENDPOINT}/settings/tokens and set HF_TOKEN to it, or run `hf auth login`."
        with told_errors(self.name):
            if not get_token():
                raise PublishError(f"Publishing needs a token of the Hub that may write. {advice}")
            try:
                account = HfApi().whoami()
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
