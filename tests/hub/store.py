"""What a stand-in Hub holds, in memory: repositories, their commits, large files, accounts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

Files = Mapping[str, bytes]

# Larger files, and `.h5` files as the Hub's .gitattributes says, are kept by Git LFS.
LARGE = 10 * 2**20
_POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize {}\n"


@dataclass
class Repository:
    """Commits with their files, and the branches and tags that point to them.

    gated      only requests with a token may read files
    private    requests without a token are told that there is no such repository
    variables  of a Space: name -> value
    """

    name: str
    commits: dict[str, Files] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    gated: bool = False
    private: bool = False
    variables: dict[str, str] = field(default_factory=dict)

    def commit(self, files: Files, branch: str = "main") -> str:
        """Add a commit with exactly these files and move a branch to it; return its 40 hexadecimal digits."""
        seed = [self.name, len(self.commits), sorted((name, git_oid(data)) for name, data in files.items())]
        commit = hashlib.sha1(json.dumps(seed).encode()).hexdigest()
        self.commits[commit] = dict(files)
        self.refs[branch] = commit
        return commit

    def find(self, revision: str) -> str | None:
        """The commit that a branch, a tag or a commit stands for."""
        commit = self.refs.get(revision, revision)
        return commit if commit in self.commits else None


@dataclass(frozen=True)
class Account:
    """Whom a token stands for, whether it may only read, and whether it pays, as Spaces that are not static demand."""

    name: str
    role: str = "write"
    pays: bool = True


def is_large(name: str, size: int) -> bool:
    return size > LARGE or (name.endswith(".h5") and size > 0)


def git_oid(data: bytes) -> str:
    """The id of a file's content, as git makes it; the Hub sends it as ETag of files outside LFS."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def entry(name: str, data: bytes) -> dict:
    """A file as the tree of a commit lists it."""
    row = {"type": "file", "path": name, "size": len(data), "oid": git_oid(data)}
    if is_large(name, len(data)):
        sha256 = hashlib.sha256(data).hexdigest()
        pointer = _POINTER.format(sha256, len(data)).encode()
        row |= {"oid": git_oid(pointer), "lfs": {"oid": sha256, "size": len(data), "pointerSize": len(pointer)}}
    return row


def etag(name: str, data: bytes) -> str:
    row = entry(name, data)
    return row["lfs"]["oid"] if "lfs" in row else row["oid"]
