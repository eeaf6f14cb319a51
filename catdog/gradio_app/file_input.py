"""The input for many files: hands over what a visitor uploaded, and no other file of the server."""

from __future__ import annotations

from pathlib import Path

import gradio as gr
from gradio.data_classes import ListFiles

from catdog.gradio_app.uploads import check_resource, uploaded


class FilesInput(gr.File):
    """A `gr.File` with `file_count="multiple"` that reads none of the files and makes no copy."""

    is_template = True  # the browser shows it as a plain gr.File

    def preprocess(self, payload: ListFiles | None) -> list[tuple[str, Path]]:
        """What was sent -> the name, for display alone, and the path of each upload; raises gr.Error for others."""
        files = payload.root if payload else []
        return [(file.orig_name or Path(file.path).name, uploaded(file.path)) for file in files]

    async def async_move_resource_to_block_cache(self, url_or_file_path: str | Path | None) -> str | None:
        """What Gradio does with a path before `preprocess` sees it, for regular files only."""
        check_resource(url_or_file_path)
        return await super().async_move_resource_to_block_cache(url_or_file_path)
