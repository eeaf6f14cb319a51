"""What the machine offers to training."""

from __future__ import annotations

import contextlib
import os
import platform
from pathlib import Path

import keras


def gpus() -> list[str]:
    """The GPUs that the Keras backend sees; JAX raises where there is none, PyTorch is not asked by Keras."""
    if keras.backend.backend() == "torch":
        import torch

        return [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    with contextlib.suppress(RuntimeError):
        return keras.distribution.list_devices("gpu")
    return []


def has_fast_bfloat16() -> bool:
    """Whether bfloat16 is multiplied faster than float32: on a GPU, and on processors that say so."""
    if gpus():
        return True
    with contextlib.suppress(OSError):
        return "avx512_bf16" in Path("/proc/cpuinfo").read_text()
    return False


def describe() -> str:
    """What a run computes on, for its provenance."""
    return f"{len(gpus())} GPU" if gpus() else f"{os.cpu_count()} cores of {platform.machine()}"
