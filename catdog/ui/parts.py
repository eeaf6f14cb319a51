"""Components that several tabs use."""

from __future__ import annotations

import gradio as gr


def html(value: str, js_on_load: str | None = None, **options) -> gr.HTML:
    """HTML of our own, with nobody else's style."""
    return gr.HTML(value, js_on_load=js_on_load, apply_default_css=False, **options)
