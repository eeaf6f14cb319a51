"""Files of a Hugging Face Hub repository, through the Hub's own client and cache.

Every error of the client is rewrapped here, so that callers see ModelUnavailable (the settings are
wrong) or its subclass HubUnreachable (the network is, and a fallback may be taken). The client reads
HF_ENDPOINT, HF_HOME, HF_TOKEN and HF_HUB_OFFLINE by itself; it is imported when it is first needed.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Any, TypeVar

from catdog.errors import CatDogError, ModelUnavailable
from catdog.models.spec import find_specs, sha256_of

T = TypeVar("T")

# Seconds until a question to the Hub must have been answered, so that a start without the Hub stays under
# ten, imports included. The client's own limits add up to minutes: it retries, some of its requests have no
# timeout, and none of its timeouts covers the look-up of a name.
PATIENCE = 6.0
# Name of the threads that call the Hub.
THREAD = "catdog-hub"

_SUFFIXES = (".json", ".h5")  # in the order of download: a spec without its `.h5` shows what is missing
_SUBFOLDERS = "*/*"
_PASSING = (408, 429)  # statuses below 500 that speak of the moment, not of the request


class HubUnreachable(ModelUnavailable):
    """The Hub did not answer, or not as a Hub; `reason` says why, as a clause."""

    def __init__(self, repo: str, reason: str):
        super().__init__(f"The Hub repository {repo} cannot be reached ({reason}). Check the connection.")
        self.reason = reason


def cached(repo: str, revision: str) -> Path | None:
    """The folder of the Hub cache that holds a revision, named by its commit; None without one.

    Makes no request. The folder may lack files of an interrupted download, or that nobody asked for.
    """
    from huggingface_hub.errors import LocalEntryNotFoundError

    with _rewrapped(repo, revision):
        try:
            return Path(_snapshot(repo, revision, ["*.json"], local_files_only=True))
        except LocalEntryNotFoundError:
            return None


def is_listed(repo: str, commit: str) -> bool:
    """Whether the cache knows which files a commit has, and so `cached` gives none that lacks a spec; no request."""
    from huggingface_hub import get_cached_repo_tree
    from huggingface_hub.errors import CachedRepoTreeNotFoundError

    with _rewrapped(repo, commit):
        try:
            return bool(get_cached_repo_tree(repo, revision=commit))
        except CachedRepoTreeNotFoundError:
            return False


def is_offline() -> bool:
    """Whether somebody set HF_HUB_OFFLINE, so that no request is made."""
    from huggingface_hub import is_offline_mode

    return is_offline_mode()


def resolve(repo: str, revision: str) -> str:
    """Ask the Hub for the commit, 40 hexadecimal digits, that a revision stands for: one request."""
    from huggingface_hub import HfApi

    with _rewrapped(repo, revision):
        info = _patiently(repo, lambda: HfApi().model_info(repo, revision=revision, timeout=PATIENCE))
        if not info.sha:
            raise ValueError("its answer names no commit")
        return info.sha


def download(repo: str, revision: str, commit: str) -> Path:
    """Fetch the specs and `.h5` files of a commit that the cache lacks; return their folder in the cache.

    Other JSON files of the top folder come along: which are specs shows when they are read. A file that
    the repository lists and does not have is left out. A download may take as long as it needs, which may be
    that of another process. The cache learns what `revision` stands for last, when all files are there.
    """
    from huggingface_hub import HfApi

    with _rewrapped(repo, revision):
        listed = _patiently(repo, lambda: HfApi().list_repo_files(repo, revision=commit))
        wanted = [name for suffix in _SUFFIXES for name in listed if name.endswith(suffix) and "/" not in name]
        fetched = [path for path in (_fetch(repo, commit, name) for name in wanted) if path]
        if not fetched or not find_specs(fetched[0].parent):
            raise ModelUnavailable(
                f"The Hub repository {repo} has no model spec, a .json beside each .h5, at revision {revision}. "
                "Publish the models to it, or correct CATDOG_HUB_REPO and CATDOG_HUB_REVISION."
            )
    _remember(repo, revision, [path.name for path in fetched])
    return fetched[0].parent


def is_damaged(path: Path) -> bool:
    """Whether a file of the cache has not the content that the Hub has, by whose id there the cache names it."""
    try:
        return not is_content(path.resolve(), path.readlink().name)
    except OSError:  # also for a cache without links, which does not know
        return True


def is_content(content: bytes | Path, hub_id: str) -> bool:
    """Whether the Hub knows this content by that id: a sha256 for files in Git LFS, else what git gives it."""
    from huggingface_hub.utils.sha import git_hash

    if len(hub_id) == 64:
        return (hashlib.sha256(content).hexdigest() if isinstance(content, bytes) else sha256_of(content)) == hub_id
    return git_hash(content if isinstance(content, bytes) else content.read_bytes()) == hub_id


def forget(paths: Iterable[Path]) -> None:
    """Remove files from the cache, so that the next download fetches them again."""
    for path in paths:
        with contextlib.suppress(OSError):  # a cache that cannot be written keeps its damaged file
            blob = path.resolve()
            path.unlink(missing_ok=True)
            blob.unlink(missing_ok=True)


def _snapshot(repo: str, revision: str, patterns: list[str], **options: Any) -> str:
    from huggingface_hub import snapshot_download

    return snapshot_download(repo, revision=revision, allow_patterns=patterns, ignore_patterns=_SUBFOLDERS, **options)


def _remember(repo: str, revision: str, names: list[str]) -> None:
    """Let the client note in its cache which commit the revision is, and which files that commit has.

    All files are there, so nothing is downloaded; without the notes the next start asks the Hub again.
    """
    with contextlib.suppress(HubUnreachable), _rewrapped(repo, revision):
        _patiently(repo, lambda: _snapshot(repo, revision, names))


def _fetch(repo: str, commit: str, name: str) -> Path | None:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import RemoteEntryNotFoundError

    options = {"filename": name, "revision": commit, "etag_timeout": PATIENCE}
    try:
        _patiently(repo, lambda: hf_hub_download(repo, **options, dry_run=True))
        # A Hub that answered that may take its time, and so may another process that fetches the same file,
        # for which the client waits. It gives a silent Hub up by itself, after a minute or so.
        return Path(hf_hub_download(repo, **options))
    except RemoteEntryNotFoundError:
        return None


def _patiently(repo: str, call: Callable[[], T]) -> T:
    """The result of a Hub call that must return within PATIENCE seconds.

    The call runs in a thread that is left behind when it is too slow; a daemon, it holds up no exit.
    """
    future = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, name=THREAD, daemon=True).start()
    if not wait([future], timeout=PATIENCE).done:
        raise HubUnreachable(repo, f"no answer within {PATIENCE:g} seconds")
    return future.result()


@contextlib.contextmanager
def _rewrapped(repo: str, revision: str) -> Iterator[None]:
    """Turn any error of the client into ModelUnavailable or HubUnreachable."""
    try:
        yield
    except CatDogError:
        raise
    except Exception as error:  # the client raises its own, httpx's, OSError and ValueError
        raise translated(error, repo, revision) from error


def translated(error: Exception, repo: str, revision: str) -> ModelUnavailable:
    """What an error of the client means to somebody who reads from a repository."""
    from huggingface_hub import constants, errors

    if isinstance(error, errors.LocalEntryNotFoundError) and isinstance(error.__cause__, Exception):
        error = error.__cause__  # "not in the cache either", raised from what really happened
    match error:
        case errors.GatedRepoError():
            text = (
                f"The Hub repository {repo} is gated. Ask for access at {constants.ENDPOINT}/{repo} "
                "and set HF_TOKEN to a token of the account that has it."
            )
        case errors.RepositoryNotFoundError():
            text = (
                f"There is no Hub repository {repo}, or it is private. "
                "Correct CATDOG_HUB_REPO, or set HF_TOKEN to a token that may read it."
            )
        case errors.RevisionNotFoundError():
            text = (
                f"The Hub repository {repo} has no revision {revision}. "
                "Set CATDOG_HUB_REVISION to one of its commits, tags or branches."
            )
        case errors.HFValidationError():
            text = f"CATDOG_HUB_REPO must be a Hub repository like user/name. Received: {repo!r}."
        case errors.OfflineModeIsEnabled():
            return HubUnreachable(repo, "HF_HUB_OFFLINE is set")
        case errors.HfHubHTTPError() if (
            400 <= error.response.status_code < 500 and error.response.status_code not in _PASSING
        ):
            text = (
                f"The Hub refused to serve {repo} at revision {revision} with HTTP status "
                f"{error.response.status_code}. Check CATDOG_HUB_REPO, HF_TOKEN and HF_ENDPOINT."
            )
        case errors.HfHubHTTPError():
            return HubUnreachable(repo, f"it answered with HTTP status {error.response.status_code}")
        case OSError(errno=int()):
            text = (
                f"The Hub cache {constants.HF_HUB_CACHE} cannot hold {repo} ({error.strerror}). "
                "Set HF_HOME to a folder that can be written and has room."
            )
        case OSError() | errors.HTTPError():
            return HubUnreachable(repo, _first_line(error))
        case _:  # a sign-in page, or a proxy that is none, whose text may hold a password
            kind = type(error).__name__
            return HubUnreachable(repo, f"the client cannot use its settings or the answer: {kind}")
    return ModelUnavailable(text)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
