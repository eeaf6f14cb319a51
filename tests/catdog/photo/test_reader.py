"""Reading photos for models: when they are reduced, and when they are read again."""

from __future__ import annotations

import contextlib
import io
import math
import os

import numpy as np
import pytest

from catdog import Settings
from catdog.classifier import Classifier
from catdog.comparator import Comparator
from catdog.engine import Outputs
from catdog.errors import InvalidImage
from catdog.photo.array import Input, to_array
from catdog.photo.decode import MAX_PIXELS, from_pillow
from catdog.photo.reader import CONFIDENT, Reader, min_side_for, needs_whole
from tests.catdog.photos import encoded, noise, orientation
from tests.specs import minimal

READER = Reader(max_bytes=1_000_000, max_pixels=MAX_PIXELS, min_side=40)
SIZE = 8  # what the models here ask for
LARGE, SMALL = (8 * SIZE, 6 * SIZE), (4 * SIZE, 4 * SIZE - 3)  # what is read reduced, and what is just not


@pytest.mark.parametrize(
    ("size", "reduced"), [((99, 200), False), ((100, 120), True), ((320, 240), True), ((39, 900), False)]
)
@pytest.mark.parametrize("format", ["JPEG", "PNG", None])
def test_it_is_known_which_photos_were_reduced(size, reduced, format, tmp_path):
    photo = noise(*size)
    if format:
        photo = encoded(photo, format, exif=orientation(6))
        size = size[::-1]
        (tmp_path / "photo").write_bytes(photo)
    for form in [photo] if not format else [photo, io.BytesIO(photo), tmp_path / "photo"]:
        image, said = READER(form)
        assert said is reduced
        assert (image.size != size) is reduced
    image, said = READER(photo, whole=True)
    assert image.size == size and said is False


class Once(io.BytesIO):
    """A file that goes in one direction only, such as a pipe."""

    def seekable(self) -> bool:
        return False


def test_what_is_no_open_file_is_repeated_as_it_is(tmp_path):
    closed = io.BytesIO()
    closed.close()
    with pytest.raises(InvalidImage, match="closed"):
        READER.repeatable(closed)
    (tmp_path / "photo.png").touch()
    assert READER.repeatable(tmp_path / "photo.png") == tmp_path / "photo.png"
    assert READER.repeatable(b"photo") == b"photo"


class Slow(io.BytesIO):
    """A file of which each read gives a few bytes, as that of a pipe may."""

    def read(self, size: int) -> bytes:
        return super().read(min(size, 10))


class SlowOnce(Slow, Once):
    pass


@pytest.mark.parametrize("kind", [io.BytesIO, Once, Slow, SlowOnce])
def test_open_files_can_be_read_twice_from_where_they_stood_and_stay_open(kind):
    file = kind(b"before" + encoded(noise(9, 9), "PNG"))
    file.read(6)
    photo = READER.repeatable(file)
    assert READER(photo).image == READER(photo, whole=True).image == noise(9, 9)
    assert not file.closed


def test_a_path_out_of_which_data_come_only_once_can_be_read_twice():
    reading, writing = os.pipe()
    with open(writing, "wb") as pipe:
        pipe.write(encoded(noise(9, 9), "PNG"))
    photo = READER.repeatable(f"/dev/fd/{reading}")  # as of a shell's <(...)
    os.close(reading)
    assert READER(photo).image == READER(photo, whole=True).image == noise(9, 9)


@pytest.mark.parametrize(("sizes", "min_side"), [([8], 14), ([176, 224, 192], 375), ([100], 167)])
def test_photos_keep_two_thirds_more_pixels_a_side_than_the_largest_model_takes(sizes, min_side):
    assert Reader.of(map(Input, sizes), Settings()).min_side == min_side


@pytest.mark.parametrize(
    ("confidences", "again"),
    [([CONFIDENT], False), ([1.0, CONFIDENT - 1e-6], True), ([], False), ([math.nan], True), ([1.0, 1.0], False)],
)
def test_one_model_that_is_not_confident_is_enough(confidences, again):
    assert needs_whole(confidences) is again


class Seeing:
    """An engine that keeps what it sees, and is as sure as it is told to be."""

    runtime, problem = "a test", ""

    def __init__(self, sure: float):
        self.sure, self.seen = sure, []

    def __call__(self, batch: np.ndarray) -> Outputs:
        self.seen += list(batch)
        return Outputs.from_model(np.full((len(batch), 1), self.sure, np.float32))


def seen(photo, *sure: float, method: str = "compare") -> list[np.ndarray]:
    """What the first of some models sees of a photo; each is as sure as given."""
    engines = [Seeing(value) for value in sure]
    models = [Classifier(minimal(f"model{i}", image_size=SIZE), engine) for i, engine in enumerate(engines)]
    with contextlib.closing(Comparator(models)) as comparator:
        getattr(comparator, method)(photo)
    return engines[0].seen


@pytest.mark.parametrize("method", ["compare", "look"])
@pytest.mark.parametrize("form", [lambda image: Once(encoded(image, "PNG")), lambda image: image])
@pytest.mark.parametrize("sure", [(0.6, 0.999), (0.001, 0.6)])
def test_a_large_photo_of_which_a_model_is_in_doubt_is_judged_as_a_whole(sure, form, method):
    image = noise(*LARGE)
    first, second = seen(form(image), *sure, method=method)
    assert np.array_equal(second, to_array(image, Input(SIZE)))
    assert np.array_equal(first, to_array(from_pillow(image, min_side=min_side_for(SIZE)), Input(SIZE)))
    assert not np.array_equal(first, second)


@pytest.mark.parametrize(("size", "sure"), [(LARGE, (0.999, 0.001)), (SMALL, (0.6, 0.6))])
def test_no_other_photo_is_judged_twice(size, sure):
    assert len(seen(encoded(noise(*size), "JPEG"), *sure)) == 1
