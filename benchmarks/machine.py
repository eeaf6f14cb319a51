"""What the figures were measured on."""

import os
import platform
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from .processes import cores

LIBRARIES = ("openvino", "tensorflow", "keras", "numpy", "pillow", "flask", "gunicorn", "gradio")
# What decides how fast a processor multiplies.
FLAGS = re.compile(r"avx\S*|amx\S*|fma|asimd\S*|sve\S*|bf16|i8mm")


def describe() -> dict[str, Any]:
    """Processor, cores, system, versions, and how busy it was in the minute before."""
    path = Path("/proc/cpuinfo")
    cpuinfo = path.read_text() if path.is_file() else ""
    flags = re.search(r"^(?:flags|Features)\s*:(.*)", cpuinfo, re.MULTILINE)
    model = re.search(r"^model name\s*: (.*)", cpuinfo, re.MULTILINE)
    return {
        "processor": model[1] if model else platform.processor() or platform.machine(),
        "flags": sorted(filter(FLAGS.fullmatch, flags[1].split())) if flags else [],
        "cores": cores(),
        "cores_of_the_machine": os.cpu_count(),
        "system": f"{platform.system()} on {platform.machine()}",
        "python": platform.python_version(),
        "libraries": {name: _version(name) for name in LIBRARIES},
        "load_before": load(),
    }


def load() -> float | None:
    """Processes that ran or waited to run, on average over the last minute."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def _version(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:
        return _version("tensorflow_cpu") if library == "tensorflow" else None
