"""The tab for many photos at once."""

import contextlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import gradio as gr
from gradio.events import Dependency
from markupsafe import Markup

from catdog.collection import MOST_PHOTOS, Judged, collect, judge
from catdog.comparator import Comparator
from catdog.errors import CatDogError, InvalidImage
from catdog.gradio_app.gallery import closer, no_closer, results
from catdog.gradio_app.parts import LIVE_REGION, ONE_PHOTO, PRIVATE, html, on_failure, script
from catdog.gradio_app.uploads import LARGEST_PHOTOS, FilesInput
from catdog.models.spec import classes_of
from catdog.pages import CHOOSING, banners
from catdog.pages.banners import banner
from catdog.pages.examples import fitting
from catdog.pages.render import render
from catdog.wording import UNANSWERED, say

AT_ONCE = 2  # visitors who are served at a time; others wait in the queue
EVERY = 0.2  # seconds between two reports of progress

_HOW = "Choose photos, a zip or our examples, then press “Judge them”. The least certain answers come first."

_Upload = list[tuple[str, Path]]


@dataclass
class Run:
    """One visitor's run; the button Stop sets `stopped`."""

    stopped: bool = False


def add(comparator: Comparator) -> None:
    """Build the content of the current `gr.Tab`."""
    classes = classes_of(comparator.specs)
    largest = comparator.settings.max_upload_bytes
    limits = {"most": MOST_PHOTOS, "megabytes": largest / 2**20, "large": LARGEST_PHOTOS}
    sizes = {"largest": largest, "together": LARGEST_PHOTOS * largest}
    with gr.Row(elem_classes="cd-main"):
        with gr.Column(scale=4, min_width=280):
            files = FilesInput(label="Photos, or a zip", file_count="multiple", height=220, elem_id="cd-files")
            html("", script("many_tab.js", CHOOSING, refusal=banners.objection(), **sizes), elem_id="cd-left-out")
            html(render("many_hint.html", classes=classes, **limits))
            if examples := [str(path) for path in fitting(comparator.specs).values()]:  # for who has no photos at hand
                samples = gr.Button("Or fill in our examples", variant="secondary")
                samples.click(lambda: examples, None, files, queue=False, **PRIVATE)
            with gr.Row():
                start = gr.Button("Judge them", variant="primary", elem_id="cd-start")
                stop = gr.Button("Stop", interactive=False, elem_id="cd-stop")
        with gr.Column(scale=8, min_width=280):
            board = html(_waiting(), js_on_load=script("many_board.js", LIVE_REGION), elem_id="cd-many")
    dialog = html("", js_on_load=script("many_closer.js"), elem_id="cd-closer")
    run = _add_events(comparator, files, start, stop, board)
    _add_closer(comparator, files, board, dialog)
    # In the browser, at once: the photos of what is shown are always those that are chosen.
    anew = json.dumps([[_waiting(ready), *_buttons(busy=False), ""] for ready in (False, True)])
    shown = [board, start, stop, dialog]
    files.change(None, files, shown, js=f"(files) => {anew}[files?.length ? 1 : 0]", cancels=[run], **PRIVATE)


def _waiting(ready: bool = False) -> Markup:
    """Before the photos are judged, which are there if `ready`."""
    if ready:
        return banner("Ready", "Press “Judge them”. The least certain answers will come first.", "idle")
    return banner("Waiting for photos", _HOW, "idle")


def _add_events(
    comparator: Comparator, files: FilesInput, start: gr.Button, stop: gr.Button, board: gr.HTML
) -> Dependency:
    """Judge the files, report progress and show the results; returns the event that other files cancel."""
    run = gr.State(Run())
    outputs = [board, start, stop]

    def begin(run: Run) -> tuple:
        run.stopped = False
        return render("progress.html", done=0, count=1, text="Waiting for a turn…"), *_buttons(busy=True)

    def work(files: _Upload, run: Run) -> Iterator[tuple]:
        try:
            for shown in _progress(comparator, files, run):
                yield shown, *_buttons(busy=True)
        except CatDogError as error:
            shown = _refused(str(error))
        yield shown, *_buttons(busy=False)

    def halt(run: Run) -> dict:
        run.stopped = True
        return gr.update(interactive=False)

    begun = start.click(begin, run, outputs, queue=False, **PRIVATE)
    done = begun.then(work, [files, run], outputs, concurrency_id="many", concurrency_limit=AT_ONCE, **PRIVATE)
    on_failure(done, outputs, [_refused(UNANSWERED), *_buttons(busy=False)])
    stop.click(halt, run, stop, queue=False, **PRIVATE)
    return done


def _add_closer(comparator: Comparator, files: FilesInput, board: gr.HTML, dialog: gr.HTML) -> None:
    """Show a photo of the gallery in a dialog, with heat maps, when it is pressed."""
    specs = comparator.specs

    def look(files: _Upload, click: gr.EventData) -> Markup:
        place = click._data.get("place") if isinstance(click._data, dict) else None
        name = ""
        try:
            with collect(files, classes_of(specs), comparator.settings.max_upload_bytes) as found:
                if not isinstance(place, int) or not 0 <= place < len(found.photos):
                    raise InvalidImage("There is no such photo. Choose the photos again.")
                name = found.photos[place].name
                return closer(name, place, *comparator.look(found.photos[place].read(), explain=True), specs)
        except CatDogError as error:
            return no_closer(name, banners.refused(str(error)))

    looked = board.click(look, files, dialog, concurrency_id=ONE_PHOTO, **PRIVATE)
    on_failure(looked, dialog, no_closer("", banners.refused(UNANSWERED)))


def _buttons(*, busy: bool) -> tuple[dict, dict]:
    return gr.update(interactive=not busy), gr.update(interactive=busy)


def _refused(message: str) -> Markup:
    return banner(say("nothing judged"), message, "error")


def _progress(comparator: Comparator, files: _Upload, run: Run) -> Iterator[str]:
    """Progress now and then, and the results at the end; raises InvalidImage or TooMuch."""
    if not files:
        raise InvalidImage("No photos were sent. Choose some, or a zip, and then press the button.")
    specs = comparator.specs
    with collect(files, classes_of(specs), comparator.settings.max_upload_bytes) as found:
        done = [Judged(name, None, error=error) for name, error in found.refused]
        planned, reported = len(done) + len(found.photos), 0.0
        with contextlib.closing(judge(comparator, found.photos)) as entries:
            for entry in entries:
                done.append(entry)
                if run.stopped:
                    break
                if time.monotonic() - reported > EVERY:
                    reported = time.monotonic()
                    said = say("judged", done=f"{len(done):,}", photos=f"{planned:,}")
                    yield render("progress.html", done=len(done), count=planned, text=said)
    yield results(done, specs, planned=planned if len(done) < planned else None)
