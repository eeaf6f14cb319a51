"""The precisions that OpenVINO can compute a model in, and which of them to use."""

from __future__ import annotations

import contextlib
from pathlib import Path

from catdog.engine.openvino_engine import import_openvino
from catdog.models.spec import ModelSpec

EXACT = "float32"
FAST = ("int8", "bfloat16")  # the fastest first
# A model is served in a fast precision only if that was measured on at least so many photos, changed no label and moved
# no probability by more than LARGEST_CHANGE.
LEAST_PHOTOS, LARGEST_CHANGE = 1000, 0.01
# The x86 instructions that each of FAST needs, one of them; other processors were not tried. Those for int8 add up
# products of 8 bits in 32 bits: without them OpenVINO adds in 16 bits, where large sums saturate. AVX512-BF16 is not
# enough: on a processor with it, but without AMX, the shipped models took 1.4 to 1.7 times as
# long as in float32 (measured by hand).
FLAGS = {"int8": {"avx512_vnni", "avx_vnni", "amx_int8"}, "bfloat16": {"amx_bf16"}}
CPUINFO = Path("/proc/cpuinfo")


def precisions_of(spec: ModelSpec) -> list[str]:
    """All precisions to try on this processor, the fastest first: those measured to be harmless, then EXACT."""
    harmless = [name for name in FAST if _is_harmless(spec, name)]
    here = fast_here() if harmless else ()
    return [*(name for name in harmless if name in here), EXACT]


def fast_here() -> tuple[str, ...]:
    """The precisions of FAST that OpenVINO computes faster than float32, and correctly, on this processor.

    None but on Linux, where /proc/cpuinfo lists the instructions. Raises what a broken OpenVINO raises.
    """
    import_openvino()
    flags = processor_flags()
    return tuple(name for name in FAST if not FLAGS[name].isdisjoint(flags))


def processor_flags() -> set[str]:
    """The instruction sets of the first core, as Linux names them; empty on other systems."""
    with contextlib.suppress(OSError):
        for line in CPUINFO.read_text().splitlines():
            if line.startswith("flags"):
                return set(line.split())
    return set()


def _is_harmless(spec: ModelSpec, precision: str) -> bool:
    """Whether this precision, with float32 below `clear`, was measured to keep labels and probabilities."""
    try:
        measured = spec.metrics["test"][precision]
        return (
            measured["images"] >= LEAST_PHOTOS
            and measured["clear"] == spec.clear[precision]
            and measured["labels_changed"] == 0
            and measured["largest_change_of_probability"] <= LARGEST_CHANGE
        )
    except (LookupError, TypeError):  # never measured, or not by this project
        return False
