"""Every layout of a TIFF becomes the pixels that the standard says, computed with numpy, or is refused by name."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from catdog.errors import InvalidImage
from catdog.photo.decode import decode
from catdog.photo.reader import Reader

from .tiffs import (
    CMYK,
    DEFLATE,
    FLOAT,
    GREY,
    GREY_INVERTED,
    PACKBITS,
    PALETTE,
    RAW,
    RGB,
    SIGNED,
    UNSIGNED,
    YCBCR,
    tiff,
    tiff_of,
    tiff_page,
)

HEIGHT, WIDTH = 12, 18
Y, X = np.mgrid[:HEIGHT, :WIDTH]
COLOURS = np.stack([X / (WIDTH - 1), Y / (HEIGHT - 1), (X + Y) % 5 / 4], axis=-1)  # 0 to 1
SHADES = COLOURS[..., :1]
HALF = (X % 3)[..., None] / 2
# name -> samples 0..1 as they lie in the file, photometric interpretation, extra samples, the RGB that they mean
KINDS = {
    "grey": (SHADES, GREY, (), SHADES),
    "white is zero": (1 - SHADES, GREY_INVERTED, (), SHADES),
    "grey and alpha": (np.concatenate([SHADES, HALF], 2), GREY, (2,), SHADES * HALF + 1 - HALF),
    "RGB": (COLOURS, RGB, (), COLOURS),
    "RGB and alpha": (np.concatenate([COLOURS, HALF], 2), RGB, (2,), COLOURS * HALF + 1 - HALF),
    "RGB times alpha": (np.concatenate([COLOURS * HALF, HALF], 2), RGB, (1,), COLOURS * HALF + 1 - HALF),
    "RGB and what nobody knows": (np.concatenate([COLOURS, HALF], 2), RGB, (0,), COLOURS),
    "inks": (np.concatenate([1 - COLOURS, 0 * SHADES], 2), CMYK, (), COLOURS),
}
DEPTHS = [(bits, UNSIGNED) for bits in (1, 2, 4, 8, 12, 16, 32)] + [(bits, SIGNED) for bits in (8, 16, 32)]
DEPTHS += [(bits, FLOAT) for bits in (16, 32, 64)]
# What must be read and not merely refused: compressed or not, in one plane, in either byte order.
READ = {
    *itertools.product(["grey", "white is zero"], [(1, UNSIGNED), (2, UNSIGNED), (4, UNSIGNED), (8, UNSIGNED)]),
    *itertools.product(["RGB", "RGB and alpha", "RGB times alpha", "inks"], [(8, UNSIGNED), (16, UNSIGNED)]),
    ("grey", (16, UNSIGNED)), ("grey", (32, FLOAT)), ("white is zero", (32, FLOAT)),
    ("grey and alpha", (8, UNSIGNED)),
}  # fmt: skip


@pytest.mark.parametrize("depth", DEPTHS, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_right_pixels_or_a_refusal(kind, depth):
    samples, photometric, extra, meant = KINDS[kind]
    bits, form = depth
    full = 1 if form == FLOAT else 2 ** (bits - (form == SIGNED)) - 1
    values = samples * full if form == FLOAT else np.rint(samples * full).astype(np.int64)
    levels = 255 if form == FLOAT or bits >= 8 else full
    expected = np.broadcast_to(255 * np.rint(meant * levels) / levels, (HEIGHT, WIDTH, 3))
    for compression, order, separate in itertools.product((RAW, DEFLATE, PACKBITS), "<>", (False, True)):
        layout = {"compression": compression, "order": order, "separate": separate}
        try:
            image = decode(tiff(values, bits, photometric, form=form, extra=extra, **layout))
        except InvalidImage as error:
            assert "not supported" in str(error) or "which is white" in str(error), layout
            assert separate or (kind, depth) not in READ, layout
        else:
            assert np.abs(np.asarray(image) - expected).max() <= 1.5, layout


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("values", [[0, 1 << 14, 1 << 20], [-1, 5, 200], [300, 301, 4095]])
def test_integers_of_which_nobody_knows_the_white_are_refused(values, order):
    data = tiff(np.array(values).reshape(1, 3, 1), 32, GREY, order=order, form=SIGNED)
    with pytest.raises(InvalidImage, match=f"from {min(values)} to .* which is white"):
        decode(data)


@pytest.mark.parametrize("values", [[0, 0.5, 1.2], [0, 1, 65535], [-0.1, 0.5, 1], [0, 100, 255.5]])
def test_floats_of_which_nobody_knows_the_white_are_refused(values):
    with pytest.raises(InvalidImage, match="which is white"):
        decode(tiff(np.array(values).reshape(1, 3, 1), 32, GREY, form=FLOAT))


def page(samples: np.ndarray, photometric: int = RGB, **tags: int):
    numbered = {int(name.removeprefix("tag")): value for name, value in tags.items()}
    return tiff_page(np.rint(255 * samples).astype(int), 8, photometric, RAW, False, "<", UNSIGNED, (), numbered)


PHOTO, THUMBNAIL = np.tile(COLOURS, (4, 4, 1)), COLOURS[::2, ::2]


@pytest.mark.parametrize(
    "pages",
    [
        [page(THUMBNAIL, tag254=1), page(PHOTO, tag254=0)],
        [page(THUMBNAIL, tag254=1), page(PHOTO)],
        [page(THUMBNAIL, tag255=2), page(PHOTO, tag255=1)],
        [page(THUMBNAIL, tag254=1), page(SHADES, GREY, tag254=4), page(PHOTO, tag254=2)],
        [page(PHOTO, tag254=0), page(THUMBNAIL, tag254=1)],
        [page(THUMBNAIL), page(PHOTO)],
        [page(PHOTO), page(PHOTO[::-1])],
        [page(PHOTO), page(THUMBNAIL)],
        [page(PHOTO), page(np.tile(PHOTO, (2, 3, 1)))],
    ],
)
def test_the_photo_is_not_the_thumbnail(pages):
    data = tiff_of(pages)
    assert np.array_equal(decode(data), np.rint(255 * PHOTO))
    image, reduced = Reader(10**6, 10**6, min_side=11)(data)
    assert (image.size, reduced) == ((WIDTH, HEIGHT), True)  # the size of the photo is known, too


@pytest.mark.parametrize(
    ("pages", "named"),
    [
        ([page(THUMBNAIL, tag254=1)], "thumbnail"),
        ([page(THUMBNAIL, tag254=1), page(PHOTO, 32803, tag254=0)], "thumbnail"),  # what a sensor saw
        ([page(THUMBNAIL, tag254=1, tag50706=0x0401)], "raw"),
        ([([b""], {259: 6, 513: 8})], "TIFF"),  # a preview alone, as in a camera's raw
        ([page(PHOTO, YCBCR)], "TIFF"),
        ([page(PHOTO, 9)], "TIFF"),
        ([page(PHOTO, tag259=50001)], "TIFF"),  # WebP
        ([page(PHOTO, tag259=34712)], "TIFF"),  # JPEG 2000
    ],
)
def test_kinds_that_are_not_read_are_refused_by_name(pages, named):
    with pytest.raises(InvalidImage, match=f"{named}.* not supported"):
        decode(tiff_of(pages))


def test_numbers_without_a_sign_are_named_without_one():
    data = tiff(np.array([0, 2**31, 2**32 - 1]).reshape(1, 3, 1), 32, GREY)
    with pytest.raises(InvalidImage, match=r"from 0 to 4\.29497e"):
        decode(data)


def test_a_palette_may_have_8_bits_in_the_place_of_16():
    colours = np.random.default_rng(0).integers(0, 256, (3, 256))
    for factor in (1, 257):
        data = tiff(10 * X[..., None], 8, PALETTE, tags={320: tuple(factor * colours.ravel())})
        assert np.array_equal(decode(data), colours.T[10 * X])


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_a_big_tiff_in_the_other_byte_order_is_not_called_damaged():
    with pytest.raises(InvalidImage, match="kind of TIFF file is not supported"):
        decode(b"MM\0+\0\x08\0\0" + bytes(1000))


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_a_broken_directory_is_damage():
    data = tiff_of([page(PHOTO)])
    for broken in (data[:-200], data[:8], data.replace(b"\x00\x01\x03\x00\x01", b"\x00\x01\x63\x00\x01")):
        with pytest.raises(InvalidImage, match="damaged"):
            decode(broken)
