"""How often answers of a given confidence are wrong, learned on photos that were set aside."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

MOST_LEVELS = 1000


@dataclass(frozen=True)
class Sureness:
    """Error rates of a model in levels of confidence.

    confidence  lower ends of the levels, ascending from 0
    error_rate  share of the answers in each level that were wrong, 0 to 1
    """

    confidence: tuple[float, ...]
    error_rate: tuple[float, ...]

    @classmethod
    def from_dict(cls, content: Any) -> Sureness:
        """Read the `sureness` of a spec; raises ValueError when it makes no sense."""
        if not isinstance(content, dict):
            raise ValueError("it is no object")
        sureness = cls(*(tuple(_numbers(content, name)) for name in ("confidence", "error_rate")))
        if len(sureness.confidence) != len(sureness.error_rate):
            raise ValueError("it has not one error rate for each level of confidence")
        if sureness.confidence[0] != 0 or list(sureness.confidence) != sorted(set(sureness.confidence)):
            raise ValueError("its levels of confidence do not ascend from 0")
        return sureness

    def at(self, confidence: float) -> float:
        """The error rate of answers of this confidence."""
        level = np.searchsorted(self.confidence, confidence, side="right") - 1
        return self.error_rate[max(int(level), 0)]


def _numbers(content: dict[str, Any], name: str) -> Iterator[float]:
    """A list of shares from 0 to 1; raises ValueError."""
    values = content.get(name)
    if not isinstance(values, (list, tuple)) or not 1 <= len(values) <= MOST_LEVELS:
        raise ValueError(f"its {name} is no list of 1 to {MOST_LEVELS} numbers")
    for value in values:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
            raise ValueError(f"its {name} holds something else than numbers from 0 to 1")
        yield float(value)
