"""What visitors may send: photos as uploads or data: URLs of limited size or as addresses, no files of the server."""

import base64
import contextlib
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import unquote, unquote_to_bytes

import gradio as gr
from gradio.components import Component
from gradio.data_classes import ImageData, ListFiles
from gradio.utils import get_upload_folder, is_in_or_equal
from gradio_client.utils import is_http_url_like
from pydantic import model_validator
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from catdog.photo.reader import is_address

UPLOAD = "/gradio_api/upload"
SERVED = "/gradio_api/file="  # in the address of an upload, before its path
LARGEST_PHOTOS = 10  # photos of the largest accepted size that fit into one request for uploads
ENVELOPE = 64 * 1024  # bytes of a request around its photos
LONGEST = 4096  # characters of a path or an address

_WHITESPACE = b"\t\n\f\r "  # of ASCII; encoders of base64 break lines, by themselves or as %0A

Sent = bytes | Path | str | None  # a photo as `PhotoInput` gives it; a text is an address

HOW_TO_SEND = "Send the photo itself, as an upload or a base64 data: URL."
NOT_UPLOADED = f"The request names a file that was not uploaded, or is no longer kept. {HOW_TO_SEND}"


class BodyLimits:
    """ASGI middleware that cuts off request bodies, for photos of at most `max_upload` bytes.

    Gradio's own limit covers only each file of an upload. A photo inside a JSON request is base64 and so a third
    larger, or a little more in lines; the limit leaves room for that and for the rest of the request.
    """

    def __init__(self, app: ASGIApp, max_upload: int):
        self.uploads = RequestBodyLimitMiddleware(app, LARGEST_PHOTOS * max_upload + ENVELOPE)
        self.others = RequestBodyLimitMiddleware(app, max_upload * 3 // 2 + ENVELOPE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "").removeprefix(scope.get("root_path", ""))
        with contextlib.suppress(ClientDisconnect):  # who broke off needs no answer, and the log no traceback
            await (self.uploads if path == UPLOAD else self.others)(scope, receive, send)


class SentPhoto(ImageData):
    """The photo of a request, which may be just a data: URL or a path. `model_dump` leaves out long strings.

    Gradio keeps the dumps of all sessions, for links to a filled-in page, which this page does not offer. Each call
    over plain HTTP is a session, so data: URLs would add up to gigabytes.
    """

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"url" if _is_data_url(value) else "path": value}
        return value

    def model_dump(self, **options: Any) -> dict[str, Any]:
        fields = super().model_dump(**options).items()
        return {name: None if isinstance(value, str) and len(value) > LONGEST else value for name, value in fields}


async def _move_upload(component: Component, url_or_file_path: str | Path | None) -> str | None:
    """What a component does with a path before `preprocess` sees it: refuse what is no regular file.

    Gradio checks only those paths of a request that come with `meta`. It would download an address, from the server's
    network and without a limit of size. It would take a folder for an upload; deleting that fails, which ends the task
    that deletes old uploads. The address of an upload is the upload; nothing is fetched.
    """
    if is_http_url_like(str(url_or_file_path)):
        return str(_uploaded(str(url_or_file_path)))
    if not Path(url_or_file_path or "").is_file():
        raise refusal(NOT_UPLOADED)
    return await Component.async_move_resource_to_block_cache(component, url_or_file_path)


async def _move_photo(component: Component, url_or_file_path: str | Path | None) -> str | None:
    """As `_move_upload`, but an address of another site stays one: the Comparator fetches it, within its limits."""
    if _is_elsewhere(url_or_file_path):
        return url_or_file_path
    return await _move_upload(component, url_or_file_path)


class PhotoInput(gr.Image):
    """A `gr.Image` that neither decodes nor re-encodes, so that every surface sees the same bytes.

    `gr.Image` would decode with its own rules: no limit of pixels, EXIF and alpha handled in some cases only.
    """

    is_template = True  # the browser shows it as a plain gr.Image
    data_model = SentPhoto
    async_move_resource_to_block_cache = _move_photo

    def preprocess(self, payload: ImageData | None) -> Sent:
        """The path of the uploaded file, the bytes of a data: URL, an address, or None for nothing.

        Raises gr.Error for others.
        """
        if payload is None:
            return None
        if address := next(filter(_is_elsewhere, (payload.path, payload.url)), None):
            return address
        if payload.url and _is_data_url(payload.url):
            return _from_data_url(payload.url)
        return _uploaded(payload.path)

    def example_payload(self) -> dict:
        """What the API page shows as the argument: a local file."""
        return {"path": "cat.jpg", "url": "cat.jpg", "meta": {"_type": "gradio.FileData"}}

    def example_value(self) -> str:
        return "cat.jpg"


class FilesInput(gr.File):
    """A `gr.File` for several uploads that gives (name, path) of each, without reading or copying the file."""

    is_template = True  # the browser shows it as a plain gr.File
    async_move_resource_to_block_cache = _move_upload

    def preprocess(self, payload: ListFiles | None) -> list[tuple[str, Path]]:
        """The name, only for display, and the path of each upload; raises gr.Error for other files."""
        files = payload.root if payload else []
        return [(file.orig_name or Path(file.path).name, _uploaded(file.path)) for file in files]


def refusal(message: str) -> gr.Error:
    """An error whose text reaches the visitor; escaped, as the page shows errors as HTML."""
    return gr.Error(escape(message, quote=False), title="No verdict", print_exception=False)


def _is_elsewhere(place: object) -> bool:
    """Whether a place is an address, and not that of an upload."""
    return is_address(place) and SERVED not in place


def _is_data_url(url: str) -> bool:
    return url[:5].lower() == "data:"


def _from_data_url(url: str) -> bytes:
    """The bytes of a base64 data: URL, read as browsers do (WHATWG Infra, "forgiving-base64 decode")."""
    head, _, content = url.partition(",")
    try:
        if not head.rstrip().lower().endswith("base64"):
            raise ValueError
        characters = unquote_to_bytes(content).translate(None, _WHITESPACE)
        return base64.b64decode(characters + b"=" * (-len(characters) % 4), validate=True)
    except ValueError as error:
        raise refusal(f"The data: URL cannot be read: it is not base64. {HOW_TO_SEND}") from error


def _uploaded(path: str | None) -> Path:
    """The upload that a path or an address of this site names; raises gr.Error for anything else."""
    if path and is_http_url_like(path):
        _, served, path = path.partition(SERVED)
        if not served:
            raise refusal(f"Files are not fetched from other sites here. {HOW_TO_SEND}")
        path = unquote(path)
    with contextlib.suppress(OSError, ValueError):  # a name that is too long, or has a NUL in it
        if path and is_in_or_equal(path, get_upload_folder()) and Path(path).is_file():
            return Path(path)
    raise refusal(NOT_UPLOADED)
