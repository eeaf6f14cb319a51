"""What programs can call: `/predict`, `/explain` and `/compare`, with no trigger on the page."""

from collections.abc import Callable
from typing import Any, TypeVar

import gradio as gr
from PIL import Image
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from catdog.comparator import Comparator
from catdog.errors import CatDogError, InvalidImage
from catdog.gradio_app.parts import ONE_PHOTO
from catdog.gradio_app.uploads import PhotoInput, Sent, refusal
from catdog.pages.pictures import overlays
from catdog.verdict import Comparison, Verdict
from catdog.wording import percent

Answer = TypeVar("Answer")

# What `/predict` returns before the JSON. Clients rely on these two and on their order.
LABELLED = ("scratch_cnn", "xception")

_PHOTOS = "JPEG, PNG, WebP, GIF, BMP, TIFF, HEIC and AVIF are read."
# Gradio finds the meaning of a parameter, as agents see it, in the docstring of the function.
_PARAMETERS = """Args:
    image: The photo: a base64 data: URL, the address of an upload to this site, SITE/gradio_api/file=PATH, or its
        address on the public internet, from https:// on.
"""
_FIELDS = f"{', '.join(Comparison.model_fields)}; in each of `models` {', '.join(Verdict.model_fields)}"
_PREDICT = (
    "Ask every model about one photo. Returns the label of scratch_cnn with its confidences, the same for xception "
    f"(empty when that model is not loaded), and the comparison of all models as JSON: {_FIELDS}. {_PHOTOS}"
)
_EXPLAIN = (
    "Ask every model about one photo and where it found its label. Returns the photo under each model's heat map, all "
    "on one scale, and the comparison as `/predict` does, with `heatmap` as rows of calibrated logits: positive where "
    f"the photo speaks for the label, null for a model without maps. {_PHOTOS}"
)
_COMPARE = (
    "Ask every model about one photo, however many and whatever their names. Returns only the comparison, as JSON: "
    f"{_FIELDS}. {_PHOTOS}"
)


def add(comparator: Comparator, photo: PhotoInput) -> None:
    """Add the endpoints; `photo` is the photo input of the page, whose input they accept."""

    def predict(image: Sent) -> tuple[dict[str, float], dict[str, float], dict[str, Any]]:
        comparison = _answer(comparator.compare, image)
        by_model = {verdict.model: verdict.probabilities for verdict in comparison.models}
        return *(by_model.get(name, {}) for name in LABELLED), comparison.to_dict()

    def explain(image: Sent) -> tuple[list[tuple[Image.Image, str]], dict[str, Any]]:
        comparison, seen = _answer(comparator.look, image, explain=True)
        captions = {v.model: f"{v.model}: {v.label}, {percent(v.confidence)} sure" for v in comparison.models}
        drawn = overlays(comparison, seen, comparator.specs)
        return [(image, captions[model]) for model, image in drawn.items()], comparison.to_dict()

    def compare(image: Sent) -> dict[str, Any]:
        return _answer(comparator.compare, image).to_dict()

    labels = [gr.Label(label=name, visible=False) for name in LABELLED]
    maps = gr.Gallery(label="Heat maps", visible=False, format="jpeg")
    endpoints = ((predict, labels, _PREDICT), (explain, [maps], _EXPLAIN), (compare, [], _COMPARE))
    for function, outputs, description in endpoints:
        function.__doc__ = _PARAMETERS
        outputs = [*outputs, gr.JSON(label="Comparison", visible=False)]
        names = {"api_name": function.__name__, "api_description": description}
        gr.on([], function, photo, outputs, concurrency_id=ONE_PHOTO, **names)


def misnamed(request: Request, error: Exception) -> Response:
    """Answer a call that Gradio fails on because it knows no endpoint (KeyError) or parameter (TypeError) so named."""
    if "/gradio_api/call/v2/" not in request.url.path:
        raise error
    detail = "There is no such endpoint, or it takes other parameters. GET /gradio_api/info lists them."
    return JSONResponse({"detail": detail}, 404 if isinstance(error, KeyError) else 422)


def _answer(ask: Callable[..., Answer], photo: Sent, **options: bool) -> Answer:
    """Ask the Comparator about a photo; raises its errors as those that Gradio sends to the client."""
    try:
        if photo is None:
            raise InvalidImage("No photo was sent. Choose one, paste one, or take one with the camera.")
        return ask(photo, **options)
    except CatDogError as error:
        raise refusal(str(error)) from error
