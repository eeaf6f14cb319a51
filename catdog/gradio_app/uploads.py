"""What every input of the page refuses: files that were not uploaded, and addresses of other sites."""

from __future__ import annotations

from html import escape
from pathlib import Path

import gradio as gr
from gradio.utils import get_upload_folder, is_in_or_equal
from gradio_client.utils import is_http_url_like

HOW_TO_SEND = "Send the photo itself, as an upload or a base64 data: URL."
NOT_UPLOADED = f"The request names a file that was not uploaded, or is no longer kept. {HOW_TO_SEND}"


def check_resource(url_or_path: str | Path | None) -> None:
    """Refuse what is no regular file, before Gradio's `async_move_resource_to_block_cache` touches it.

    Gradio checks the paths of a request only where it says `meta`. It would download an address, from
    the server's network and without a limit of size. It would remember a folder as an upload, and end
    the task that deletes old uploads when it comes to delete it.
    """
    if is_http_url_like(str(url_or_path)):
        raise refusal(f"Photos are not fetched from other sites. {HOW_TO_SEND}")
    if not Path(url_or_path or "").is_file():
        raise refusal(NOT_UPLOADED)


def uploaded(path: str | None) -> Path:
    """The path of an uploaded file; raises gr.Error for any other."""
    if not path or not _is_upload(path):
        raise refusal(NOT_UPLOADED)
    return Path(path)


def refusal(message: str) -> gr.Error:
    """An error whose text reaches the visitor; escaped, as the page shows errors as HTML."""
    return gr.Error(escape(message, quote=False), title="No verdict", print_exception=False)


def _is_upload(path: str) -> bool:
    try:
        return is_in_or_equal(path, get_upload_folder()) and Path(path).is_file()
    except (OSError, ValueError):  # a name that is too long, or has a NUL in it
        return False
