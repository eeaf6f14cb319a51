"""The photo input: hands over the bytes that a visitor sent, and no other file of the server."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.data_classes import ImageData

from catdog.gradio_app.uploads import HOW_TO_SEND, check_resource, refusal, uploaded

LONGEST = 4096  # characters of a path or an address


class SentPhoto(ImageData):
    """What was sent, of which a dump leaves out long texts, such as a photo inside the request.

    Gradio keeps the dumps of all sessions, and each call over plain HTTP is one, for links to a
    filled-in page, which this page does not offer: gigabytes that nobody would ask for.
    """

    def model_dump(self, **options: Any) -> dict[str, Any]:
        fields = super().model_dump(**options).items()
        return {name: None if isinstance(value, str) and len(value) > LONGEST else value for name, value in fields}


class PhotoInput(gr.Image):
    """A `gr.Image` that neither decodes nor re-encodes, so that every surface judges the same bytes.

    `gr.Image` would decode with its own rules: no limit of pixels, EXIF and alpha handled in some
    cases only.
    """

    is_template = True  # the browser shows it as a plain gr.Image
    data_model = SentPhoto

    def preprocess(self, payload: ImageData | None) -> bytes | Path | None:
        """What was sent -> the path of the uploaded file, or the bytes of a data: URL, or None for nothing.

        Raises gr.Error for anything else.
        """
        if payload is None:
            return None
        if payload.url and payload.url.startswith("data:"):
            return _from_data_url(payload.url)
        return uploaded(payload.path)

    async def async_move_resource_to_block_cache(self, url_or_file_path: str | Path | None) -> str | None:
        """What Gradio does with a path before `preprocess` sees it, for regular files only."""
        check_resource(url_or_file_path)
        return await super().async_move_resource_to_block_cache(url_or_file_path)

    def example_payload(self) -> dict:
        """What the API page shows as the argument: a local file, as addresses are refused."""
        return {"path": "cat.jpg", "url": "cat.jpg", "meta": {"_type": "gradio.FileData"}}

    def example_value(self) -> str:
        return "cat.jpg"


def _from_data_url(url: str) -> bytes:
    head, _, content = url.partition(",")
    try:
        if not head.endswith(";base64"):
            raise ValueError("it is not base64")
        return base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError) as error:
        raise refusal(f"The data: URL cannot be read: {error}. {HOW_TO_SEND}") from error
