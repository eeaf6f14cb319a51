"""Degraded photos, as people send them: shrunk, blurred, compressed, dark, tilted, squeezed, on a screenshot.

Done in the loader rather than in the training graph, which has neither JPEG nor Pillow's filters. Photos are uint8
(S, S, 3).
"""

import io

import numpy as np
from PIL import Image, ImageFilter

Resampling = Image.Resampling
# Share of degraded photos that are degraded in two ways.
TWICE = 0.4


def degraded(photo: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A photo without and with its loss of quality, uint8 of its shape, degraded in one or two of WAYS.

    The first is for a teacher: it has only the changes that move pixels (MOVING), so that both show the same places.
    """
    ways = random.choice(len(WAYS), 1 + (random.random() < TWICE), replace=False, p=CHANCES)
    moved, image = (Image.fromarray(np.asarray(photo)) for _ in range(2))
    for way in sorted(ways):  # in the order of WAYS
        change = WAYS[way]
        image = change(image, random)
        if change in MOVING:
            moved = image
    return np.asarray(moved), np.asarray(image)


def tilted(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Rotated by up to 30 degrees; corners are filled with a mirror image or one colour."""
    angle = random.uniform(-30, 30)
    if random.random() < 0.5:
        return image.rotate(angle, Resampling.BILINEAR, fillcolor=_colour(random))
    edge = image.width // 4
    wide = Image.fromarray(np.pad(np.asarray(image), ((edge, edge), (edge, edge), (0, 0)), mode="reflect"))
    box = (edge, edge, edge + image.width, edge + image.height)
    return wide.rotate(angle, Resampling.BILINEAR).crop(box)


def squeezed(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """A stripe of 50 to 85 % of the width or height, stretched to a square."""
    share = random.uniform(0.5, 0.85)
    width, height = (share, 1.0) if random.random() < 0.5 else (1.0, share)
    left, top = random.uniform(0, 1 - width) * image.width, random.uniform(0, 1 - height) * image.height
    box = (left, top, left + width * image.width, top + height * image.height)
    return image.resize(image.size, Resampling.BILINEAR, box=box)


def padded(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Shrunk to 50 to 85 % of the width or height, between two bars of one colour."""
    share = random.uniform(0.5, 0.85)
    wide = random.random() < 0.5
    size = (image.width, round(share * image.height)) if wide else (round(share * image.width), image.height)
    return _pasted(Image.new("RGB", image.size, _colour(random)), image, size, (0.5, 0.5))


def on_a_page(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Shrunk to 55 to 90 % on a page of one colour or a gradient, as on a screenshot."""
    side = round(random.uniform(0.55, 0.9) * image.width)
    first, last = (np.array(_colour(random), np.float32) for _ in range(2))
    slope = np.linspace(0, random.random() < 0.5, image.height)[:, None, None]
    page = np.broadcast_to(first + (last - first) * slope, (image.height, image.width, 3))
    return _pasted(Image.fromarray(page.astype(np.uint8)), image, (side, side), random.uniform(0, 1, 2))


def grey(image: Image.Image, random: np.random.Generator) -> Image.Image:
    return image.convert("L").convert("RGB")


def dark(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Darker by a gamma of 1 to 2.5, then to 25 to 90 % of the brightness."""
    gamma, gain = random.uniform(1, 2.5), random.uniform(0.25, 0.9)
    table = np.round(255 * gain * (np.arange(256) / 255) ** gamma).astype(int).tolist()
    return image.point(table * 3)


def blurred(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Gaussian blur with a radius of 0.4 to 2 % of the width."""
    return image.filter(ImageFilter.GaussianBlur(image.width * random.uniform(0.004, 0.02)))


def shrunk(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Resized to 32 to 96 pixels, uniform in the logarithm, and back."""
    side = round(32 * 3 ** random.uniform(0, 1))
    down, up = (FILTERS[random.integers(len(FILTERS))] for _ in range(2))
    return image.resize((side, side), down).resize(image.size, up)


def packed(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Compressed as a JPEG of quality 10 to 60."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=int(random.integers(10, 61)))
    return Image.open(file).convert("RGB")


def _pasted(page: Image.Image, image: Image.Image, size: tuple[int, int], place) -> Image.Image:
    """The image at this size on a page, at `place`: 0 is the left or top edge, 1 the right or bottom one."""
    left, top = (round(float(where) * (side - own)) for where, side, own in zip(place, page.size, size, strict=True))
    page.paste(image.resize(size, Resampling.BILINEAR), (left, top))
    return page


def _colour(random: np.random.Generator) -> tuple[int, int, int]:
    """Black, white, or any colour, a third of the time each."""
    kind = random.integers(3)
    return tuple(random.integers(0, 256, 3).tolist()) if kind == 2 else (255 * int(kind),) * 3


FILTERS = (Resampling.BILINEAR, Resampling.BICUBIC, Resampling.LANCZOS, Resampling.BOX)
# In the order in which they happen to a photo (taken, shown, stored), and the probability of each.
WAYS = (tilted, squeezed, padded, on_a_page, grey, dark, blurred, shrunk, packed)
CHANCES = (0.12, 0.06, 0.06, 0.08, 0.06, 0.1, 0.2, 0.22, 0.1)
MOVING = (tilted, squeezed, padded, on_a_page)
