"""The log of a server in JSON, each line with the id of the request that it belongs to."""

import json
import logging
import re
import uuid
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime

from catdog.comparator import Answer
from catdog.errors import CatDogError
from catdog.settings import Settings

HEADER = "X-Request-ID"
WELL_FORMED = re.compile(r"[A-Za-z0-9._:+/=@-]{1,128}")
log = logging.getLogger(__name__)

# The id of the request that is being answered. A server sets it; None outside of requests.
request_id: ContextVar[str | None] = ContextVar("request_id", default=None)


def id_for(received: str | None) -> str:
    """The id that a client or proxy gave a request, or a new one if that is missing or not well-formed."""
    return received if received and WELL_FORMED.fullmatch(received) else uuid.uuid4().hex


class JsonLines(logging.Formatter):
    """Formats each record as one line of JSON: time, level, logger, message, request_id and what else it has."""

    def __init__(self, find_id: Callable[[], str | None]):
        super().__init__()
        self.find_id = find_id

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": self.find_id(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def configure(settings: Settings, find_id: Callable[[], str | None] = request_id.get) -> JsonLines | None:
    """Let this process log as the settings say: for `json`, all loggers, in lines on stderr.

    Loggers that have a handler already, as those of web servers have, lose it. Call it again for loggers that were set
    up later. `find_id` gives the id of the request that is being answered, in any thread. Returns what formats the
    lines, None for text.
    """
    if settings.log != "json":
        return None
    handler, formatter = logging.StreamHandler(), JsonLines(find_id)
    handler.setFormatter(formatter)
    logging.root.handlers = [handler]
    logging.getLogger("catdog").setLevel(logging.INFO)
    for logger in list(logging.root.manager.loggerDict.values()):
        if isinstance(logger, logging.Logger):
            logger.handlers, logger.propagate = [], True
    return formatter


def log_photo(answer: Answer, seconds: Mapping[str, float]) -> None:
    """Log a line for a photo, as a listener of a Comparator: what became of it, and how long that took."""
    if isinstance(answer, CatDogError):
        fields = {"code": answer.code}
    else:
        fields = {"verdict": answer.verdict, "milliseconds": _milliseconds(seconds.get("total", 0.0))}
    log.info("photo", extra={"fields": fields})


def log_request(method: str, path: str, status: int, seconds: float) -> None:
    """Log a line for a request that was answered."""
    fields = {"method": method, "path": path, "status": status, "milliseconds": _milliseconds(seconds)}
    log.info("request", extra={"fields": fields})


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 2)
