"""How often answers of a given confidence are wrong, learned on validation photos."""

from __future__ import annotations

import bisect
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

Share = Annotated[float, Field(strict=True, ge=0, le=1)]
Shares = Annotated[tuple[Share, ...], Field(min_length=1, max_length=1000)]


class ErrorRates(BaseModel):
    """Error rates of a model by level of confidence."""

    model_config = ConfigDict(frozen=True)

    confidence: Shares  # lower ends of the levels, ascending from 0
    error_rate: Shares  # share of the answers in each level that were wrong

    @model_validator(mode="after")
    def _check(self) -> ErrorRates:
        if len(self.confidence) != len(self.error_rate):
            raise ValueError("each level of confidence needs one error rate")
        if self.confidence[0] != 0 or list(self.confidence) != sorted(set(self.confidence)):
            raise ValueError("levels of confidence must ascend from 0")
        return self

    def at(self, confidence: float) -> float:
        """The error rate of answers of this confidence."""
        return self.error_rate[self._level(confidence)]

    def around(self, confidence: float) -> tuple[float, float]:
        """The ends of the level of this confidence, 0 to 1."""
        level = self._level(confidence)
        return self.confidence[level], (*self.confidence, 1.0)[level + 1]

    def _level(self, confidence: float) -> int:
        return max(bisect.bisect_right(self.confidence, confidence) - 1, 0)
