"""What a repository of the Hub is to hold: shown, then published as one commit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.utils.sha import git_hash

from train.publish.hub_client import NOTHING_PUBLISHED, UNKNOWN, PublishError, told_errors
from train.publish.hub_repository import Remote, Repository

NO_COMMIT = f"{NOTHING_PUBLISHED} The same command goes on from here; files that have arrived are not sent again."


@dataclass(frozen=True)
class Upload:
    """What a repository of the Hub is to hold.

    remote     what it holds now; None when it does not exist, or was not asked
    files      path -> content
    deleted    paths that go
    variables  of a Space
    notes      sentences for whoever publishes
    """

    repository: Repository
    remote: Remote | None
    files: Mapping[str, bytes | Path]
    message: str
    deleted: Sequence[str] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()

    @cached_property
    def additions(self) -> dict[str, CommitOperationAdd]:
        """The files as the client takes them, with their sizes and hashes."""
        return {path: CommitOperationAdd(path, content) for path, content in self.files.items()}

    @cached_property
    def differing(self) -> dict[str, str]:
        """Path -> `new`, `changed` or `deleted`: what a commit must do."""
        there = self.remote.files if self.remote else {}
        states = {
            path: "changed" if path in there else "new"
            for path, addition in self.additions.items()
            if path not in there or not _is_content(addition, there[path])
        }
        return states | dict.fromkeys(self.deleted, "deleted")

    def describe(self) -> str:
        """One line per file that differs, with its size, then variables and notes."""
        rows = [
            (state, "" if state == "deleted" else _size(self.additions[path].upload_info.size), path)
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
        remote = self.remote or self._create(private)
        if private and not remote.private:  # also one that somebody made meanwhile
            raise PublishError(
                f"{self.repository.name} exists and is public. Make it private in its settings on the Hub, "
                f"or leave out --private. {NOTHING_PUBLISHED}"
            )
        result = {
            "repo": self.repository.name,
            "commit": self._commit(remote) if self.differing else remote.commit,
            "created": self.remote is None,
            "committed": bool(self.differing),
            "files": [*self.differing],
        }
        return result | ({"variables": self._set_variables(result["commit"])} if self.variables else {})

    def _create(self, private: bool) -> Remote:
        """Create the repository, a Space with its variables; return what it holds then."""
        rows = [{"key": key, "value": value} for key, value in self.variables.items()]
        space = {"space_sdk": "gradio", "space_variables": rows} if self.repository.kind == "space" else {}
        with told_errors(self.repository.name):
            HfApi().create_repo(**self.repository.id, private=private or None, exist_ok=True, **space)
        if remote := self.repository.look():
            return remote
        raise PublishError(f"The Hub does not show {self.repository.name}, which it has just made. {NOTHING_PUBLISHED}")

    def _commit(self, parent: Remote) -> str:
        """Make one commit on top of `parent`; return its 40 digits. It fails if `parent` is no longer the last one.

        `upload_folder` would take files from one folder only, and may split a large one into several commits.
        """
        additions = [addition for path, addition in self.additions.items() if path in self.differing]
        with told_errors(self.repository.name, NO_COMMIT, unanswered=UNKNOWN):
            made = HfApi().create_commit(
                **self.repository.id,
                operations=[*additions, *map(CommitOperationDelete, self.deleted)],
                commit_message=self.message,
                parent_commit=parent.commit,
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


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB"
