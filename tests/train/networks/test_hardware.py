"""The precision that suits a machine."""

import keras
import pytest

from catdog.engine import precision
from train.networks import hardware


@pytest.mark.parametrize(
    ("gpus", "processor", "chosen"),
    [
        ([], "flags : fma amx_bf16", "mixed_bfloat16"),
        ([], "flags : fma avx512_bf16", "float32"),
        ([], "flags : fma", "float32"),
        ([], None, "float32"),  # not on Linux
        (["GPU:0"], None, "mixed_bfloat16"),
    ],
)
def test_auto_is_bfloat16_where_that_is_fast(tmp_path, monkeypatch, gpus, processor, chosen):
    if processor:
        (tmp_path / "cpuinfo").write_text(processor)
    monkeypatch.setattr(hardware, "gpus", lambda: gpus)
    monkeypatch.setattr(precision, "CPUINFO", tmp_path / "cpuinfo")
    with hardware.precision("auto") as used:
        assert used == keras.config.dtype_policy().name == chosen
    assert keras.config.dtype_policy().name == "float32"
