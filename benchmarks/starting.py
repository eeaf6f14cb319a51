"""A fresh process of the command line, until its first answer."""

import statistics
import subprocess
import time
from collections.abc import Mapping
from typing import Any

from .plan import EXAMPLES, Plan, in_turns
from .processes import line_of, python, started


def measure(plan: Plan, environment: Mapping[str, str]) -> dict[str, Any]:
    """Seconds, the median of `plan.starts`: with the converted models in the cache, and the plain way.

    `cold` is one start with the cache still empty, which converts the models.
    """
    photo = EXAMPLES[0]
    command = python("-m", "catdog", "predict", "--json", photo)
    sides = {
        "warm": lambda: until_the_first_line(command, environment),
        "plain": lambda: until_the_first_line(python("-m", "benchmarks.plain", photo), environment),
    }
    cold = until_the_first_line(command, environment)
    figures = {name: statistics.median(turns) for name, turns in in_turns(plan.starts, sides).items()}
    return {**figures, "cold": cold, "starts": plan.starts}


def until_the_first_line(command: list[str], environment: Mapping[str, str]) -> float:
    start = time.perf_counter()
    with started(command, environment, stdout=subprocess.PIPE) as process:
        line_of(process)
        return time.perf_counter() - start
