"""Which models answer, as `/readyz` of every server says it."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from catdog.comparator import Comparator
from catdog.errors import ModelUnavailable
from catdog.models.spec import Source

Problems = Annotated[list[str], Field(description="One sentence per model that is not used and per fallback taken.")]


class Readiness(BaseModel):
    """At least one model answers."""

    model_config = ConfigDict(extra="forbid", json_schema_serialization_defaults_required=True)

    status: Literal["ready"] = "ready"
    models: Annotated[list[str], Field(min_length=1)]
    source: Source
    problems: Problems

    @classmethod
    def of(cls, comparator: Comparator) -> Self:
        """Raises ModelUnavailable when there is no model."""
        if not comparator.specs:
            raise ModelUnavailable(" ".join(comparator.problems))
        names = [spec.name for spec in comparator.specs]
        return cls(models=names, source=comparator.source, problems=list(comparator.problems))
