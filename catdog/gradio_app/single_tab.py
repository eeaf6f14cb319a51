"""The tab for one photo: its parts and its events."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import gradio as gr

from catdog.comparator import Comparator
from catdog.errors import CatDogError
from catdog.gradio_app import example_row
from catdog.gradio_app.ask import JUDGING, judge
from catdog.gradio_app.parts import LIVE, html
from catdog.gradio_app.photo_input import PhotoInput
from catdog.pages import banners, cards
from catdog.pages.examples import find
from catdog.pages.icons import drawing
from catdog.pages.pictures import overlay_urls

_HEADLINE_ON_LOAD = f"""{LIVE}
const drawing = {json.dumps(drawing("paw", "#b5a999"))};
{Path(__file__).with_name("single.js").read_text(encoding="utf-8")}"""
# Of a phone the camera at its back; and enough pixels, which Gradio asks for only where nothing else is.
_CAMERA = {"video": {"facingMode": "environment", "width": {"ideal": 1920}, "height": {"ideal": 1440}}}


def add(comparator: Comparator) -> PhotoInput:
    """Build the tab inside the current one; returns its photo input."""
    specs = comparator.specs
    with gr.Row(elem_classes="cd-main"):
        with gr.Column(scale=4, min_width=280):
            photo = _photo_input()
            row = _example_row(cards.scope(specs))
        with gr.Column(scale=8, min_width=280):
            headline = html(banners.waiting(), js_on_load=_HEADLINE_ON_LOAD)
            maps = gr.Checkbox(True, label="Show what the models looked at", container=False, elem_id="cd-maps")
            shown = html(cards.blank(specs))
    if row:
        _add_example_events(row, photo, headline)
    _add_events(comparator, photo, maps, [headline, shown])
    return photo


def _photo_input() -> PhotoInput:
    return PhotoInput(
        label="Photo",
        alt_text="The photo to judge",
        placeholder="# Drop a photo here\nor click to choose one",
        sources=["upload", "webcam", "clipboard"],
        webcam_options=gr.WebcamOptions(mirror=False, constraints=_CAMERA),
        buttons=["fullscreen"],
        height=340,
        elem_id="cd-photo",
    )


def _example_row(scope: str) -> gr.HTML | None:
    """A row of buttons, or nothing when there are no examples."""
    files = find()
    return html(example_row.buttons(files, scope), js_on_load=example_row.ON_LOAD) if files else None


def _add_example_events(row: gr.HTML, photo: PhotoInput, headline: gr.HTML) -> None:
    """Put an example into `photo` when its button is pressed, or the address of the page names it."""
    files = find()

    def choose(click: gr.EventData) -> tuple:
        name = click._data.get("example") if isinstance(click._data, dict) else None
        if not isinstance(name, str) or name not in files:
            return gr.skip(), banners.refused(f"There is no example of that name; choose one of {', '.join(files)}.")
        return str(files[name]), gr.skip()

    row.click(choose, None, [photo, headline], queue=False, show_progress="hidden", api_visibility="private")
    photo.input(None, js=example_row.FORGET, api_visibility="private")


def _add_events(comparator: Comparator, photo: PhotoInput, maps: gr.Checkbox, results: list[gr.HTML]) -> None:
    """Show the verdicts whenever the photo changes, however it came, and once more when the switch is turned."""
    specs = comparator.specs

    def answer(photo: bytes | Path | None, with_maps: bool) -> tuple[str, str]:
        if photo is None:
            return banners.waiting(), cards.blank(specs)
        try:
            comparison, image = judge(comparator.look, photo, explain=with_maps)
        except CatDogError as error:
            return banners.failed(error), cards.blank(specs)
        addresses = overlay_urls(comparison, image, specs)
        return banners.judged(comparison, specs), cards.judged(comparison, specs, addresses)

    def show(photo: bytes | Path | None, with_maps: bool) -> Iterator[tuple[str, str]]:
        if photo is not None:
            yield banners.looking(), cards.blank(specs, busy=True)
        yield answer(photo, with_maps)

    options = {
        "inputs": [photo, maps],
        "outputs": results,
        "concurrency_id": JUDGING,
        "show_progress": "hidden",
        "api_visibility": "private",
    }
    # Refused by the queue, the connection is lost, or the upload is gone: Gradio gives no say in what is shown then.
    gone = f"() => {json.dumps([banners.unanswered(), cards.blank(specs)])}"
    for event in (photo.change(show, **options), maps.change(answer, **options), results[0].click(show, **options)):
        event.failure(None, None, results, js=gone, api_visibility="private")
