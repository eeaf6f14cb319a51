"""The precision of layers inside a block."""

from __future__ import annotations

import keras
import pytest

from train.networks.hardware import has_fast_bfloat16, precision


@pytest.mark.parametrize("name", ["float32", "mixed_bfloat16", "auto"])
def test_precision_holds_inside_the_block(name):
    before = keras.config.dtype_policy().name
    fast = "mixed_bfloat16" if has_fast_bfloat16() else "float32"
    with precision(name) as used:
        assert keras.config.dtype_policy().name == used == (fast if name == "auto" else name)
    assert keras.config.dtype_policy().name == before
