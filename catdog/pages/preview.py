"""What other sites show of a link to a page: its question and a picture, as tags of the Open Graph protocol."""

import io
from collections.abc import Sequence

from markupsafe import Markup
from PIL import Image, ImageDraw, ImageFont, ImageOps

from catdog.models.spec import ModelSpec
from catdog.pages.examples import fitting
from catdog.pages.render import render
from catdog.wording import answering, question

PICTURE = "preview.jpg"
SIZE = 1200, 630  # pixels, as all large sites show them
GROUND, INK, SOFT = "#faf7f2", "#2b241d", "#6a5f54"  # of verdicts.css
MARGIN, GAP, MOST = 60, 24, 4


def tags(specs: Sequence[ModelSpec], address: str) -> Markup:
    """Title, description and picture of the page, for its head; `address` is the full URL of the picture."""
    width, height = SIZE
    return render("preview.html", specs=specs, picture=address, width=width, height=height)


def picture(specs: Sequence[ModelSpec]) -> bytes:
    """A JPEG of SIZE: what the page asks, how many models answer, and a few examples if there are any that fit."""
    image = Image.new("RGB", SIZE, GROUND)
    draw = ImageDraw.Draw(image)
    _write(draw, 56, question(specs), INK, 116)
    _write(draw, 200, answering(specs), SOFT, 38)
    side = (SIZE[0] - 2 * MARGIN - (MOST - 1) * GAP) // MOST
    corners = Image.new("L", (side, side))
    ImageDraw.Draw(corners).rounded_rectangle((0, 0, side - 1, side - 1), 24, fill=255)
    for i, path in enumerate(list(fitting(specs).values())[:MOST]):
        with Image.open(path) as photo:
            image.paste(ImageOps.fit(photo.convert("RGB"), (side, side)), (MARGIN + i * (side + GAP), 300), corners)
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=85)
    return stream.getvalue()


def _write(draw: ImageDraw.ImageDraw, top: int, text: str, colour: str, size: int) -> None:
    """Write one line, smaller if it would be too long."""
    room = SIZE[0] - 2 * MARGIN
    font = ImageFont.load_default(size)
    if (length := draw.textlength(text, font)) > room:
        font = ImageFont.load_default(size * room / length)
    draw.text((MARGIN, top), text, colour, font)
