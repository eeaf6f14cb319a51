"""What a repository of the Hub is to hold: shown, then published as one commit."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from train.publish.hub_client import PublishError
from train.publish.hub_repository import UNTOUCHED, Content, Remote, Repository, changes, size_of


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
    files: Mapping[str, Content]
    message: str
    deleted: Sequence[str] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()

    @cached_property
    def differing(self) -> dict[str, str]:
        """Path -> `new`, `changed` or `deleted`: what a commit must do."""
        return changes(self.files, self.remote) | dict.fromkeys(self.deleted, "deleted")

    def describe(self) -> str:
        """One line per file that differs, with its size, then variables and notes."""
        rows = [
            (state, "" if state == "deleted" else _size(size_of(self.files[path])), path)
            for path, state in self.differing.items()
        ]
        rows += [("variable", "", f"{name}={value}") for name, value in self.variables.items()]
        if unchanged := len(self.files.keys() - self.differing.keys()):
            rows.append(("unchanged", "", f"{unchanged} file{'' if unchanged == 1 else 's'}"))
        return "\n".join(
            [f"{self.repository.name}:", *(f"  {s:9}  {n:>9}  {text}" for s, n, text in rows), *self.notes]
        )

    def carry_out(self, *, private: bool = False) -> dict[str, Any]:
        """Publish what differs, in one commit; return what was done as plain JSON.

        Raises PublishError, also for a repository that is public and should be private.
        """
        created = self.remote is None
        if created:
            self = dataclasses.replace(self, remote=self.repository.create(private, self.variables))
        if private and not self.remote.private:  # also one that somebody made meanwhile
            raise PublishError(
                f"{self.repository.name} exists and is public. Make it private in its settings on the Hub, "
                f"or leave out --private. {UNTOUCHED}"
            )
        commit = self.remote.commit
        if self.differing:
            files = {path: self.files[path] for path in self.differing if path in self.files}
            commit = self.repository.commit(self.remote, files, self.deleted, self.message)
        result = {
            "repo": self.repository.name,
            "commit": commit,
            "created": created,
            "committed": bool(self.differing),
            "files": [*self.differing],
        }
        if self.variables:
            state = f"The files are published, as commit {commit}; the variables are not. The same command sets them."
            result["variables"] = self.repository.set_variables(self.variables, state)
        return result


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB"
