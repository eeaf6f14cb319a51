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

from catdog.errors import InvalidSettings
from catdog.files import bundled

BUNDLED_WEIGHTS = bundled("weights")
MAX_PIXELS = 50_000_000
ENGINES = ("auto", "openvino", "tensorflow")
_REPO = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*")
# Pillow opens no image above twice its own limit.
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
    """All settings, with defaults that need no set-up.

    weights           folder of `.h5` files and specs         CATDOG_WEIGHTS
    hub_repo          Hub repository `user/name`, or None      CATDOG_HUB_REPO
    hub_revision      commit, tag or branch of it              CATDOG_HUB_REVISION
    engine            what runs the models: ENGINES            CATDOG_ENGINE
    threads           threads per model, 0 for all cores       CATDOG_THREADS
    cache             folder of converted models               CATDOG_CACHE
    max_waiting       photos judged or waiting, then Busy      CATDOG_MAX_WAITING
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
        """Raise InvalidSettings, which names the variable, for a value that is not valid."""
        _require(self.engine in ENGINES, "CATDOG_ENGINE", f"one of {', '.join(ENGINES)}", self.engine)
        _require(self.hub_repo is None or _REPO.fullmatch(self.hub_repo), "CATDOG_HUB_REPO", "user/name", self.hub_repo)
        _require(self.hub_revision, "CATDOG_HUB_REVISION", "a commit, tag or branch", self.hub_revision)
        _require(0 <= self.threads <= 1024, "CATDOG_THREADS", "0 to 1024", self.threads)
        _require_megabytes("CATDOG_MAX_UPLOAD_MB", self.max_upload_bytes / 2**20)
        _require(1 <= self.max_pixels <= PILLOW_LIMIT, "CATDOG_MAX_PIXELS", f"1 to {PILLOW_LIMIT}", self.max_pixels)
        _require(1 <= self.max_waiting <= 10_000, "CATDOG_MAX_WAITING", "1 to 10000", self.max_waiting)
        for name in ("weights", "cache"):  # expand a ~ that no shell has expanded
            object.__setattr__(self, name, Path(os.path.expanduser(getattr(self, name))))

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        """Read CATDOG_* variables. An empty one counts as not set; one that looks misspelt is logged.

        Raises InvalidSettings, which names the variable and the value received.
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
    """The environment for a child process whose Keras runs on TensorFlow, whatever the backend of this process."""
    return os.environ | {"KERAS_BACKEND": "tensorflow"}


def configure_gradio() -> None:
    """Set environment variables that Gradio reads when it is imported, unless they are set already.

    GRADIO_TEMP_DIR       a folder of this user: by default all users of a machine share one, and only the first of them
                          can write to it
    no_proxy              includes this machine: at its start Gradio sends a request to its own server
    GRADIO_ANALYTICS_...  keep one call and never tabulate it: by default Gradio makes a table of the last 10,000 calls
                          after each call, for a page that is not served here
    """
    from urllib.request import getproxies_environment  # slow to import, and nothing else needs it

    if "GRADIO_TEMP_DIR" not in os.environ:
        with contextlib.suppress(OSError):  # Gradio reports what is wrong with its default
            os.environ["GRADIO_TEMP_DIR"] = str(_temporary("gradio"))
    if set(getproxies_environment()) - {"no"}:
        reached = os.environ.get("no_proxy") or os.environ.get("NO_PROXY")
        own = os.environ.get("GRADIO_SERVER_NAME")
        os.environ["no_proxy"] = ",".join(filter(None, [reached, "127.0.0.1", "localhost", own]))
    os.environ.setdefault("GRADIO_ANALYTICS_MAX_EVENTS", "1")
    os.environ.setdefault("GRADIO_ANALYTICS_CACHE_FREQUENCY", str(sys.maxsize))


def _temporary(name: str) -> Path:
    """A temporary folder that only this user can write to; the same one each time, if possible."""
    if not hasattr(os, "getuid"):  # on Windows, where each user has a temporary folder
        return Path(tempfile.gettempdir()) / name
    folder = Path(tempfile.gettempdir()) / f"{name}-{os.getuid()}"
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found, others = folder.lstat(), stat.S_IWGRP | stat.S_IWOTH
    if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & others:
        return folder
    return Path(tempfile.mkdtemp(prefix=f"{name}-"))  # another user made it


def _user_cache(environ: Mapping[str, str]) -> Path:
    """The user's cache folder (XDG Base Directory Specification)."""
    try:
        return Path(environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()) / "catdog"
    except RuntimeError:  # a user without a home folder, as in some containers
        return _temporary("catdog")


def _warn_of_misspelt(names: Iterable[str]) -> None:
    """Log names that look like one of NAMES. Others may come from a container platform, for a service named catdog."""
    for name in (name.removeprefix(PREFIX) for name in names):
        close = difflib.get_close_matches(name, NAMES, 1, 0.8)
        if close and name not in NAMES:
            log.warning("%s%s is not a setting and is ignored. Did you mean %s%s?", PREFIX, name, PREFIX, *close)


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
    _require_megabytes(name, megabytes)  # before multiplying, which could overflow
    return int(megabytes * 2**20)


def _require_megabytes(name: str, megabytes: float) -> None:
    _require(1 / 2**20 <= megabytes <= 1024, name, "more than 0 and at most 1024", megabytes)


def _require(condition: object, name: str, expected: str, received: object) -> None:
    if not condition:
        raise InvalidSettings(f"{name} must be {expected}. Received: {received!r}.")
