"""The Hub's client made fit for publishing: bounded waits, and every error a sentence."""

import contextlib
from collections.abc import Iterator
from typing import Any

from huggingface_hub import constants, errors, set_client_factory
from huggingface_hub.utils import parse_ratelimit_headers, tqdm
from huggingface_hub.utils._http import default_client_factory  # has no public name

from catdog.errors import CatDogError
from catdog.models import hub

TIMEOUT = 60.0  # seconds of silence after which a connection counts as lost
LONGEST_WAIT = 300  # seconds that the Hub may ask to wait: it counts requests over five minutes

NOTHING_PUBLISHED = "Nothing was published."
UNKNOWN = "Whether the commit was made is not known; the same command finds out, and does only what is missing."


class PublishError(CatDogError, RuntimeError):
    """Something that prevents publishing; the message ends with what was published and what was not."""

    code = "not_published"


@contextlib.contextmanager
def bounded_waits() -> Iterator[None]:
    """Let the client of this process give up a silent Hub after TIMEOUT seconds, and wait at most LONGEST_WAIT.

    By itself it has no timeout, and sleeps for as long as an answer asks.
    """

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


def _refuse_long_wait(response: Any) -> None:
    if response.status_code in (429, 503):
        limit, asked = parse_ratelimit_headers(response.headers), response.headers.get("Retry-After", "")
        seconds = limit.reset_in_seconds if limit else int(asked) if asked.isdigit() else 0
        if seconds > LONGEST_WAIT:
            raise PublishError(f"The Hub asks to wait {-(-seconds // 60)} minutes.")


@contextlib.contextmanager
def told_errors(
    name: str, state: str = NOTHING_PUBLISHED, unanswered: str | None = None, unpaid: str = ""
) -> Iterator[None]:
    """Context manager: turn any error into a PublishError about repository `name`, whose message ends with `state`.

    If `unanswered` is given and it is not known whether the Hub refused, the message ends with that instead. `unpaid`
    is the advice where the Hub asks for a paid plan.
    """
    try:
        yield
    except Exception as error:  # the client raises its own, httpx's, OSError, ValueError and RuntimeError
        for bar in list(getattr(tqdm, "_instances", ())):
            bar.close()  # else it is drawn once more after the error
        uploading = isinstance(error, RuntimeError) and isinstance(error.__cause__, Exception)
        if uploading:  # "while uploading", raised from what really happened, before any commit
            error = error.__cause__
        refusal = _refusal(error, name, unpaid)
        known = refusal or uploading or unanswered is None
        sentence = refusal or str(hub.translated(error, name, "main"))
        raise PublishError(f"{sentence} {state if known else unanswered}") from error


def _refusal(error: Exception, name: str, unpaid: str) -> str | None:
    """What the Hub, or its client, refused; None when it is not known to have been refused."""
    match error:
        case CatDogError():
            return str(error)
        case errors.HFValidationError():
            return f"The name of a repository must be like user/name. Received: {name!r}."
        case ValueError() if "README.md" in str(error):
            return f"The Hub refuses the front matter: {' '.join(str(error).split())}."
        case errors.HfHubHTTPError() if 400 <= error.response.status_code < 500 and error.response.status_code != 408:
            status, said = error.response.status_code, " ".join((error.server_message or "").split()).rstrip(".")
        case _:
            return None
    advice = {
        401: f"Make a token at {constants.ENDPOINT}/settings/tokens and set HF_TOKEN to it.",
        402: unpaid,
        403: "The token needs write permission there.",
        412: "Somebody else changed it at the same time.",
        429: "There were too many requests: wait some minutes.",
    }.get(status, "")
    said = f" ({said})" if said else ""
    return f"The Hub refused the request for {name} with HTTP status {status}{said}. {advice}".rstrip()
