"""What a repository of the Hub is to hold: shown, then published as one commit."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .client import PublishError
from .hub import UNTOUCHED, Content, Remote, Repository, changes, size_of


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

    def differing(self) -> list[str]:
        """Paths that a commit must change."""
        states = changes(self.files, self.remote)
        return [*(path for path, state in states.items() if state != "unchanged"), *self.deleted]

    def describe(self) -> str:
        """One line per file that differs, with its size, then variables and notes."""
        states = changes(self.files, self.remote)
        differing = {path: state for path, state in states.items() if state != "unchanged"}
        rows = [(state, _size(size_of(self.files[path])), path) for path, state in differing.items()]
        rows += [("deleted", "", path) for path in self.deleted]
        rows += [("variable", "", f"{name}={value}") for name, value in self.variables.items()]
        if unchanged := len(states) - len(differing):
            rows.append(("unchanged", "", f"{unchanged} file{'' if unchanged == 1 else 's'}"))
        return "\n".join(
            [f"{self.repository.name}:", *(f"  {s:9}  {n:>9}  {text}" for s, n, text in rows), *self.notes]
        )

    def carry_out(self, *, private: bool = False) -> dict[str, Any]:
        """Publish what differs, in one commit; return what was done as plain JSON.

        Raises PublishError, also for a repository that is public and should be private.
        """
        if self.remote and private and not self.remote.private:
            raise PublishError(
                f"{self.repository.name} exists and is public. Make it private in its settings on the Hub, "
                f"or leave out --private. {UNTOUCHED}"
            )
        parent = self.remote or self.repository.create(private, self.variables)
        differing = dataclasses.replace(self, remote=parent).differing()
        commit = parent.commit
        if differing:
            files = {path: self.files[path] for path in differing if path in self.files}
            commit = self.repository.commit(parent, files, self.deleted, self.message)
        result = {
            "repo": self.repository.name,
            "commit": commit,
            "created": self.remote is None,
            "committed": bool(differing),
            "files": differing,
        }
        if self.variables:
            state = f"The files are published, as commit {commit}; the variables are not. The same command sets them."
            result["variables"] = self.repository.set_variables(self.variables, state)
        return result


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB"
