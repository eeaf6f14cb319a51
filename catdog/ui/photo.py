"""The photo input: hands over the bytes that a visitor sent, and no other file of the server."""

from __future__ import annotations

import base64
import binascii
from html import escape
from pathlib import Path

import gradio as gr
from gradio.data_classes import ImageData
from gradio.utils import get_upload_folder, is_in_or_equal
from gradio_client.utils import is_http_url_like

_HOW_TO_SEND = "Send the photo itself, as an upload or a base64 data: URL."
_NOT_UPLOADED = f"The request names a file that was not uploaded. {_HOW_TO_SEND}"


class PhotoInput(gr.Image):
    """A `gr.Image` that neither decodes nor re-encodes, so that every surface judges the same bytes.

    `gr.Image` would decode with its own rules (no limit of pixels, EXIF and alpha handled in some
    cases only), would read any image file of the server that a request without `meta` names, and
    would fetch addresses from the server's network without a limit of size.
    """

    is_template = True  # the browser shows it as a plain gr.Image

    def preprocess(self, payload: ImageData | None) -> bytes | Path | None:
        """What was sent -> the path of the uploaded file, or the bytes of a data: URL, or None for nothing.

        Raises gr.Error for anything else.
        """
        if payload is None:
            return None
        if payload.url and payload.url.startswith("data:"):
            return _from_data_url(payload.url)
        if not payload.path or not _is_upload(payload.path):
            raise refusal(_NOT_UPLOADED)
        return Path(payload.path)

    async def async_move_resource_to_block_cache(self, url_or_file_path: str | Path | None) -> str | None:
        """What Gradio does with a path before `preprocess` sees it, for regular files only.

        An address would be downloaded here. A folder would be remembered as an upload, and end the
        task that deletes old uploads when it comes to delete it.
        """
        if is_http_url_like(str(url_or_file_path)):
            raise refusal(f"Photos are not fetched from other sites. {_HOW_TO_SEND}")
        if not Path(url_or_file_path or "").is_file():
            raise refusal(_NOT_UPLOADED)
        return await super().async_move_resource_to_block_cache(url_or_file_path)

    def example_payload(self) -> dict:
        """What the API page shows as the argument: a local file, as addresses are refused."""
        return {"path": "cat.jpg", "url": "cat.jpg", "meta": {"_type": "gradio.FileData"}}

    def example_value(self) -> str:
        return "cat.jpg"


def refusal(message: str) -> gr.Error:
    """An error whose text reaches the visitor; escaped, as the page shows errors as HTML."""
    return gr.Error(escape(message, quote=False), title="No verdict", print_exception=False)


def _is_upload(path: str) -> bool:
    try:
        return is_in_or_equal(path, get_upload_folder()) and Path(path).is_file()
    except (OSError, ValueError):  # a name that is too long, or has a NUL in it
        return False


def _from_data_url(url: str) -> bytes:
    head, _, content = url.partition(",")
    try:
        if not head.endswith(";base64"):
            raise ValueError("it is not base64")
        return base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError) as error:
        raise refusal(f"The data: URL cannot be read: {error}. {_HOW_TO_SEND}") from error
