"""A repository of the Hub: what it holds, who may write to it, and what it is to hold, published as one commit."""

import contextlib
import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, RepoFile, constants, get_token
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError
from huggingface_hub.utils.sha import git_hash

from catdog.errors import ModelMismatch
from catdog.models.spec import ModelSpec
from catdog.wording import readable_size
from train.publish.hub_client import NOTHING_PUBLISHED, UNKNOWN, PublishError, told_errors

README = "README.md"
NO_COMMIT = f"{NOTHING_PUBLISHED} The same command goes on from here; files that have arrived are not sent again."
UNPAID_SPACE = (
    "Gradio and Docker Spaces need a paid plan, or one of the two ZeroGPU Spaces of a free account. A static Space is "
    "free: build its page with `make static`, and add --static build/static."
)


@dataclass(frozen=True)
class Repository:
    """A repository `user/name` that holds models (kind `model`) or is a Space (kind `space`), at a commit.

    commit  None where this token sees no such repository, or the Hub was not asked
    files   path -> sha256 for files in Git LFS, else the id that git gives the content
    """

    name: str
    kind: str = "model"
    commit: str | None = None
    private: bool = False
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def id(self) -> dict[str, str]:
        """The arguments that name it to the client's functions."""
        return {"repo_id": self.name, "repo_type": self.kind}

    def at(self, revision: str = "main") -> "Repository":
        """The repository as it is on the Hub at a revision."""
        with told_errors(self.name):
            try:
                info = HfApi().repo_info(**self.id, revision=revision)
            except GatedRepoError:
                raise
            except RepositoryNotFoundError:
                return Repository(self.name, self.kind)
            listed = HfApi().list_repo_tree(**self.id, revision=info.sha, recursive=True)
            files = {e.path: e.lfs.sha256 if e.lfs else e.blob_id for e in listed if isinstance(e, RepoFile)}
            return dataclasses.replace(self, commit=info.sha, private=bool(info.private), files=files)

    def readme(self) -> str | None:
        """Its README.md, or None where there is none."""
        return self.fetch(README).read_text("utf-8") if README in self.files else None

    def fetch(self, name: str) -> Path:
        """One of its files, in the Hub's cache."""
        with told_errors(self.name):
            return Path(HfApi().hf_hub_download(filename=name, revision=self.commit, **self.id))

    def specs(self) -> dict[str, ModelSpec]:
        """The specs of models that it holds: path -> spec, without files that are none."""
        found = {}
        for name in self.files:
            if re.fullmatch(r"[^/]+\.json", name):
                with contextlib.suppress(ModelMismatch):
                    found[name] = ModelSpec.read(self.fetch(name))
        return found

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
            user, (owner, _, name) = account["name"], self.name.partition("/")
            if account.get("auth", {}).get("accessToken", {}).get("role") == "read":
                raise PublishError(f"The token of {user} may only read, not write. {advice}")
            if owner.lower() not in [name.lower() for name in (user, *(o["name"] for o in account.get("orgs", [])))]:
                raise PublishError(
                    f"The token belongs to {user}, who cannot write to repositories of {owner}. "
                    f"Publish to {user}/{name}, or set HF_TOKEN to a token of {owner}."
                )


@dataclass(frozen=True)
class Upload:
    """What a repository is to hold.

    files      path -> content
    deleted    paths to delete
    variables  of a Space
    sdk        of a Space that is new
    notes      sentences for whoever publishes
    """

    repository: Repository
    files: Mapping[str, bytes | Path]
    message: str
    deleted: Sequence[str] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()
    sdk: str = "gradio"

    @cached_property
    def additions(self) -> dict[str, CommitOperationAdd]:
        """The files as the client takes them, with their sizes and hashes."""
        return {path: CommitOperationAdd(path, content) for path, content in self.files.items()}

    @cached_property
    def differing(self) -> dict[str, str]:
        """Path -> `new`, `changed` or `deleted`: what a commit must do."""
        there = self.repository.files
        states = {
            path: "changed" if path in there else "new"
            for path, addition in self.additions.items()
            if path not in there or not _is_content(addition, there[path])
        }
        return states | dict.fromkeys(self.deleted, "deleted")

    def describe(self) -> str:
        """One line per file that differs, with its size, then variables and notes."""
        rows = [
            (state, "" if state == "deleted" else readable_size(self.additions[path].upload_info.size), path)
            for path, state in self.differing.items()
        ]
        rows += [("variable", "", f"{name}={value}") for name, value in self.variables.items()]
        if unchanged := len(self.files.keys() - self.differing.keys()):
            rows.append(("unchanged", "", f"{unchanged} file{'' if unchanged == 1 else 's'}"))
        lines = [f"  {state:9}  {size:>9}  {text}" for state, size, text in rows]
        return "\n".join([f"{self.repository.name}:", *lines, *self.notes])

    def carry_out(self, *, private: bool = False) -> dict[str, Any]:
        """Publish what differs, in one commit; return what was done as plain JSON.

        Raises PublishError, also for a repository that is public and should be private.
        """
        there = self.repository if self.repository.commit else self._created(private)
        if private and not there.private:  # also one that somebody made meanwhile
            raise PublishError(
                f"{there.name} exists and is public. Make it private in its settings on the Hub, "
                f"or leave out --private. {NOTHING_PUBLISHED}"
            )
        commit = self._commit(there.commit) if self.differing else there.commit
        done = {"repo": there.name, "commit": commit, "created": not self.repository.commit}
        done |= {"committed": bool(self.differing), "files": [*self.differing]}
        return done | ({"variables": self._set_variables(commit)} if self.variables else {})

    def _created(self, private: bool) -> Repository:
        """Create the repository, a Space with its variables; return it as it is then."""
        repository = self.repository
        rows = [{"key": key, "value": value} for key, value in self.variables.items()]
        space = {"space_sdk": self.sdk, "space_variables": rows} if repository.kind == "space" else {}
        with told_errors(repository.name, unpaid=UNPAID_SPACE if space else ""):
            HfApi().create_repo(**repository.id, private=private or None, exist_ok=True, **space)
        created = repository.at()
        if not created.commit:
            raise PublishError(f"The Hub does not show {repository.name}, which it just made. {NOTHING_PUBLISHED}")
        return created

    def _commit(self, parent: str) -> str:
        """Make one commit on top of `parent`; return its 40 digits. It fails if `parent` is no longer the last one.

        `upload_folder` would take files from one folder only, and may split a large one into several commits.
        """
        additions = [addition for path, addition in self.additions.items() if path in self.differing]
        with told_errors(self.repository.name, NO_COMMIT, unanswered=UNKNOWN):
            made = HfApi().create_commit(
                **self.repository.id,
                operations=[*additions, *map(CommitOperationDelete, self.deleted)],
                commit_message=self.message,
                parent_commit=parent,
            )
        return made.oid

    def _set_variables(self, commit: str) -> list[str]:
        """Set those variables of the Space that differ; return their names."""
        name = self.repository.name
        state = f"The files are published, as commit {commit}; the variables are not. The same command sets them."
        with told_errors(name, state):
            there = {key: variable.value for key, variable in HfApi().get_space_variables(name).items()}
            differing = [key for key, value in self.variables.items() if there.get(key) != value]
            for key in differing:
                HfApi().add_space_variable(name, key, self.variables[key])
        return differing


def _is_content(addition: CommitOperationAdd, hub_id: str) -> bool:
    """Whether the Hub knows this content by that id: a sha256 for files in Git LFS, else what git gives it."""
    if len(hub_id) == 64:
        return addition.upload_info.sha256.hex() == hub_id
    with addition.as_file() as file:
        return git_hash(file.read()) == hub_id
