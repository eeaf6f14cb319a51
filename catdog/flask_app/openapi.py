"""The OpenAPI description of the routes; its schemas are made from the pydantic models of the answers."""

import functools
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from catdog import __version__
from catdog.flask_app.responses import ERRORS, Error, Health, Models
from catdog.monitoring.readiness import Readiness
from catdog.verdict import Comparison

_ANSWERS = (Comparison, Models, Health, Readiness, Error)
_PHOTOS = "image/jpeg, image/png, image/webp, image/gif, image/bmp, image/tiff, image/heic, image/avif"
_PHOTO_ERRORS = [name for name in ERRORS if name != "OtherError"]
_PAGE = {"text/html": {"schema": {"type": "string"}}}
_FIGURES = {"text/plain": {"schema": {"type": "string"}}}

_INFO = {
    "title": "catdog",
    "version": __version__,
    "summary": "Cat or dog? Several classifiers answer side by side.",
    "description": "One photo in, one verdict per model out. Every error of the JSON routes has the same form: "
    '`{"error": {"code", "message"}}`.',
}
_PHOTO_FORM = {
    "type": "object",
    "anyOf": [{"required": ["file"]}, {"required": ["url"]}],
    "properties": {
        "file": {
            "type": "string",
            "contentMediaType": "application/octet-stream",
            "description": "One photo: JPEG, PNG, WebP, GIF, BMP, TIFF, HEIC or AVIF. The format is read from the "
            "bytes; the file name and the declared type are not used.",
        },
        "url": {
            "type": "string",
            "minLength": 1,
            "description": "Instead of `file`, never beside one: the address of a photo on the public internet, which "
            "the server fetches, within the same limits. Only http:// and https://, on their usual ports, without a "
            "password.",
        },
        "model": {"type": "string", "description": "Ask only this model; all of them when absent or empty."},
        "explain": {
            "type": "string",
            "description": "`1` or `true`: add the heat map of each model, as `heatmap`.",
        },
    },
}
_BODY = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {"$ref": "#/components/schemas/PhotoForm"},
            "encoding": {"file": {"contentType": f"{_PHOTOS}, application/octet-stream"}},
        }
    },
}
_EXAMPLE = [
    {"name": name, "in": "query", "schema": {"type": "string"}, "description": meaning}
    for name, meaning in (("example", "Name of an example, such as `cat`."), ("explain", "`0`: without heat maps."))
]


def description(root: str) -> dict[str, Any]:
    """The whole document, for routes whose addresses begin with `root`."""
    page = _page(
        "page", "Upload page", ["UnknownModel", "Busy", "Unavailable"], parameters=_EXAMPLE,
        description="With `example`, the page shows the verdicts on that example.",
    )  # fmt: skip
    form = _page(
        "ask", "The form of the page, answered with the page", _PHOTO_ERRORS, requestBody=_BODY,
        description="Works without JavaScript. The status is that of `/predict`; the page says what is wrong.",
    )  # fmt: skip
    predict = _json("predict", "Ask all models, or one, about a photo", Comparison, *_PHOTO_ERRORS)
    paths = {
        "/": {"get": page, "post": form},
        "/predict": {"post": predict | {"requestBody": _BODY}},
        "/models": {"get": _json("models", "What is loaded, from where, and within which limits", Models)},
        "/healthz": {"get": _json("healthz", "Whether the process lives", Health)},
        "/readyz": {"get": _json("readyz", "Whether at least one model answers", Readiness, "Unavailable")},
        "/metrics": {"get": _operation("metrics", "Counts for Prometheus, or OpenMetrics", _FIGURES, {})},
        "/openapi.json": {"get": _json("openapi", "This description, in OpenAPI 3.1", None)},
    }
    components = {"responses": {name: _error(name) for name in ERRORS}, "schemas": _schemas()}
    return {"openapi": "3.1.0", "info": _INFO, "servers": [{"url": root}], "paths": paths, "components": components}


def _page(name: str, summary: str, errors: list[str], **more: Any) -> dict[str, Any]:
    """An operation that answers with a page, also for errors."""
    pages = {ERRORS[error][0]: _error(error) | {"content": _PAGE} for error in errors}
    return _operation(name, summary, _PAGE, pages) | more


def _json(name: str, summary: str, answer: type | None, *errors: str) -> dict[str, Any]:
    """An operation that answers with JSON, also for errors."""
    schema = {"$ref": f"#/components/schemas/{answer.__name__}"} if answer else {"type": "object"}
    answers = {ERRORS[error][0]: {"$ref": f"#/components/responses/{error}"} for error in errors}
    return _operation(name, summary, {"application/json": {"schema": schema}}, answers)


def _operation(name: str, summary: str, content: dict[str, Any], errors: dict[str, Any]) -> dict[str, Any]:
    """An operation that answers with this content, and with these errors, by status, or any other."""
    others = {"default": {"$ref": "#/components/responses/OtherError"}}
    responses = {"200": {"description": "The answer.", "content": content}} | errors | others
    return {"operationId": name, "summary": summary, "responses": responses}


def _error(name: str) -> dict[str, Any]:
    _, meaning, codes = ERRORS[name]
    examples = {code: {"value": {"error": {"code": code, "message": meaning}}} for code in codes}
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}, "examples": examples}}
    seconds = {"description": "Seconds after which to try again.", "schema": {"type": "integer", "minimum": 1}}
    headers = {"headers": {"Retry-After": seconds}} if name == "Busy" else {}
    return {"description": meaning, **headers, "content": content}


class _Schemas(GenerateJsonSchema):
    """The names of fields are their titles."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


@functools.cache
def _schemas() -> dict[str, Any]:
    models = [(answer, "serialization") for answer in _ANSWERS]
    _, schema = models_json_schema(models, ref_template="#/components/schemas/{model}", schema_generator=_Schemas)
    return {"PhotoForm": _PHOTO_FORM, **schema["$defs"]}
