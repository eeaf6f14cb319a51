"""What the machine offers to training, and the precision that suits it."""

import contextlib
import os
import platform
from collections.abc import Iterator

import keras

from catdog.engine.precision import FLAGS, processor_flags


def gpus() -> list[str]:
    """Names of the GPUs that the Keras backend sees."""
    if keras.backend.backend() == "torch":  # Keras does not ask it
        import torch

        return [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    with contextlib.suppress(RuntimeError):  # JAX raises where there is none
        return keras.distribution.list_devices("gpu")
    return []


def has_fast_bfloat16() -> bool:
    """Whether the machine multiplies bfloat16 faster than float32: GPUs, and processors with AMX.

    With AVX512-BF16 alone, a product of 4096 x 728 by 728 x 728 took 1.6 times as long in bfloat16 (by hand).
    """
    return bool(gpus()) or not FLAGS["bfloat16"].isdisjoint(processor_flags())


@contextlib.contextmanager
def precision(name: str) -> Iterator[str]:
    """Build layers with this Keras dtype policy inside the block; yields its name.

    `auto` is mixed_bfloat16 where bfloat16 is fast, else float32.
    """
    before = keras.config.dtype_policy()
    policy = ("mixed_bfloat16" if has_fast_bfloat16() else "float32") if name == "auto" else name
    keras.config.set_dtype_policy(policy)
    try:
        yield policy
    finally:
        keras.config.set_dtype_policy(before)


def describe() -> str:
    """The GPUs, or else the cores, of this machine as a spec records them: `1 GPU`, `4 cores of x86_64`."""
    return f"{len(found)} GPU" if (found := gpus()) else f"{os.cpu_count()} cores of {platform.machine()}"
