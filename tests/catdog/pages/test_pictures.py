"""Heat maps and examples as pictures that a page can show at once."""

import base64
import io
import shutil

import numpy as np
import pytest
from PIL import Image

from catdog.pages import examples
from catdog.pages.pictures import legend_url, overlay_urls, overlays
from tests.catdog import fakes
from tests.specs import minimal


def decoded(url: str) -> Image.Image:
    head, _, content = url.partition(",")
    image = Image.open(io.BytesIO(base64.b64decode(content)))
    assert head == f"data:{image.get_format_mimetype()};base64"
    return image


def test_each_model_has_its_map_over_the_photo():
    comparator = fakes.comparator()
    comparison, photo = comparator.look(fakes.photo(fakes.CAT, (900, 600)), explain=True)
    plain = comparator.look(fakes.photo(fakes.CAT, (900, 600)))[0]
    urls = overlay_urls(comparison, photo, comparator.specs)
    assert list(urls) == list(fakes.NAMES)
    assert decoded(urls["xception"]).size == (512, 341), "no larger than a page needs"
    assert photo.size == (800, 533), "the photo itself stays as it is"
    drawn = overlays(comparison, photo, comparator.specs)["xception"]
    assert drawn.size == photo.size and np.any(np.asarray(drawn) != np.asarray(photo))
    assert overlay_urls(plain, photo, comparator.specs) == {}


def test_the_legend_goes_from_against_over_grey_to_for():
    image = decoded(legend_url()).convert("RGB")
    left, middle, right = (image.getpixel((x, 8)) for x in (2, image.width // 2, image.width - 3))
    assert left[2] > left[1] and right[1] > right[2]
    assert max(middle) - min(middle) < 30


def test_examples_begin_with_cat_and_dog_and_have_square_thumbnails(tmp_path, cat):
    found = examples.thumbnails(examples.find())
    assert list(found) == list(examples.find())
    assert list(found)[:3] == ["cat", "dog", "blurred"]
    assert {decoded(url).size for url in found.values()} == {(examples.THUMBNAIL, examples.THUMBNAIL)}
    assert examples.find(tmp_path) == examples.find(tmp_path / "nowhere") == {}
    shutil.copy(cat, tmp_path / "zebra.jpg")
    assert list(examples.find(tmp_path)) == ["zebra"]


@pytest.mark.parametrize(("classes", "fit"), [(("Dogs", "horse"), True), (("horse", "cow"), False)])
def test_examples_are_for_models_that_know_one_of_them(classes, fit):
    assert examples.fitting([minimal(classes=classes)]) == (examples.find() if fit else {})
