"""What the JSON routes answer besides a Comparison, as pydantic models: the answers and their description in one."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Source = Annotated[str, Field(description="Where the models came from.", examples=["bundled"])]
Problems = Annotated[list[str], Field(description="One sentence per model that is not used and per fallback taken.")]
Code = Literal[
    "missing_file", "too_many_files", "too_many_models", "bad_request", "unknown_model", "not_found",
    "method_not_allowed", "image_too_large", "unsupported_media_type", "requested_range_not_satisfiable",
    "invalid_image", "busy", "internal_error", "out_of_memory", "model_mismatch", "model_unavailable",
]  # fmt: skip


class _Response(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Limits(_Response):
    max_upload_bytes: Annotated[int, Field(ge=1)]
    max_pixels: Annotated[int, Field(ge=1, description="Width times height.")]


class Model(_Response):
    name: str
    title: str
    architecture: str
    classes: Annotated[list[str], Field(min_length=2)]
    image_size: Annotated[int, Field(ge=1, description="Height and width of the input, pixels.")]
    bytes: Annotated[int, Field(ge=0, description="Size of the model file.")]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    temperature: Annotated[float, Field(gt=0, description="Divides the logits.")]
    metrics: Annotated[dict[str, Any], Field(description="Measured figures per split, with the number of images.")]
    parameters: Annotated[int | None, Field(ge=1, description="Number of learned parameters.")]
    training_seconds: Annotated[
        float | None, Field(ge=0, description="Duration of all training, that of its starting weights included.")
    ]


class Models(_Response):
    default: Annotated[str | None, Field(description="Name of the model with the highest validation accuracy.")]
    source: Source
    problems: Problems
    limits: Limits
    models: list[Model]


class Health(_Response):
    status: Literal["ok"] = "ok"
    version: str


class Readiness(_Response):
    status: Literal["ready"] = "ready"
    models: Annotated[list[str], Field(min_length=1)]
    source: Source
    problems: Problems


class Problem(_Response):
    code: Annotated[Code, Field(description="For programs; does not change.")]
    message: Annotated[str, Field(description="For people.")]


class Error(_Response):
    error: Problem
