"""The page: its parts, its two events and what must go to `launch`."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
from starlette.middleware import Middleware
from starlette.middleware.body_limit import RequestBodyLimitMiddleware

from ..compare import Comparator, Comparison
from ..config import Settings
from ..errors import CatDogError, InvalidImage
from . import cards, examples
from .photo import PhotoInput, refusal
from .theme import theme

log = logging.getLogger(__name__)

# What `/predict` returns before the JSON. Clients rely on these two and on their order.
LABELLED = ("scratch_cnn", "xception")
RUNNING = 16  # photos given to the models at a time, which judge together what comes together
WAITING = 32  # photos in the queue before further ones are turned away
KEPT = 3600  # seconds that uploads stay, and seconds between two sweeps

_JUDGING = "judge"  # the page and the endpoint share one limit
# The element stays while its content changes, so screen readers read out each new result.
_ANNOUNCED = "element.setAttribute('aria-live', 'polite'); element.setAttribute('aria-label', 'Verdicts');"
_HEAD = '<meta name="description" content="Neural networks say side by side whether a photo shows a cat or a dog.">'
_DESCRIPTION = (
    "Judge one photo with every model. Returns the label of scratch_cnn with its confidences, the same of "
    "xception (empty when that model is not loaded), and the comparison of all models as JSON: prediction, "
    "confidence, models [model, label, confidence, probabilities, milliseconds], agree, source. "
    "JPEG, PNG, WebP, GIF, BMP, TIFF, HEIC and AVIF are read; addresses are not fetched."
)


def build(comparator: Comparator) -> gr.Blocks:
    """The page and its public endpoint `/predict`, ready for `launch(**launch_options(...))`."""
    specs = comparator.specs
    with gr.Blocks(title="Cat or dog?", analytics_enabled=False, delete_cache=(KEPT, KEPT)) as page:
        _html(cards.heading(specs))
        with gr.Row(elem_classes="cd-main"):
            with gr.Column(scale=4, min_width=280):
                photo = _photo_input()
                _add_examples(photo)
            with gr.Column(scale=6, min_width=280):
                results = _html(cards.waiting(specs), js_on_load=_ANNOUNCED)
                _html(cards.about(specs, comparator.source, comparator.problems))
        _add_page_event(comparator, photo, results)
        _add_endpoint(comparator, photo)
    return page.queue(max_size=WAITING, default_concurrency_limit=RUNNING)


def launch_options(settings: Settings) -> dict[str, Any]:
    """Arguments of `Blocks.launch` that the page needs: limits, privacy and looks.

    Gradio's own limit covers uploads only. A photo inside a JSON request is a third larger, as
    base64; the limit on request bodies leaves room for that and for the rest of the request.
    """
    body = settings.max_upload_bytes * 4 // 3 + 64 * 1024
    return {
        "max_file_size": settings.max_upload_bytes,
        "app_kwargs": {"middleware": [Middleware(RequestBodyLimitMiddleware, max_body_size=body)]},
        "allowed_paths": [str(examples.FOLDER)],
        "show_error": True,
        "run_history": False,
        "enable_monitoring": False,
        "ssr_mode": False,  # its worker processes would take uploads past the limit on bodies
        "footer_links": ["api", "settings"],
        "theme": theme(),
        "css_paths": Path(__file__).with_name("page.css"),
        "head": _HEAD,
    }


def judge(comparator: Comparator, photo: bytes | Path | None) -> Comparison:
    """Ask all models; whatever goes wrong is a CatDogError whose text a visitor can act on."""
    if photo is None:
        raise InvalidImage("No photo was sent. Choose one, paste one, or take one with the camera.")
    try:
        return comparator.compare(photo)
    except CatDogError:
        raise
    except Exception as error:
        log.exception("judging a photo failed")
        raise CatDogError("The models failed on this photo, which is our fault. Try again, or another one.") from error


def _html(value: str, js_on_load: str | None = None) -> gr.HTML:
    return gr.HTML(value, js_on_load=js_on_load, apply_default_css=False)


def _photo_input() -> PhotoInput:
    return PhotoInput(
        label="Photo",
        alt_text="The photo to judge",
        placeholder="# Drop a photo here\nor click to choose one",
        sources=["upload", "webcam", "clipboard"],
        webcam_options=gr.WebcamOptions(mirror=False),
        buttons=["fullscreen"],
        height=340,
        elem_id="cd-photo",
    )


def _add_examples(photo: PhotoInput) -> None:
    """A row of buttons, each of which puts an example into `photo`."""
    files = examples.find()
    if not files:
        return

    def choose(click: gr.EventData) -> str:
        name = click._data.get("example") if isinstance(click._data, dict) else None
        if not isinstance(name, str) or name not in files:
            raise refusal(f"There is no example of that name; choose one of {', '.join(files)}.")
        return str(files[name])

    row = _html(examples.buttons(files), js_on_load=examples.ON_LOAD)
    row.click(choose, None, photo, queue=False, show_progress="hidden", api_visibility="private")


def _add_page_event(comparator: Comparator, photo: PhotoInput, results: gr.HTML) -> None:
    """Show the verdicts whenever the photo changes, however it came."""

    def show(photo: bytes | Path | None) -> Iterator[str]:
        if photo is None:
            yield cards.waiting(comparator.specs)
            return
        yield cards.looking(comparator.specs)
        try:
            yield cards.judged(judge(comparator, photo), comparator.specs, comparator.default)
        except CatDogError as error:
            yield cards.refused(str(error), comparator.specs)

    photo.change(show, photo, results, concurrency_id=_JUDGING, show_progress="hidden", api_visibility="private")


def _add_endpoint(comparator: Comparator, photo: PhotoInput) -> None:
    """The public `/predict(image) -> [label, label, Comparison JSON]`, with no trigger on the page."""

    def predict(image: bytes | Path | None) -> tuple[dict[str, float], dict[str, float], dict[str, Any]]:
        try:
            comparison = judge(comparator, image)
        except CatDogError as error:
            raise refusal(str(error)) from error
        by_model = {verdict.model: verdict.probabilities for verdict in comparison.models}
        return *(by_model.get(name, {}) for name in LABELLED), comparison.to_dict()

    labels = [gr.Label(label=name, visible=False) for name in LABELLED]
    comparison = gr.JSON(label="Comparison", visible=False)
    gr.on(
        [],
        predict,
        photo,
        [*labels, comparison],
        api_name="predict",
        api_description=_DESCRIPTION,
        concurrency_id=_JUDGING,
    )
