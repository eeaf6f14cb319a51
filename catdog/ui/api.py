"""What programs can call: `/predict` and `/explain`, with no trigger on the page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from ..compare import Comparator
from ..errors import CatDogError
from ..pages.pictures import overlays
from ..wording import percent
from .judging import JUDGING, Answer, judge
from .photo import PhotoInput
from .uploads import refusal

# What `/predict` returns before the JSON. Clients rely on these two and on their order.
LABELLED = ("scratch_cnn", "xception")

_PHOTOS = "JPEG, PNG, WebP, GIF, BMP, TIFF, HEIC and AVIF are read; addresses are not fetched."
_FIELDS = (
    "prediction, confidence, models [model, label, confidence, probabilities, milliseconds, error_rate, strangeness, "
    "neither, heatmap, cost], agree, source, verdict, usually_right"
)
_PREDICT = (
    "Judge one photo with every model. Returns the label of scratch_cnn with its confidences, the same of "
    f"xception (empty when that model is not loaded), and the comparison of all models as JSON: {_FIELDS}. {_PHOTOS}"
)
_EXPLAIN = (
    "Judge one photo with every model and say where each found its label. Returns the photo under each model's heat "
    "map, all on one scale, and the comparison as `/predict` does, with `heatmap` as rows of calibrated logits: "
    f"positive where a place speaks for the label. {_PHOTOS}"
)


def add(comparator: Comparator, photo: PhotoInput) -> None:
    """The two endpoints, which take what the page's photo input takes."""

    def predict(image: bytes | Path | None) -> tuple[dict[str, float], dict[str, float], dict[str, Any]]:
        comparison = _judge(comparator.compare, image)
        by_model = {verdict.model: verdict.probabilities for verdict in comparison.models}
        return *(by_model.get(name, {}) for name in LABELLED), comparison.to_dict()

    def explain(image: bytes | Path | None) -> tuple[list[tuple[Image.Image, str]], dict[str, Any]]:
        comparison, seen = _judge(comparator.look, image, explain=True)
        captions = {v.model: f"{v.model}: {v.label}, {percent(v.confidence)} sure" for v in comparison.models}
        drawn = overlays(comparison, seen, comparator.specs)
        return [(image, captions[model]) for model, image in drawn.items()], comparison.to_dict()

    labels = [gr.Label(label=name, visible=False) for name in LABELLED]
    maps = gr.Gallery(label="Heat maps", visible=False, format="jpeg")
    _add(predict, photo, [*labels, _json()], "predict", _PREDICT)
    _add(explain, photo, [maps, _json()], "explain", _EXPLAIN)


def _json() -> gr.JSON:
    return gr.JSON(label="Comparison", visible=False)


def _add(function, photo: PhotoInput, outputs: list, name: str, description: str) -> None:
    gr.on([], function, photo, outputs, api_name=name, api_description=description, concurrency_id=JUDGING)


def _judge(ask: Callable[..., Answer], photo: bytes | Path | None, **options: bool) -> Answer:
    try:
        return judge(ask, photo, **options)
    except CatDogError as error:
        raise refusal(str(error)) from error
