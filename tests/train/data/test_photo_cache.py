"""Photos are decoded once, as serving decodes them, into files that appear whole."""

import os
import time

import numpy as np
import pytest
from PIL import ExifTags, Image

from catdog.classifier import Classifier
from catdog.comparator import Comparator
from catdog.engine import Outputs
from tests.specs import minimal
from train.data import photo_cache
from train.data.dataset import DatasetError, Split, find


class Witness:
    """An engine that keeps what reaches it."""

    runtime = problem = ""

    def __init__(self):
        self.seen = []

    def __call__(self, batch: np.ndarray) -> Outputs:
        self.seen += list(batch)
        return Outputs.from_model(np.full((len(batch), 1), 0.5, np.float32))


@pytest.fixture
def odd_photos(tmp_path) -> Split:
    """Photos that need more than resizing: on their side, transparent, grey of 16 bits, with a palette."""
    colours = np.random.default_rng(0).integers(0, 256, (60, 90, 4), dtype=np.uint8)
    photo, transparent = Image.fromarray(colours[..., :3]), Image.fromarray(colours)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    for label in ("cats", "dogs"):
        folder = tmp_path / "odd" / "val" / label
        folder.mkdir(parents=True)
        photo.save(folder / "turned.jpg", exif=exif)
        transparent.save(folder / "transparent.png")
        Image.fromarray(colours.view(np.uint32)[..., 0].astype(np.uint16)).save(folder / "grey.png")
        photo.quantize(16).save(folder / "palette.gif")
        photo.save(folder / "photo.webp")
    return find(tmp_path / "odd", "val")


def test_training_and_serving_see_the_same_array(odd_photos, tmp_path):
    trained_on = photo_cache.load_images(odd_photos, 32, cache=tmp_path / "cache")
    witness = Witness()
    comparator = Comparator([Classifier(minimal(image_size=32), witness)])
    for path in odd_photos.paths:
        comparator.compare(path)
    comparator.close()
    for image, seen in zip(trained_on, witness.seen, strict=True):
        assert image.std() > 10 and seen.dtype == np.float32
        np.testing.assert_array_equal(image, seen)


def test_the_cache_is_reused_until_a_file_changes(tiny_data, tmp_path, capsys):
    for name, age in (("old", 2 * photo_cache.DAY), ("new", 0)):  # left by killed processes
        (tmp_path / f"{name}.1.partial").write_bytes(b"x")
        os.utime(tmp_path / f"{name}.1.partial", (time.time() - age,) * 2)
    split = find(tiny_data, "val")
    photo_cache.load_images(split, 16, cache=tmp_path)
    assert "16/16" in capsys.readouterr().err.splitlines()[-1]
    (made,) = tmp_path.glob("*.npy")
    before = made.stat().st_mtime_ns
    photo_cache.load_images(split, 16, cache=tmp_path)
    assert made.stat().st_mtime_ns == before
    photo_cache.load_images(split.head(3), 16, cache=tmp_path)
    assert len(list(tmp_path.glob("*.npy"))) == 2
    assert [path.name for path in tmp_path.glob("*.partial")] == ["new.1.partial"]


def test_a_photo_that_does_not_decode_leaves_no_cache(tmp_path):
    for label in ("cats", "dogs"):
        (tmp_path / "data" / "val" / label).mkdir(parents=True)
        (tmp_path / "data" / "val" / label / "a.png").write_bytes(b"broken")
    with pytest.raises(DatasetError, match=r"a\.png.*python -m train prepare"):
        photo_cache.load_images(find(tmp_path / "data", "val"), 16, cache=tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_full_disk_is_an_error_before_anything_is_decoded(tmp_path):
    def fill(array):
        raise AssertionError("there was no space for this")

    with pytest.raises(OSError, match="No space left") as caught:
        photo_cache.cached(tmp_path / "photos.npy", (2**50,), np.uint8, fill)
    assert caught.value.filename
    assert list(tmp_path.iterdir()) == []
