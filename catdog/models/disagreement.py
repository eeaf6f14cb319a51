"""How often a model was right when other models disagreed with it, counted on validation photos."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_serializer, model_validator

# A share of fewer photos than this says too little to be shown.
FEWEST_PHOTOS = 10

Count = Annotated[int, Field(strict=True, ge=0, lt=2**53)]


class Case(BaseModel):
    """One way in which a model and others can disagree, and how often the model was right then."""

    model_config = ConfigDict(frozen=True)

    others: dict[str, str]  # name -> sha256 of the other models
    same: frozenset[str]  # names of those that gave the same label as this model; the rest gave other labels
    photos: Count  # validation photos on which this happened
    right: Count  # those of them on which this model was right

    @model_validator(mode="after")
    def _check(self) -> Case:
        if not self.same <= self.others.keys():
            raise ValueError("`same` must be names of `others`")
        if self.right > self.photos:
            raise ValueError("`right` must be at most `photos`")
        return self

    @field_serializer("same")
    def _sorted(self, same: frozenset[str]) -> list[str]:
        return sorted(same)
