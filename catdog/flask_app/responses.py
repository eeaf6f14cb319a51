"""The answers of the JSON routes other than a Comparison, as pydantic models, which also give their JSON Schema."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from catdog.models.spec import Model, Source
from catdog.monitoring.readiness import Problems

# Name of an error response -> its status, what it means, and its codes.
ERRORS = {
    "BadUpload": (
        "400", "The form has no photo, more than one photo or model, or ended early.",
        ("missing_file", "too_many_files", "too_many_models", "bad_request"),
    ),
    "UnknownModel": ("404", "There is no model, or no example of the page, of that name.", ("unknown_model",)),
    "TooLarge": (
        "413", "More bytes, form fields or pixels than the limits in `/models` allow.", ("image_too_large",)
    ),
    "NotMultipart": ("415", "The body is not a multipart form.", ("unsupported_media_type",)),
    "InvalidImage": (
        "422", "The file is not a photo that can be read, or the address one that is not fetched.",
        ("invalid_image", "address_refused"),
    ),
    "NotFetched": ("424", "The address gives no photo, or not in time.", ("not_fetched",)),
    "Busy": ("429", "Too many photos are waiting. Try again shortly.", ("busy",)),
    "Unavailable": (
        "503", "No model can answer, or there is too little memory for this photo now.",
        ("model_unavailable", "model_mismatch", "out_of_memory"),
    ),
    "OtherError": (
        "default", "Any other error: another path or method, or a fault of the server.",
        ("not_found", "method_not_allowed", "requested_range_not_satisfiable", "internal_error"),
    ),
}  # fmt: skip

Code = Literal[tuple(code for _, _, codes in ERRORS.values() for code in codes)]


class _Response(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_serialization_defaults_required=True)


class Limits(_Response):
    max_upload_bytes: Annotated[int, Field(ge=1)]
    max_pixels: Annotated[int, Field(ge=1, description="Width times height.")]


class Models(_Response):
    default: Annotated[str | None, Field(description="Name of the model with the highest validation accuracy.")]
    source: Source
    problems: Problems
    limits: Limits
    models: list[Model]


class Health(_Response):
    status: Literal["ok"] = "ok"
    version: str


class Problem(_Response):
    code: Annotated[Code, Field(description="For programs; does not change.")]
    message: Annotated[str, Field(description="For people.")]


class Error(_Response):
    error: Problem
