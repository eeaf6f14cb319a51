"""What the models see of a photo is what the browser shows of it: colours, orientation, and what is missing."""

import base64

import numpy as np
import pytest
from PIL import Image

from catdog.photo.decode import decode
from tests.catdog.photo.profiles import ADOBE_RGB, DISPLAY_P3, PROPHOTO, cmyk_profile, grey_profile, rgb_profile
from tests.catdog.photo.test_decode import NOT_TURNED_BY_BROWSERS, turned
from tests.catdog.photos import encoded
from tests.conftest import EXAMPLES

SHOWN = """async address => {
  const photo = new Image();
  await new Promise((resolve, reject) => Object.assign(photo, {onload: resolve, onerror: reject, src: address}));
  const canvas = new OffscreenCanvas(photo.naturalWidth, photo.naturalHeight), context = canvas.getContext("2d");
  context.fillStyle = "white";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(photo, 0, 0);
  return [canvas.height, canvas.width, Array.from(context.getImageData(0, 0, canvas.width, canvas.height).data)];
}"""


def photos() -> dict[str, bytes]:
    with Image.open(EXAMPLES / "cat.jpg") as image:
        cat = image.convert("RGB").resize((120, 90))
    clear = cat.copy()
    clear.putalpha(Image.linear_gradient("L").resize(cat.size))
    p3, grey, inks = rgb_profile(DISPLAY_P3, 2.2), grey_profile(1.8), cmyk_profile()
    whole, progressive = (encoded(cat, "JPEG", progressive=progressive) for progressive in (False, True))
    profiles = {
        "Display P3": ("RGB", p3), "Adobe RGB": ("RGB", rgb_profile(ADOBE_RGB, 2.2)), "grey": ("L", grey),
        "ProPhoto": ("RGB", rgb_profile(PROPHOTO, 1.8)), "grey with colours": ("L", p3), "inks": ("CMYK", inks),
        "inks with colours": ("CMYK", p3), "colours with grey": ("RGB", grey), "broken": ("RGB", p3[:200]),
    }  # fmt: skip
    made = {name: encoded(cat.convert(mode), "JPEG", icc_profile=profile) for name, (mode, profile) in profiles.items()}
    made |= {
        "alpha": encoded(clear, "PNG", icc_profile=p3),
        "WebP": encoded(cat, "WEBP", lossless=True, icc_profile=p3),
    }
    made |= {name: data for name, data in NOT_TURNED_BY_BROWSERS.items() if "TIFF" not in name and "HEIC" not in name}
    made |= {f"turned {format}": turned(format, 6) for format in ("JPEG", "PNG", "AVIF")}
    return made | {"no end": whole[:-1], "no end, progressive": progressive[:-2]}


PHOTOS = photos()
# Rounding of alpha; AVIF has decoders of several kinds; Chromium reads tables of inks a little otherwise.
OTHERWISE = {"alpha": 3, "XMP in AVIF": 8, "turned AVIF": 8, "inks": 8}


@pytest.fixture(scope="module")
def blank(chromium):
    page = chromium.new_page()
    yield page
    page.close()


@pytest.mark.parametrize("name", PHOTOS)
def test_models_see_what_the_browser_shows(blank, name):
    address = f"data:image/*;base64,{base64.b64encode(PHOTOS[name]).decode()}"
    height, width, values = blank.evaluate(SHOWN, address)
    shown, seen = np.array(values).reshape(height, width, 4)[..., :3], np.asarray(decode(PHOTOS[name]), int)
    assert shown.shape == seen.shape
    rows = slice(0, height * 4 // 5 if name == "no end" else height)  # Chromium leaves the lowest blocks out
    assert np.abs(shown - seen)[rows].max() <= OTHERWISE.get(name, 2)
