"""Settings: the only place that reads the environment."""

from __future__ import annotations

import contextlib
import difflib
import logging
import math
import os
import re
import stat
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.request import getproxies_environment

from catdog.bundled import bundled
from catdog.errors import InvalidSettings

BUNDLED_WEIGHTS = bundled("weights")
MAX_PIXELS = 50_000_000
ENGINES = ("auto", "openvino", "tensorflow")
_REPO = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*")
# Above twice its own limit Pillow opens no image, whatever is set here.
PILLOW_LIMIT = 178_956_970
PREFIX = "CATDOG_"
NAMES = (
    "WEIGHTS",
    "HUB_REPO",
    "HUB_REVISION",
    "ENGINE",
    "THREADS",
    "CACHE",
    "MAX_WAITING",
    "MAX_UPLOAD_MB",
    "MAX_PIXELS",
)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings:
    """What can be set from outside, with defaults that need nothing.

    weights           folder of `.h5` files and specs         CATDOG_WEIGHTS
    hub_repo          Hub repository `user/name`, or None      CATDOG_HUB_REPO
    hub_revision      commit, tag or branch of it              CATDOG_HUB_REVISION
    engine            what runs the models: ENGINES            CATDOG_ENGINE
    threads           threads per model, 0 for all cores       CATDOG_THREADS
    cache             folder of converted models               CATDOG_CACHE
    max_waiting       photos in work or waiting, then "busy"   CATDOG_MAX_WAITING
    max_upload_bytes  largest accepted file, bytes             CATDOG_MAX_UPLOAD_MB
    max_pixels        largest accepted photo, width x height   CATDOG_MAX_PIXELS
    """

    weights: Path = BUNDLED_WEIGHTS
    hub_repo: str | None = None
    hub_revision: str = "main"
    engine: str = "auto"
    threads: int = 0
    cache: Path = field(default_factory=lambda: _user_cache(os.environ))
    max_waiting: int = 64
    max_upload_bytes: int = 20 * 1024 * 1024
    max_pixels: int = MAX_PIXELS

    def __post_init__(self) -> None:
        """Refuse what cannot work, naming the variable that sets it."""
        _require(self.engine in ENGINES, "CATDOG_ENGINE", f"one of {', '.join(ENGINES)}", self.engine)
        _require(self.hub_repo is None or _REPO.fullmatch(self.hub_repo), "CATDOG_HUB_REPO", "user/name", self.hub_repo)
        _require(self.hub_revision, "CATDOG_HUB_REVISION", "a commit, tag or branch", self.hub_revision)
        _require(0 <= self.threads <= 1024, "CATDOG_THREADS", "0 to 1024", self.threads)
        _require_megabytes("CATDOG_MAX_UPLOAD_MB", self.max_upload_bytes / 2**20)
        _require(1 <= self.max_pixels <= PILLOW_LIMIT, "CATDOG_MAX_PIXELS", f"1 to {PILLOW_LIMIT}", self.max_pixels)
        _require(1 <= self.max_waiting <= 10_000, "CATDOG_MAX_WAITING", "1 to 10000", self.max_waiting)
        for name in ("weights", "cache"):  # a ~ which no shell has seen
            object.__setattr__(self, name, Path(os.path.expanduser(getattr(self, name))))

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        """Read CATDOG_* variables; an empty one counts as not set, and one nearly named so is warned of.

        Raises InvalidSettings that names the variable and what it received.
        """
        values = {key: value.strip() for key, value in environ.items() if key.startswith(PREFIX) and value.strip()}
        _warn_of_misspelt(values)
        return cls(
            weights=Path(values.get("CATDOG_WEIGHTS", cls.weights)),
            hub_repo=values.get("CATDOG_HUB_REPO", cls.hub_repo),
            hub_revision=values.get("CATDOG_HUB_REVISION", cls.hub_revision),
            engine=values.get("CATDOG_ENGINE", cls.engine),
            threads=_whole(values, "CATDOG_THREADS", cls.threads),
            cache=Path(values.get("CATDOG_CACHE") or _user_cache(environ)),
            max_waiting=_whole(values, "CATDOG_MAX_WAITING", cls.max_waiting),
            max_upload_bytes=_bytes(values, "CATDOG_MAX_UPLOAD_MB", cls.max_upload_bytes),
            max_pixels=_whole(values, "CATDOG_MAX_PIXELS", cls.max_pixels),
        )


def environment_with_tensorflow() -> dict[str, str]:
    """The environment of a process in which Keras runs on TensorFlow, on whatever else it may run here."""
    return os.environ | {"KERAS_BACKEND": "tensorflow"}


def configure_gradio() -> None:
    """Set what Gradio reads from the environment, but for what is set there already; before it is imported.

    It puts uploads of all users of a machine into one folder, in which only the first of them may write:
    this user's get one of their own. After each call it would make a table of the last 10,000 calls, for a
    page of statistics that is not served: it keeps one, and makes none. At its start it asks its own server
    something, through whatever proxy is set: this machine is reached without one.
    """
    if "GRADIO_TEMP_DIR" not in os.environ:
        with contextlib.suppress(OSError):  # Gradio says what is wrong with its own
            os.environ["GRADIO_TEMP_DIR"] = str(_temporary("gradio"))
    if set(getproxies_environment()) - {"no"}:
        reached = os.environ.get("no_proxy") or os.environ.get("NO_PROXY")
        own = os.environ.get("GRADIO_SERVER_NAME")
        os.environ["no_proxy"] = ",".join(filter(None, [reached, "127.0.0.1", "localhost", own]))
    os.environ.setdefault("GRADIO_ANALYTICS_MAX_EVENTS", "1")
    os.environ.setdefault("GRADIO_ANALYTICS_CACHE_FREQUENCY", str(sys.maxsize))


def _temporary(name: str) -> Path:
    """A folder for temporary files into which nobody but this user can write; the same one each time, if possible."""
    if not hasattr(os, "getuid"):  # where the system's own is a user's own
        return Path(tempfile.gettempdir()) / name
    folder = Path(tempfile.gettempdir()) / f"{name}-{os.getuid()}"
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found, others = folder.lstat(), stat.S_IWGRP | stat.S_IWOTH
    if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & others:
        return folder
    return Path(tempfile.mkdtemp(prefix=f"{name}-"))  # somebody else was there first


def _user_cache(environ: Mapping[str, str]) -> Path:
    """Where a user's programs keep what they can make again (XDG Base Directory Specification)."""
    try:
        return Path(environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()) / "catdog"
    except RuntimeError:  # a user without a home, as in some containers
        return _temporary("catdog")


def _warn_of_misspelt(names: Iterable[str]) -> None:
    """Log which names look like one of NAMES; others may be a container platform's, for a service of this name."""
    for name in (name.removeprefix(PREFIX) for name in names):
        close = difflib.get_close_matches(name, NAMES, 1, 0.8)
        if close and name not in NAMES:
            log.warning("%s%s is no setting and counts for nothing: is %s%s meant?", PREFIX, name, PREFIX, *close)


def _number(values: Mapping[str, str], name: str, default: float) -> float:
    text = values.get(name, default)
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    _require(math.isfinite(number), name, "a number", text)
    return number


def _whole(values: Mapping[str, str], name: str, default: int) -> int:
    number = _number(values, name, default)
    _require(number.is_integer(), name, "a whole number", values.get(name))
    return int(number)


def _bytes(values: Mapping[str, str], name: str, default: int) -> int:
    megabytes = _number(values, name, default / 2**20)
    _require_megabytes(name, megabytes)  # before it is multiplied, which may make it infinite
    return int(megabytes * 2**20)


def _require_megabytes(name: str, megabytes: float) -> None:
    _require(1 / 2**20 <= megabytes <= 1024, name, "more than 0 and at most 1024", megabytes)


def _require(condition: object, name: str, expected: str, received: object) -> None:
    if not condition:
        raise InvalidSettings(f"{name} must be {expected}. Received: {received!r}.")
