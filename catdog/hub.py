"""Files of a Hugging Face Hub repository, through the Hub's own client and cache.

Every error of the client is rewrapped here, so that callers see ModelUnavailable (the settings are
wrong) or its subclass HubUnreachable (the network is, and a fallback may be taken). The client reads
HF_ENDPOINT, HF_HOME, HF_TOKEN and HF_HUB_OFFLINE by itself; it is imported when it is first needed.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Any, TypeVar

from .errors import CatDogError, ModelUnavailable
from .spec import find_specs

T = TypeVar("T")

# Seconds until a Hub call must have answered, so that a start without the Hub stays under ten, imports
# included. The client's own limits add up to minutes: it retries, some of its requests have no timeout,
# and none of its timeouts covers the look-up of a name.
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

    Makes no request. The folder holds every spec; it may lack `.h5` files of an interrupted download.
    """
    from huggingface_hub.errors import LocalEntryNotFoundError

    with _rewrapped(repo, revision):
        try:
            return Path(_snapshot(repo, revision, ["*.json"], local_files_only=True))
        except LocalEntryNotFoundError:
            return None


def resolve(repo: str, revision: str) -> str:
    """Ask the Hub for the commit, 40 hexadecimal digits, that a revision stands for: one request."""
    from huggingface_hub import HfApi

    with _rewrapped(repo, revision):
        info = _patiently(repo, lambda _: HfApi().model_info(repo, revision=revision, timeout=PATIENCE))
        if not info.sha:
            raise ValueError("its answer names no commit")
        return info.sha


def download(repo: str, revision: str, commit: str) -> Path:
    """Fetch the specs and `.h5` files of a commit that the cache lacks; return their folder in the cache.

    Other JSON files of the top folder come along: which are specs shows when they are read. A file that
    the repository lists and does not have is left out. A download that has begun may take as long as it
    needs. The cache learns what `revision` stands for last, when all files are there.
    """
    from huggingface_hub import HfApi

    with _rewrapped(repo, revision):
        listed = _patiently(repo, lambda _: HfApi().list_repo_files(repo, revision=commit))
        wanted = [name for suffix in _SUFFIXES for name in listed if name.endswith(suffix) and "/" not in name]
        fetched = [path for path in (_fetch(repo, commit, name) for name in wanted) if path]
        if not fetched or not find_specs(fetched[0].parent):
            raise ModelUnavailable(
                f"The Hub repository {repo} has no model spec, a .json beside each .h5, at revision {revision}. "
                "Publish the models to it, or correct CATDOG_HUB_REPO and CATDOG_HUB_REVISION."
            )
    _remember(repo, revision, [path.name for path in fetched])
    return fetched[0].parent


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
        _patiently(repo, lambda _: _snapshot(repo, revision, names))


def _fetch(repo: str, commit: str, name: str) -> Path | None:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import RemoteEntryNotFoundError

    try:
        return Path(
            _patiently(
                repo,
                lambda begun: hf_hub_download(
                    repo, name, revision=commit, etag_timeout=PATIENCE, tqdm_class=_bar_that_sets(begun)
                ),
            )
        )
    except RemoteEntryNotFoundError:
        return None


def _patiently(repo: str, call: Callable[[threading.Event], T]) -> T:
    """The result of a Hub call that must return, or set the event it is given, within PATIENCE seconds.

    The call runs in a thread that is left behind when it is too slow; a daemon, it holds up no exit.
    """
    begun, future = threading.Event(), Future()

    def run() -> None:
        try:
            future.set_result(call(begun))
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, name=THREAD, daemon=True).start()
    if not wait([future], timeout=PATIENCE).done and not begun.is_set():
        raise HubUnreachable(repo, f"no answer within {PATIENCE:g} seconds")
    return future.result()


def _bar_that_sets(begun: threading.Event) -> type:
    """A progress bar class for one file: the client makes the bar when the first bytes arrive."""
    from huggingface_hub.utils import tqdm

    class Bar(tqdm):
        def __init__(self, *args: Any, **kwargs: Any):
            begun.set()
            super().__init__(*args, **kwargs)

    return Bar


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
        case ValueError() | TypeError() | KeyError():  # a sign-in page, or another server at HF_ENDPOINT
            return HubUnreachable(repo, "its answer is not that of a Hub")
        case _:
            return HubUnreachable(repo, _first_line(error))
    return ModelUnavailable(text)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
