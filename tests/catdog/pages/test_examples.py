"""The example photos."""

from __future__ import annotations

import shutil

from catdog.pages import examples

from .test_pictures import decoded


def test_a_folder_without_examples_has_none(tmp_path, cat):
    assert examples.find(tmp_path) == examples.find(tmp_path / "nowhere") == {}
    shutil.copy(cat, tmp_path / "zebra.jpg")
    assert list(examples.find(tmp_path)) == ["zebra"]


def test_cat_and_dog_come_first_and_thumbnails_are_square():
    found = examples.thumbnails()
    assert list(found) == list(examples.find())
    assert list(found)[:3] == ["cat", "dog", "duck"]
    assert {decoded(url).size for url in found.values()} == {(examples.THUMBNAIL, examples.THUMBNAIL)}
