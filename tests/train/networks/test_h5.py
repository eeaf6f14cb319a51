"""Compact `.h5` files: opened anywhere, their weights rounded to so many bits."""

import keras
import numpy as np
import pytest

from train.networks import architectures, h5


def test_compact_h5_opens_anywhere_and_is_rounded(tmp_path):
    model = architectures.build("scratch_cnn", image_size=32)
    model.save(tmp_path / "plain.h5")
    h5.save(model, tmp_path / "exact.h5")
    h5.save(model, tmp_path / "rounded.h5", bits=11)
    exact, rounded = (keras.models.load_model(tmp_path / f"{n}.h5").get_weights() for n in ("exact", "rounded"))
    for before, same, near in zip(model.get_weights(), exact, rounded, strict=True):
        np.testing.assert_array_equal(before, same)
        np.testing.assert_allclose(before, near, rtol=2**-11, atol=1e-7)
    sizes = [(tmp_path / f"{n}.h5").stat().st_size for n in ("plain", "rounded")]
    assert sizes[1] < 0.55 * sizes[0]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["exact.h5", "plain.h5", "rounded.h5"]


@pytest.mark.parametrize("bits", [11, 13, 24])
def test_rounding_keeps_the_nearest_value_of_so_many_bits(bits):
    values = np.float32([0, 1, -1, 1.5, 1 + 2.0**-bits, 1 + 0.8 * 2.0 ** (1 - bits), 1e-6, 1e30, -3.14159265])
    near = h5.rounded(values, bits)
    np.testing.assert_array_equal(near[:4], values[:4])
    assert near[5] == np.float32(1 + 2.0 ** (1 - bits)) or bits == 24
    np.testing.assert_allclose(near, values, rtol=2.0**-bits)
    mantissas = np.frexp(near)[0].astype(np.float64) * 2**bits
    np.testing.assert_array_equal(mantissas, np.round(mantissas))
