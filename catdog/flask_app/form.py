"""The multipart form of a request -> one photo and what to ask about it, with an error for each mistake."""

from __future__ import annotations

import reprlib
from dataclasses import dataclass
from typing import IO

from flask import Request
from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge

from catdog.errors import CatDogError, ImageTooLarge

FIELD = "file"
YES = ("1", "true")
# Boundaries, headers and the other fields around a photo of the largest accepted size.
ENVELOPE_BYTES = 64 * 1024
MAX_PARTS = 20


class MissingFile(CatDogError, ValueError):
    code = "missing_file"
    status = 400


class TooManyFiles(CatDogError, ValueError):
    code = "too_many_files"
    status = 400


class TooManyModels(CatDogError, ValueError):
    code = "too_many_models"
    status = 400


class IncompleteUpload(CatDogError, ValueError):
    code = "bad_request"
    status = 400


class NotMultipart(CatDogError, ValueError):
    code = "unsupported_media_type"
    status = 415


@dataclass(frozen=True)
class Upload:
    """One photo as sent.

    photo    binary stream of the encoded photo
    name     file name that the client gave: for display alone, never a path
    model    name of the model to ask, or None for all
    explain  whether heat maps are wanted
    """

    photo: IO[bytes]
    name: str
    model: str | None
    explain: bool


def read_upload(request: Request, max_bytes: int) -> Upload:
    """Read the form of a request, whose photo may have `max_bytes`.

    The limits are set on this request only: an application around the blueprint keeps its own. Raises MissingFile,
    TooManyFiles, TooManyModels, IncompleteUpload, NotMultipart or ImageTooLarge.
    """
    if request.mimetype != "multipart/form-data":
        raise NotMultipart(
            f"Send the photo as multipart/form-data. Received: {reprlib.repr(request.mimetype or 'no content type')}."
        )
    request.max_content_length = request.max_form_memory_size = max_bytes + ENVELOPE_BYTES
    request.max_form_parts = MAX_PARTS
    try:
        form, files = request.form, request.files
    except RequestEntityTooLarge as error:
        raise ImageTooLarge(
            f"The upload is too large. A photo may have {max_bytes / 2**20:g} MB, a form {MAX_PARTS} fields."
        ) from error
    except BadRequest as error:
        raise IncompleteUpload("The upload ended before its announced length. Send it again.") from error
    file = _only_file(files.getlist(FIELD), received=[*form, *files])
    return Upload(
        photo=file.stream,
        name=file.filename or "",
        model=_only_model(form.getlist("model")),
        explain=form.get("explain", "").lower() in YES,
    )


def _only_file(files: list[FileStorage], received: list[str]) -> FileStorage:
    if len(files) > 1:
        raise TooManyFiles(f"Send one photo at a time. Received: {len(files)} files.")
    if not received:
        raise MissingFile(f"The form is empty or cannot be read. Send the photo in a field named {FIELD!r}.")
    if not files and FIELD in received:
        raise MissingFile(f"The field {FIELD!r} holds text. Send the photo as a file, with a file name.")
    if not files:
        raise MissingFile(
            f"The form has no file in a field named {FIELD!r}. Received fields: {reprlib.repr(received)}."
        )
    if not files[0].filename:
        raise MissingFile(f"No photo was chosen: the field {FIELD!r} has no file name.")
    return files[0]


def _only_model(names: list[str]) -> str | None:
    if len(names) > 1:
        raise TooManyModels(f"Name one model, or none to ask all. Received: {reprlib.repr(names)}.")
    return next(filter(None, names), None)
