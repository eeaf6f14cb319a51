"""What several tabs use: HTML of our own, and the options of events."""

import json
from collections.abc import Sequence
from pathlib import Path

import gradio as gr

# All events that ask the models about one photo, on the page and in the API, share one limit.
ONE_PHOTO = "one photo"
# Options of an event that only the page may trigger, and that shows its progress itself.
PRIVATE = {"show_progress": "hidden", "api_visibility": "private"}
LIVE_REGION = Path(__file__).with_name("live_region.js")  # for an element whose content changes


def html(value: str, js_on_load: str | None = None, **options) -> gr.HTML:
    """HTML of our own, without Gradio's style."""
    return gr.HTML(value, js_on_load=js_on_load, apply_default_css=False, **options)


def script(name: str, *shared: Path, **constants: str | int) -> str:
    """A script of this room for `js_on_load`, after these constants and what the shared scripts export."""
    named = "".join(f"const {constant} = {json.dumps(value)};\n" for constant, value in constants.items())
    scripts = [path.read_text(encoding="utf-8").replace("export ", "") for path in shared]
    return "\n".join([named, *scripts, Path(__file__).with_name(name).read_text(encoding="utf-8")])


def on_failure(event, outputs: Sequence | gr.HTML, shown: Sequence | str) -> None:
    """Show something when an event fails: queue full, connection lost or upload gone. The browser does it."""
    event.failure(None, None, outputs, js=f"() => {json.dumps(shown)}", api_visibility="private")
