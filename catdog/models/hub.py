"""Files of a Hugging Face Hub repository, through the Hub's own client and cache.

Every error of the client becomes ModelUnavailable (a setting is wrong) or HubUnreachable (the network is, and a
fallback may be taken). The client reads HF_ENDPOINT, HF_HOME, HF_TOKEN and HF_HUB_OFFLINE itself; it is imported
when it is first needed.
"""

from __future__ import annotations

import contextlib
import functools
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, wait
from pathlib import Path
from typing import TypeVar

from catdog.errors import CatDogError, ModelUnavailable
from catdog.models.spec import find_specs, sha256_of
from catdog.settings import unusable_for_http

T = TypeVar("T")

# Seconds to wait for the Hub's first answers. No setting of the client (huggingface_hub 2.4) bounds them: by itself
# `snapshot_download` gave up after 24 s when the Hub refused connections, and never when it was silent. No timeout
# covers the look-up of the host, which took 10 s with a silent name server.
PATIENCE = 6.0
# Those in the top folder of a repository; only reading shows which JSON files are specs.
MODEL_FILES = {"allow_patterns": ["*.json", "*.h5", "*.onnx"], "ignore_patterns": "*/*"}
THREAD = "catdog-hub"  # name of the threads that ask the Hub


class HubUnreachable(ModelUnavailable):
    """The Hub did not answer, or not as a Hub does; `reason` says why, as a clause."""

    def __init__(self, repo: str, reason: str):
        super().__init__(f"The Hub repository {repo} cannot be reached ({reason}). Check the connection.")
        self.reason = reason


def cached(repo: str, revision: str) -> Path | None:
    """The cached folder of a revision, named by its commit, or None. Makes no request; files may be missing."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import IncompleteSnapshotError, LocalEntryNotFoundError

    with _translated_errors(repo, revision):
        try:
            return Path(snapshot_download(repo, revision=revision, local_files_only=True))
        except IncompleteSnapshotError as error:
            return Path(error.snapshot_path)
        except LocalEntryNotFoundError:
            return None


def download(repo: str, revision: str, damaged: Sequence[str] = ()) -> Path:
    """The cached folder of a revision, complete: model files that the cache lacks, and those `damaged`, are fetched.

    With a complete cache this makes one request for a branch or tag, and none for a commit or with HF_HUB_OFFLINE. A
    Hub that answers may take as long as it needs. The cache notes the commit of `revision` when all files are there, so
    that a download that breaks off leaves the last complete commit in use.
    """
    from huggingface_hub import HfApi, get_cached_repo_tree, hf_hub_download, snapshot_download
    from huggingface_hub.errors import CachedRepoTreeNotFoundError
    from huggingface_hub.utils import filter_repo_objects
    from tqdm import tqdm

    commit, silent = _commit(repo, revision), {"tqdm_class": functools.partial(tqdm, disable=True)}
    at = {"revision": commit, "etag_timeout": PATIENCE}

    def lacks_a_file() -> bool:
        """Whether the cache lacks a file; if so, the Hub has answered for one, and may take its time for the rest."""
        try:
            listed = get_cached_repo_tree(repo, revision=commit)
        except CachedRepoTreeNotFoundError:
            listed = HfApi().list_repo_tree(repo, revision=commit)
        wanted = filter_repo_objects([file.path for file in listed], **MODEL_FILES)
        return any(hf_hub_download(repo, name, dry_run=True, **at).will_download for name in wanted)

    with _translated_errors(repo, revision):
        progress = {} if _patiently(repo, lacks_a_file) else silent
        folder = Path(snapshot_download(repo, **at, **MODEL_FILES, **progress))
        if damaged:
            snapshot_download(repo, **at, allow_patterns=damaged, force_download=True)
        if not find_specs(folder):
            raise ModelUnavailable(
                f"The Hub repository {repo} has no model spec, a .json beside each .h5, at revision {revision}. "
                "Publish the models to it, or correct CATDOG_HUB_REPO and CATDOG_HUB_REVISION."
            )
        if cached(repo, revision) != folder:
            with contextlib.suppress(Exception):  # without the note the next start asks once more
                _patiently(repo, lambda: snapshot_download(repo, revision=revision, **MODEL_FILES, **silent))
        return folder


def is_damaged(path: Path) -> bool:
    """Whether a cached file differs from the Hub's; the cache names each file by the hash of the Hub's."""
    from huggingface_hub.utils.sha import git_hash

    blob = path.resolve()
    try:
        found = sha256_of(blob) if len(blob.name) == 64 else git_hash(blob.read_bytes())  # Git LFS, or plain git
    except OSError:
        return True
    return found != blob.name


def _commit(repo: str, revision: str) -> str:
    """The commit, 40 hexadecimal digits, of a revision: the cached one with HF_HUB_OFFLINE, else asked for."""
    from huggingface_hub import HfApi, is_offline_mode

    if re.fullmatch("[0-9a-f]{40}", revision):
        return revision
    if is_offline_mode() and (folder := cached(repo, revision)):
        return folder.name
    with _translated_errors(repo, revision):
        info = _patiently(repo, lambda: HfApi().model_info(repo, revision=revision, timeout=PATIENCE))
        if not info.sha:
            raise ValueError("the answer names no commit")
        return info.sha


def _patiently(repo: str, ask: Callable[[], T]) -> T:
    """The result of calls to the Hub that must return within PATIENCE seconds.

    They run in a daemon thread, which is left behind when they take longer and does not hold up exit.
    """
    future = Future()

    def run() -> None:
        try:
            future.set_result(ask())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, name=THREAD, daemon=True).start()
    if not wait([future], timeout=PATIENCE).done:
        raise HubUnreachable(repo, f"no answer within {PATIENCE:g} seconds")
    return future.result()


@contextlib.contextmanager
def _translated_errors(repo: str, revision: str) -> Iterator[None]:
    try:
        yield
    except CatDogError:
        raise
    except Exception as error:  # the client raises its own, httpx's, OSError and ValueError
        raise translated(error, repo, revision) from error


def translated(error: Exception, repo: str, revision: str) -> ModelUnavailable:  # noqa: C901 - one case, one sentence
    """The error of this package for an error of the client while a repository was read."""
    import httpx2
    from huggingface_hub import constants, errors

    if isinstance(error, (errors.LocalEntryNotFoundError, ValueError)):
        error = error.__cause__ or error  # "not in the cache either" and the like, raised from what really happened
    status = error.response.status_code if isinstance(error, errors.HfHubHTTPError) else 0
    the = f"The Hub repository {repo}"
    reason = problem = ""
    match error:
        case errors.GatedRepoError():
            problem = f"{the} is gated. Ask for access at {constants.ENDPOINT}/{repo}, and set HF_TOKEN to your token."
        case errors.RepositoryNotFoundError():
            problem = (
                f"{the} does not exist or is private. Correct its name in CATDOG_HUB_REPO or "
                "CATDOG_WEIGHTS, or set HF_TOKEN to a token for it."
            )
        case errors.RevisionNotFoundError():
            problem = f"{the} has no revision {revision}. Set CATDOG_HUB_REVISION to a commit, tag or branch of it."
        case errors.HFValidationError():
            names = "CATDOG_HUB_REPO and CATDOG_WEIGHTS"
            problem = f"In {names} a Hub repository must be like user/name. Received: {repo!r}."
        case errors.OfflineModeIsEnabled():
            reason = "HF_HUB_OFFLINE is set"
        case errors.RemoteEntryNotFoundError():
            reason = "it does not have a file that it lists"
        case errors.HfHubHTTPError() if status >= 500 or status in (408, 429):
            reason = f"it answered with HTTP status {status}"
        case errors.HfHubHTTPError():
            advice = "Check CATDOG_HUB_REPO, HF_TOKEN and HF_ENDPOINT."
            problem = f"{the} is refused at revision {revision} with HTTP status {status}. {advice}"
        case _ if fault := unusable_for_http(httpx2):
            _, reason = fault
        case OSError(errno=int()):
            advice = "Set HF_HOME to a folder that can be written and has room."
            problem = f"The Hub cache {constants.HF_HUB_CACHE} cannot hold {repo} ({error.strerror}). {advice}"
        case OSError() | errors.HTTPError():
            reason = str(error).strip().partition("\n")[0].rstrip(".") or type(error).__name__
        case _:  # a sign-in page; the text may hold a password
            reason = f"the client cannot use the answer: {type(error).__name__}"
    return HubUnreachable(repo, reason) if reason else ModelUnavailable(problem)
