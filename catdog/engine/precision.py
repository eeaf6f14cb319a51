"""The arithmetics that models can run in, and which of them this processor is fast at."""

from __future__ import annotations

import contextlib
from pathlib import Path

from catdog.engine.openvino_engine import import_openvino

EXACT = "float32"
# Fast on some processors, the fastest first.
FAST = ("int8", "bfloat16")
# What x86 calls instructions that add products of 8 bits in 32. Without them OpenVINO adds in 16, where large sums are
# cut off, and other processors were not tried.
INT8_FLAGS = {"avx512_vnni", "avx_vnni", "amx_int8"}
CPUINFO = Path("/proc/cpuinfo")


def fast_here() -> tuple[str, ...]:
    """Those of FAST that OpenVINO computes faster than float32 on this processor, and without harm of its own.

    Only Linux says whether int8 is. Raises what a broken OpenVINO raises.
    """
    capabilities = import_openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    able = {"bfloat16": "BF16" in capabilities, "int8": not INT8_FLAGS.isdisjoint(_flags())}
    return tuple(name for name in FAST if able[name])


def _flags() -> set[str]:
    """What Linux says that the first core can do; nothing elsewhere."""
    with contextlib.suppress(OSError):
        for line in CPUINFO.read_text().splitlines():
            if line.startswith("flags"):
                return set(line.split())
    return set()
