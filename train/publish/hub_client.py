"""The Hub's client made fit for publishing: bounded waits, and every error a sentence."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from catdog.errors import CatDogError
from catdog.models import hub

T = TypeVar("T")

PATIENCE = 300  # seconds for which the Hub may ask to wait, in all; its limits are counted over five minutes
TRIES = 5
TIMEOUT = 60.0  # seconds of silence after which a connection counts as lost


class PublishError(CatDogError, RuntimeError):
    """Something that prevents publishing; the message ends with what was published and what was not."""

    code = "not_published"


@contextlib.contextmanager
def impatient() -> Iterator[None]:
    """Make the client of this process notice silence, and refuse to wait longer than PATIENCE.

    By itself it has no timeout, and sleeps for as long as an answer asks.
    """
    from huggingface_hub import set_client_factory
    from huggingface_hub.utils._http import default_client_factory  # what it goes back to has no public name

    def make():
        client = default_client_factory()
        client.timeout = TIMEOUT
        client.event_hooks = {**client.event_hooks, "response": [_refuse_long_wait]}
        return client

    set_client_factory(make)
    try:
        yield
    finally:
        set_client_factory(default_client_factory)


def retried(call: Callable[[], T]) -> T:
    """The result of a call; while the Hub throttles it, it is made again, TRIES times and PATIENCE seconds at most.

    For the calls that the client does not repeat by itself.
    """
    from huggingface_hub.errors import HfHubHTTPError

    tries, waited = 1, 0
    while True:
        try:
            return call()
        except HfHubHTTPError as error:
            seconds = _asked_to_wait(error.response)
            throttled = error.response.status_code == 429 and seconds is not None
            if not throttled or tries == TRIES or waited + seconds > PATIENCE:
                raise
        print(f"The Hub asks to wait {seconds} seconds.", file=sys.stderr, flush=True)
        time.sleep(seconds)
        tries, waited = tries + 1, waited + seconds


@contextlib.contextmanager
def rewrapped(name: str, state: str, unanswered: str | None = None) -> Iterator[None]:
    """Turn any error of the client into PublishError on repository `name`, which ends with `state`.

    Where the Hub gave no answer, or none that can be understood, it ends with `unanswered`.
    """
    try:
        yield
    except Exception as error:  # the client raises its own, httpx's, OSError, ValueError and RuntimeError
        _end_progress_bars()
        if isinstance(error, RuntimeError) and isinstance(error.__cause__, Exception):
            error = error.__cause__  # "while uploading", raised from what really happened
        if isinstance(error, OSError) and error.errno and error.filename:
            raise error  # a file of this machine: the command line says which
        refusal = _refusal(error, name)
        sentence = refusal or str(hub.translated(error, name, "main"))
        raise PublishError(f"{sentence} {state if refusal else unanswered or state}".rstrip()) from error


def _end_progress_bars() -> None:
    """Close the bars that the client leaves behind when it fails, and that would be drawn once more after the error."""
    from huggingface_hub.utils import tqdm

    for bar in list(getattr(tqdm, "_instances", ())):
        bar.close()


def _refusal(error: Exception, name: str) -> str | None:
    """What the Hub, or this client, refused; None when it is not known to have been refused."""
    from huggingface_hub import constants, errors

    match error:
        case CatDogError():
            return str(error)
        case errors.GatedRepoError():
            return f"This token has no access to {name}, which is gated."
        case errors.RevisionNotFoundError():
            return f"{name} has no such revision."
        case errors.RepositoryNotFoundError():
            return f"There is no {name}, or it is private and not this token's."
        case errors.HFValidationError():
            return f"The name of a repository must be like user/name. Received: {name!r}."
        case ValueError() if "Invalid metadata in README.md" in str(error):
            return f"The Hub does not accept the front matter of the README.md: {' '.join(str(error).split()[4:])}."
        case errors.HfHubHTTPError():
            status, said = error.response.status_code, error.server_message
        case _:
            return None
    said = f" ({' '.join(said.split()).rstrip('.')})" if said else ""
    match status:
        case 401:
            return f"The Hub does not accept the token{said}. Make one at {constants.ENDPOINT}/settings/tokens."
        case 403:
            return f"The Hub refuses this token {name}{said}; it needs write permission there."
        case 412:
            return f"Somebody else changed {name} at the same time{said}. Run the same command again."
        case 429:
            return f"The Hub has had too many requests{said}. Wait some minutes."
        case _ if 400 <= status < 500 and status != 408:
            return f"The Hub refused the request for {name} with HTTP status {status}{said}."
    return None


def _refuse_long_wait(response: Any) -> None:
    seconds = _asked_to_wait(response)
    if seconds is not None and seconds > PATIENCE:
        raise PublishError(f"The Hub asks to wait {-(-seconds // 60)} minutes.")


def _asked_to_wait(response: Any) -> int | None:
    """Seconds after which an answer says to ask again; None for any other answer."""
    from huggingface_hub.utils import parse_ratelimit_headers

    if response.status_code not in (429, 503):
        return None
    limit = parse_ratelimit_headers(response.headers)
    if limit and limit.remaining == 0:
        return limit.reset_in_seconds
    said = response.headers.get("Retry-After", "")
    return int(said) if said.isdigit() else None
