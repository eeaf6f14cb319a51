"""Degraded photos: each way changes a photo, and a teacher's copy keeps its quality."""

import numpy as np
import pytest
from PIL import Image

from train.data import degrade

PHOTO = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)


@pytest.mark.parametrize("way", degrade.WAYS)
def test_each_way_changes_a_photo_and_keeps_its_size(way):
    image = Image.fromarray(PHOTO)
    changed = [np.asarray(way(image, np.random.default_rng(seed))) for seed in range(20)]
    assert {(one.shape, one.dtype) for one in changed} == {((64, 64, 3), np.dtype(np.uint8))}
    assert sum((one != PHOTO).any() for one in changed) >= 18  # 64 pixels can be shrunk to 64
    np.testing.assert_array_equal(changed[3], way(image, np.random.default_rng(3)))
    np.testing.assert_array_equal(np.asarray(image), PHOTO)


def test_what_a_teacher_sees_has_lost_no_quality():
    smooth = np.asarray(Image.fromarray(PHOTO[:4, :4]).resize((64, 64), Image.Resampling.BICUBIC))
    moved = lost = 0
    for seed in range(60):
        clean, worse = degrade.degraded(smooth, np.random.default_rng(seed))
        assert clean.shape == worse.shape == smooth.shape
        moved += (clean != smooth).any()
        lost += (worse != clean).any()
    assert 10 < moved < 40 < lost
