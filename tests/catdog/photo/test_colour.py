"""Embedded colour profiles are applied; broken and unfitting ones are not."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from PIL import Image, ImageCms

from catdog.photo.decode import decode, from_pillow
from tests.catdog.photos import encoded, heic, noise

from .profiles import (
    ADOBE_RGB,
    DISPLAY_P3,
    INKS,
    PROPHOTO,
    SRGB,
    cmyk_profile,
    grey_profile,
    rgb_profile,
    srgb_of,
    srgb_of_lab,
)

IMAGE = noise(40, 30)
P3 = rgb_profile(DISPLAY_P3, 2.2)
GAMMA = 563 / 256  # what a profile can hold of 2.2


@pytest.mark.parametrize(
    ("primaries", "gamma"), [(DISPLAY_P3, GAMMA), (ADOBE_RGB, GAMMA), (PROPHOTO, 461 / 256), (SRGB, 1.5)]
)
def test_colours_are_those_of_the_formulas(primaries, gamma):
    data = encoded(IMAGE, "PNG", icc_profile=rgb_profile(primaries, gamma))
    expected = srgb_of(np.asarray(IMAGE), primaries, gamma)
    assert np.abs(np.asarray(decode(data)) - expected).max() < 1.5
    assert np.abs(np.asarray(IMAGE) - expected).mean() > 5


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIC"])
def test_every_format_brings_its_profile(format):
    image = Image.new("RGB", (64, 48), (200, 90, 60))
    if format == "HEIC":
        image.info["icc_profile"] = P3
        data = heic(image)
    else:
        data = encoded(image, format, icc_profile=P3)
    for min_side in (None, 16):
        pixel = decode(data, min_side=min_side).getpixel((5, 5))
        assert pixel == pytest.approx(srgb_of((200, 90, 60), DISPLAY_P3, GAMMA), abs=5)


def test_transparent_pixels_are_white_in_srgb():
    image = IMAGE.copy()
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    alpha = np.asarray(image)[..., 3:] / 255
    expected = srgb_of(np.asarray(IMAGE), DISPLAY_P3, GAMMA) * alpha + 255 * (1 - alpha)
    assert np.abs(np.asarray(decode(encoded(image, "PNG", icc_profile=P3))) - expected).max() < 2


@pytest.mark.parametrize("mode", ["P", "L", "1"])
def test_palettes_and_greys_have_profiles_for_colours(mode):
    image = IMAGE.convert(mode)
    expected = srgb_of(np.asarray(image.convert("RGB")), DISPLAY_P3, GAMMA)
    assert np.abs(np.asarray(decode(encoded(image, "PNG", icc_profile=P3))) - expected).max() < 1.5


@pytest.mark.parametrize("mode", ["L", "LA", "I;16", "1"])
def test_grey_profiles(mode):
    shades = np.arange(16, 256, dtype=np.uint16)[None].repeat(8, 0)
    image = Image.fromarray(shades * 257 if mode == "I;16" else shades.astype(np.uint8)).convert(mode)
    plain = np.asarray(decode(encoded(image, "PNG")))
    expected = srgb_of(plain, SRGB, 461 / 256)
    assert np.abs(np.asarray(decode(encoded(image, "PNG", icc_profile=grey_profile(1.8)))) - expected).max() < 2.5


@pytest.mark.parametrize("format", ["TIFF", "JPEG"])
def test_inks_have_the_colours_of_the_press(format):
    inks = np.array(list(itertools.product((0, 255), repeat=4)), np.uint8).reshape(16, 1, 4)
    image = Image.fromarray(inks, "CMYK").resize((16, 256), Image.Resampling.NEAREST)
    options = {"quality": 100} if format == "JPEG" else {}
    found = np.asarray(decode(encoded(image, format, icc_profile=cmyk_profile(), **options)))[8::16, 8]
    assert np.abs(found - srgb_of_lab(INKS)).max() < 4
    assert np.abs(found - np.asarray(decode(encoded(image, format, **options)))[8::16, 8]).max() > 50


@pytest.mark.parametrize(
    ("mode", "profile"),
    [
        ("RGB", b""), ("RGB", b"a profile"), ("RGB", P3[:300]), ("RGB", P3[:128] + bytes(300)),
        ("RGB", P3 + bytes(2**22)), ("RGB", grey_profile(1.0)), ("RGB", cmyk_profile()), ("L", cmyk_profile()),
        ("CMYK", P3), ("CMYK", grey_profile(1.0)), ("RGB", rgb_profile(np.zeros((3, 3)), 2.2)),
        ("RGB", ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()),
        ("RGB", ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()),
    ],
)  # fmt: skip
def test_profiles_that_are_broken_or_for_other_colours_or_change_nothing_are_ignored(mode, profile):
    image = IMAGE.convert(mode)
    assert decode(encoded(image, "TIFF", icc_profile=profile)) == decode(encoded(image, "TIFF"))


@pytest.mark.parametrize(("mode", "profile"), [("RGB", P3), ("CMYK", cmyk_profile()), ("L", grey_profile(1.8))])
def test_damaged_profiles_never_cost_the_photo(mode, profile):
    random = np.random.default_rng(1)
    for _ in range(6):
        broken = np.frombuffer(profile, np.uint8).copy()
        broken[random.integers(0, len(broken), 4)] = random.integers(0, 256, 4)
        image = Image.new(mode, (4, 4))
        image.info["icc_profile"] = broken.tobytes()
        assert from_pillow(image).size == (4, 4)
