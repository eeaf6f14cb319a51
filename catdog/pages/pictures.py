"""Photos and heat maps as data: URLs, which a page shows without another request."""

import base64
import functools
import io
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image

from catdog.models.spec import ModelSpec
from catdog.pages.overlay import overlay, scale_of
from catdog.verdict import Comparison

LARGEST_SIDE = 512  # pixels: no more than twice a card on a page, for dense displays
GREY = (214, 214, 214)


def data_url(image: Image.Image, quality: int = 80, kind: str = "jpeg") -> str:
    """An RGB image as a data: URL; `kind` is `jpeg`, or `webp` for fewer bytes, which takes longer to make."""
    stream = io.BytesIO()
    image.save(stream, kind, quality=quality)
    return f"data:image/{kind};base64,{base64.b64encode(stream.getvalue()).decode()}"


def lasting_url(image: Image.Image) -> str:
    """As `data_url`, for a picture that is made once and sent to every visitor: half of the bytes or less."""
    return data_url(image, quality=50, kind="webp")


def overlays(comparison: Comparison, photo: Image.Image, specs: Sequence[ModelSpec]) -> dict[str, Image.Image]:
    """Model -> its heat map over the RGB photo, all on one scale, for the models that have one."""
    scale = scale_of(verdict.heatmap for verdict in comparison.models)
    inputs = {spec.name: spec.input for spec in specs}
    return {
        verdict.model: overlay(
            photo, verdict.heatmap, scale, resize=inputs[verdict.model].resize, aspect=inputs[verdict.model].aspect
        )
        for verdict in comparison.models
        if verdict.heatmap
    }


def overlay_urls(
    comparison: Comparison,
    photo: Image.Image,
    specs: Sequence[ModelSpec],
    to_url: Callable[[Image.Image], str] = data_url,
) -> dict[str, str]:
    """As `overlays`, small and as data: URLs."""
    if not any(verdict.heatmap for verdict in comparison.models):
        return {}
    return {model: to_url(image) for model, image in overlays(comparison, reduced(photo), specs).items()}


def reduced(photo: Image.Image) -> Image.Image:
    """A copy of a photo that is at most twice as large as a card shows it."""
    small = photo.copy()
    small.thumbnail((LARGEST_SIDE, LARGEST_SIDE), Image.Resampling.BILINEAR)
    return small


@functools.cache
def legend_url() -> str:
    """The colours of the maps, from against the label to for it, on grey: a data: URL."""
    return data_url(
        overlay(Image.new("RGB", (256, 16), GREY), np.linspace(-1, 1, 64)[None], 1.0), quality=95, kind="webp"
    )
