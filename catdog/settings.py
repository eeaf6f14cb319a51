"""Settings: the only place that reads the environment."""

import contextlib
import difflib
import logging
import os
import re
import stat
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, Self

from catdog.errors import InvalidSettings
from catdog.files import bundled

BUNDLED_WEIGHTS = bundled("weights")
MAX_PIXELS = 50_000_000
ENGINES = ("auto", "openvino", "tensorflow")
LOGS = ("text", "json")
FETCHES = ("on", "off")
_REPO = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*")
_REPO_AT = re.compile(rf"({_REPO.pattern})(?:@([A-Za-z0-9._/-]+))?")
# Pillow opens no image above twice its own limit.
PILLOW_LIMIT = 178_956_970
PREFIX = "CATDOG_"
log = logging.getLogger(__name__)


class Repository(NamedTuple):
    """A repository `user/name` on the Hub, and a commit, tag or branch of it."""

    name: str
    revision: str


@dataclass(frozen=True)
class Settings:
    """All settings, with defaults that need no set-up."""

    weights: str | Path = BUNDLED_WEIGHTS  # folder of `.h5` files and specs, or a text with several; see `sources`
    hub_repo: str | None = None  # Hub repository `user/name` to take them from instead
    hub_revision: str = "main"  # commit, tag or branch of it, and of those in `weights` that name none
    engine: str = "auto"  # what runs the models: ENGINES
    threads: int = 0  # per model, 0 for all cores
    cache: Path = field(default_factory=lambda: _user_cache(os.environ))  # folder of converted models
    max_waiting: int = 64  # photos judged or waiting, then Busy
    max_upload_bytes: int = 20 * 1024 * 1024  # of the largest accepted file
    max_pixels: int = MAX_PIXELS  # of the largest accepted photo, width x height
    fetch: str = "on"  # whether photos are fetched from addresses on the web: FETCHES
    log: str = "text"  # form of what servers log: LOGS

    def __post_init__(self) -> None:
        """Raise InvalidSettings, which names the variable, for a value that is not valid."""
        _require(self.engine in ENGINES, "CATDOG_ENGINE", f"one of {', '.join(ENGINES)}", self.engine)
        _require(self.hub_repo is None or _REPO.fullmatch(self.hub_repo), "CATDOG_HUB_REPO", "user/name", self.hub_repo)
        _require(self.hub_revision, "CATDOG_HUB_REVISION", "a commit, tag or branch", self.hub_revision)
        _require(0 <= self.threads <= 1024, "CATDOG_THREADS", "0 to 1024", self.threads)
        megabytes = self.max_upload_bytes / 2**20
        _require(0 < megabytes <= 1024, "CATDOG_MAX_UPLOAD_MB", "more than 0 and at most 1024", megabytes)
        _require(1 <= self.max_pixels <= PILLOW_LIMIT, "CATDOG_MAX_PIXELS", f"1 to {PILLOW_LIMIT}", self.max_pixels)
        _require(1 <= self.max_waiting <= 10_000, "CATDOG_MAX_WAITING", "1 to 10000", self.max_waiting)
        _require(self.fetch in FETCHES, "CATDOG_FETCH", f"one of {', '.join(FETCHES)}", self.fetch)
        _require(self.log in LOGS, "CATDOG_LOG", f"one of {', '.join(LOGS)}", self.log)
        object.__setattr__(self, "cache", Path(os.path.expanduser(self.cache)))  # a ~ that no shell has expanded

    @property
    def sources(self) -> tuple[Path | Repository, ...]:
        """The folders and Hub repositories that `weights` names: a Path one folder, a string one or more.

        A string has os.pathsep between them. In it, `user/name` and `user/name@revision` are Hub repositories, unless
        there is a folder of that name; other forms, such as `./user/name` and `user/name/`, are always folders.
        """
        whole = Path(os.path.expanduser(self.weights))
        if isinstance(self.weights, Path) or os.path.isdir(whole):  # Path.is_dir would raise for some
            return (whole,)
        names = [name for name in self.weights.split(os.pathsep) if name]
        return tuple(map(self._source, names)) or (whole,)

    def _source(self, name: str) -> Path | Repository:
        path, repository = Path(os.path.expanduser(name)), _REPO_AT.fullmatch(name)
        if repository is None or os.path.lexists(path):
            return path
        return Repository(repository[1], repository[2] or self.hub_revision)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Read CATDOG_* variables. An empty one counts as not set; one that looks misspelt is logged.

        Raises InvalidSettings, which names the variable and the value received.
        """
        found = {key.removeprefix(PREFIX): text.strip() for key, text in environ.items() if key.startswith(PREFIX)}
        given: dict[str, Any] = {}
        for name, text in found.items():
            if text and name not in VARIABLES:
                _warn_if_misspelt(name)
            elif text:
                attribute, read = VARIABLES[name]
                try:
                    given[attribute] = read(text)
                except (ValueError, OverflowError):
                    _require(False, PREFIX + name, "a whole number" if read is _whole else "a number", text)
        if "cache" not in given:
            given["cache"] = _user_cache(environ)
        return cls(**given)


def environment_with_tensorflow(root: Path) -> dict[str, str]:
    """The environment for a child process that finds catdog in `root`, and whose Keras runs on TensorFlow.

    The backend of this process does not matter. PYTHONWARNINGS is left out: it may turn warnings of libraries into
    errors.
    """
    path = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")]))
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONWARNINGS"}
    return kept | {"KERAS_BACKEND": "tensorflow", "PYTHONPATH": path}


def check_gradio() -> None:
    """Raise InvalidSettings, which names the variable, where Gradio could not read a number when it is imported.

    A port that is asked for is the only one that is tried, unless GRADIO_NUM_PORTS says otherwise: by default Gradio
    would take the next free one of a hundred.
    """
    for name, (least, most) in GRADIO_NUMBERS.items():
        text = os.environ.get(name, "").strip()
        if text:
            _require(text.isdecimal() and least <= int(text) <= most, name, f"{least} to {most}", text)
        else:
            os.environ.pop(name, None)
    if "GRADIO_SERVER_PORT" in os.environ:
        os.environ.setdefault("GRADIO_NUM_PORTS", "1")


def configure_gradio() -> None:
    """Set environment variables that Gradio reads when it is imported, unless they are set already.

    Variables that keep an HTTP client from being made are removed, with a warning: Gradio makes a client when it is
    imported, though the page fetches nothing with it.

    GRADIO_TEMP_DIR       a folder of this user: by default all users of a machine share one, and only the first of them
                          can write to it
    no_proxy              includes this machine: at its start Gradio sends a request to its own server
    GRADIO_ANALYTICS_...  keep one call and never tabulate it: by default Gradio makes a table of the last 10,000 calls
                          after each call, for a page that is not served here
    """
    from urllib.request import getproxies_environment  # slow to import, and nothing else needs it

    import httpx

    if "GRADIO_TEMP_DIR" not in os.environ:
        with contextlib.suppress(OSError):  # Gradio reports what is wrong with its default
            os.environ["GRADIO_TEMP_DIR"] = str(_temporary("gradio"))
    while fault := unusable_for_http(httpx):
        name, problem = fault
        log.warning("%s. It is ignored.", problem)
        del os.environ[name]
    if set(getproxies_environment()) - {"no"}:
        reached = os.environ.get("no_proxy") or os.environ.get("NO_PROXY")
        own = os.environ.get("GRADIO_SERVER_NAME", "").strip("[]")  # as an address in a URL has, but not in a list
        os.environ["no_proxy"] = ",".join(filter(None, [reached, "127.0.0.1", "localhost", own]))
    os.environ.setdefault("GRADIO_ANALYTICS_MAX_EVENTS", "1")
    os.environ.setdefault("GRADIO_ANALYTICS_CACHE_FREQUENCY", str(sys.maxsize))


def configure_ray() -> None:
    """Set what Ray reads when it starts, unless it is set already: no report of its use, no advice in the output."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")


def unusable_for_http(http: ModuleType) -> tuple[str, str] | None:
    """The first variable for proxies or certificates that keeps `http` from making a client, and what it must be.

    http is httpx or httpx2. The second is a clause with the name of the variable, not its value, which may hold a
    password. None if a client can be made.
    """
    # Backwards, because http_proxy counts before HTTP_PROXY.
    given = [name for name in sorted(os.environ, reverse=True) if os.environ[name] and name.lower() in HTTP_VARIABLES]
    if not given or _works(http.Client):
        return None
    for kind, (expected, attempt) in HTTP_VARIABLES.items():
        for name in given:
            if name.lower() == kind and not _works(attempt, http, os.environ[name]):
                return name, f"{name} must be {expected}"
    return None


def _works(make: Callable[..., Any], *arguments: Any) -> bool:
    try:
        make(*arguments)
    except Exception:  # OSError, ValueError, ImportError and the library's own
        return False
    return True


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


def _warn_if_misspelt(name: str) -> None:
    """Log a name that looks like a setting's. Others may come from a container platform, for a service named catdog."""
    close = difflib.get_close_matches(name, VARIABLES, 1, 0.8)
    if close:
        log.warning("%s%s is not a setting and is ignored. Did you mean %s%s?", PREFIX, name, PREFIX, *close)


def _whole(text: str) -> int:
    if not float(text).is_integer():
        raise ValueError
    return int(float(text))


def _bytes(megabytes: str) -> int:
    return int(float(megabytes) * 2**20)


# Name of a variable after PREFIX -> its field, and how its text is read.
VARIABLES: dict[str, tuple[str, Callable[[str], Any]]] = {
    "WEIGHTS": ("weights", str),
    "HUB_REPO": ("hub_repo", str),
    "HUB_REVISION": ("hub_revision", str),
    "ENGINE": ("engine", str),
    "THREADS": ("threads", _whole),
    "CACHE": ("cache", Path),
    "MAX_WAITING": ("max_waiting", _whole),
    "MAX_UPLOAD_MB": ("max_upload_bytes", _bytes),
    "MAX_PIXELS": ("max_pixels", _whole),
    "FETCH": ("fetch", str),
    "LOG": ("log", str),
}

# Whole numbers that Gradio reads when it is imported or started -> the least and the largest.
GRADIO_NUMBERS = {
    "GRADIO_SERVER_PORT": (1, 65535),
    "GRADIO_NUM_PORTS": (1, 65535),
    "GRADIO_NODE_NUM_PORTS": (1, 65535),
    "GRADIO_DEBUG": (0, 1),
}


def _with_proxy(http: ModuleType, value: str) -> Any:
    return http.Client(trust_env=False, proxy=value if "://" in value else f"http://{value}")


_PROXY = "like http://proxy:3128 (socks5:// needs `pip install httpx[socks]`)", _with_proxy
# Variables that HTTP clients read, in small letters -> what each must be, and what fails if it is not. They are tried
# in this order, as an attempt may also fail for one above it.
HTTP_VARIABLES: dict[str, tuple[str, Callable[[ModuleType, str], Any]]] = {
    "sslkeylogfile": ("a file that can be written", lambda _, path: open(path, "a").close()),
    "ssl_cert_file": ("a file of certificates", lambda http, _: http.create_ssl_context()),
    "http_proxy": _PROXY,
    "https_proxy": _PROXY,
    "all_proxy": _PROXY,
    "no_proxy": (
        "host names and addresses, those of IPv6 like ::1, without brackets and ranges",
        lambda http, _: http.Client(),
    ),
}


def _require(condition: object, name: str, expected: str, received: object) -> None:
    if not condition:
        raise InvalidSettings(f"{name} must be {expected}. Received: {received!r}.")
