"""The OpenAPI description of the routes; its schemas are made from the pydantic models of the answers."""

from __future__ import annotations

import functools
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from catdog import __version__
from catdog.flask_app.responses import Error, Health, Models, Readiness
from catdog.verdict import Comparison

_ANSWERS = (Comparison, Models, Health, Readiness, Error)
_PHOTOS = "image/jpeg, image/png, image/webp, image/gif, image/bmp, image/tiff, image/heic, image/avif"
_RETRY_AFTER = {"Retry-After": {"$ref": "#/components/headers/RetryAfter"}}

_PHOTO_FORM = {
    "type": "object",
    "required": ["file"],
    "properties": {
        "file": {
            "type": "string",
            "contentMediaType": "application/octet-stream",
            "description": "One photo: JPEG, PNG, WebP, GIF, BMP, TIFF, HEIC or AVIF. The format is read from the "
            "bytes; the file name and the declared type are not used.",
        },
        "model": {"type": "string", "description": "Ask only this model; all of them when absent or empty."},
        "explain": {
            "type": "string",
            "description": "`1` or `true`: add the heat map of each model, as `heatmap`.",
        },
    },
}

# Name of an error response -> its status and what it means.
_ERRORS = {
    "BadUpload": ("400", "The form has no photo, more than one photo or model, or ended early."),
    "UnknownModel": ("404", "No model of that name is loaded."),
    "TooLarge": ("413", "More bytes, form fields or pixels than the limits in `/models` allow."),
    "NotMultipart": ("415", "The body is not a multipart form."),
    "InvalidImage": ("422", "The file is not a photo that can be read."),
    "Busy": ("429", "Too many photos are waiting. Try again shortly."),
    "Unavailable": ("503", "No model can answer, or there is too little memory for this photo now."),
    "OtherError": ("default", "Any other error: another path or method, or a fault of the server."),
}
_PHOTO_ERRORS = list(_ERRORS)[:-1]
# Name of an error response -> code -> a message that a client may get.
_EXAMPLES = {
    "BadUpload": {
        "missing_file": "The form has no file in a field named 'file'. Received fields: ['photo'].",
        "too_many_files": "Send one photo at a time. Received: 2 files.",
        "too_many_models": "Name one model, or none to ask all. Received: ['scratch_cnn', 'xception'].",
        "bad_request": "The upload ended before its announced length. Send it again.",
    },
    "UnknownModel": {"unknown_model": "There is no model 'vgg'; choose one of scratch_cnn, xception."},
    "TooLarge": {"image_too_large": "The photo has too many pixels: 65535 x 65535. Send a smaller copy."},
    "NotMultipart": {"unsupported_media_type": "Send the photo as multipart/form-data. Received: 'application/json'."},
    "InvalidImage": {"invalid_image": "The file is not a photo but a PDF document. Send JPEG, PNG, WebP or GIF."},
    "Busy": {"busy": "Too many photos at once: 64 are being judged or waiting. Try again shortly."},
    "Unavailable": {"model_unavailable": "No model could be loaded."},
    "OtherError": {
        "not_found": "The requested URL was not found on the server.",
        "method_not_allowed": "The method is not allowed for the requested URL.",
        "internal_error": "The server encountered an internal error.",
    },
}


def description(root: str) -> dict[str, Any]:
    """The whole document, for routes whose addresses begin with `root`."""
    info = {
        "title": "catdog",
        "version": __version__,
        "summary": "Cat or dog? Several classifiers answer side by side.",
        "description": "One photo in, one verdict per model out. Every error of the JSON routes has the same form: "
        '`{"error": {"code", "message"}}`.',
    }
    seconds = {"description": "Seconds after which to try again.", "schema": {"type": "integer", "minimum": 1}}
    components = {
        "responses": {name: _error_response(name) for name in _ERRORS},
        "headers": {"RetryAfter": seconds},
        "schemas": {"PhotoForm": _PHOTO_FORM, **_schemas()},
    }
    paths = {
        "/": {"get": _page(), "post": _form()},
        "/predict": {"post": {**_predict(), "requestBody": _photo_body()}},
        "/models": {"get": _json("models", "What is loaded, from where, and within which limits", Models)},
        "/healthz": {"get": _json("healthz", "Whether the process lives", Health)},
        "/readyz": {"get": _json("readyz", "Whether at least one model answers", Readiness, "Unavailable")},
        "/openapi.json": {"get": _json("openapi", "This description, in OpenAPI 3.1", None)},
    }
    return {"openapi": "3.1.0", "info": info, "servers": [{"url": root}], "paths": paths, "components": components}


def _page() -> dict[str, Any]:
    return {
        "operationId": "page",
        "summary": "Upload page",
        "description": "With `example`, the page shows the verdicts on that example.",
        "parameters": [
            {"name": name, "in": "query", "schema": {"type": "string"}, "description": meaning}
            for name, meaning in (
                ("example", "Name of an example, such as `cat`."),
                ("explain", "`0`: without heat maps."),
            )
        ],
        "responses": _html({"404": "There is no example of that name."}, ["Busy", "Unavailable"]),
    }


def _form() -> dict[str, Any]:
    return {
        "operationId": "ask",
        "summary": "The form of the page, answered with the page",
        "description": "Works without JavaScript. The status is that of `/predict`; the page says what is wrong.",
        "requestBody": _photo_body(),
        "responses": _html({}, _PHOTO_ERRORS),
    }


def _predict() -> dict[str, Any]:
    return _json("predict", "Ask all models, or one, about a photo", Comparison, *_PHOTO_ERRORS)


def _json(name: str, summary: str, answer: type | None, *errors: str) -> dict[str, Any]:
    """An operation that answers with JSON, and with JSON for its errors."""
    schema = _reference("schemas", answer.__name__) if answer else {"type": "object"}
    responses = {"200": {"description": "The answer.", "content": {"application/json": {"schema": schema}}}}
    responses |= {_ERRORS[error][0]: _reference("responses", error) for error in (*errors, "OtherError")}
    return {"operationId": name, "summary": summary, "responses": responses}


def _html(others: dict[str, str], errors: list[str]) -> dict[str, Any]:
    """Responses with a page, also for errors."""
    meanings = {"200": "The page."} | others | dict(_ERRORS[error] for error in errors)
    html = {"content": {"text/html": {"schema": {"type": "string"}}}}
    responses = {status: {"description": meaning, **html} for status, meaning in meanings.items()}
    responses["429"]["headers"] = _RETRY_AFTER
    return responses | {"default": _reference("responses", "OtherError")}


def _error_response(name: str) -> dict[str, Any]:
    examples = {
        code: {"value": {"error": {"code": code, "message": message}}} for code, message in _EXAMPLES[name].items()
    }
    content = {"schema": _reference("schemas", "Error"), "examples": examples}
    headers = {"headers": _RETRY_AFTER} if name == "Busy" else {}
    return {"description": _ERRORS[name][1], **headers, "content": {"application/json": content}}


def _photo_body() -> dict[str, Any]:
    encoding = {"file": {"contentType": f"{_PHOTOS}, application/octet-stream"}}
    form = {"schema": _reference("schemas", "PhotoForm"), "encoding": encoding}
    return {"required": True, "content": {"multipart/form-data": form}}


def _reference(kind: str, name: str) -> dict[str, str]:
    return {"$ref": f"#/components/{kind}/{name}"}


class _Schemas(GenerateJsonSchema):
    """All fields are sent, so all are required; their names are their titles."""

    def field_is_required(self, field: Any, total: bool) -> bool:
        return True

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


@functools.cache
def _schemas() -> dict[str, Any]:
    models = [(answer, "serialization") for answer in _ANSWERS]
    _, schema = models_json_schema(models, ref_template="#/components/schemas/{model}", schema_generator=_Schemas)
    return schema["$defs"]
