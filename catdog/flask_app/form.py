"""The multipart form of a request -> one photo and what to ask about it, with an error for each mistake."""

import reprlib
from typing import IO, NamedTuple

from flask import Request
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge

from catdog.errors import AddressRefused, CatDogError, ImageTooLarge
from catdog.flask_app.form_parser import FormParser, IncompleteUpload
from catdog.photo.reader import is_address

FIELD, ADDRESS = "file", "url"
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


class NotMultipart(CatDogError, ValueError):
    code = "unsupported_media_type"
    status = 415


class Upload(NamedTuple):
    """One photo as sent, and what to ask about it."""

    photo: IO[bytes] | str  # encoded, or an address that begins with http:// or https://
    name: str  # from the client: only for display, never a path
    model: str | None  # name of the one to ask, or None for all
    explain: bool  # whether heat maps are wanted


def read_upload(request: Request, max_bytes: int) -> Upload:
    """Read the form of a request, with a photo of at most `max_bytes`.

    The limits are set on this request only: an application around the blueprint keeps its own. Raises MissingFile,
    TooManyFiles, TooManyModels, AddressRefused, IncompleteUpload, NotMultipart or ImageTooLarge.
    """
    form, files = _parsed(request, max_bytes)
    photo, name = _only_photo(form, files)
    models = form.getlist("model")
    if len(models) > 1:
        raise TooManyModels(f"Name one model, or none to ask all. Received: {reprlib.repr(models)}.")
    return Upload(
        photo=photo,
        name=name,
        model=next(filter(None, models), None),
        explain=form.get("explain", "").lower() in YES,
    )


def _parsed(request: Request, max_bytes: int) -> tuple[MultiDict[str, str], MultiDict[str, FileStorage]]:
    """The fields and the files of a request."""
    if request.mimetype != "multipart/form-data":
        raise NotMultipart(
            f"Send the photo as multipart/form-data. Received: {reprlib.repr(request.mimetype or 'no content type')}."
        )
    request.max_content_length = request.max_form_memory_size = max_bytes + ENVELOPE_BYTES
    request.max_form_parts = MAX_PARTS
    request.form_data_parser_class = FormParser
    try:
        return request.form, request.files
    except RequestEntityTooLarge as error:
        raise ImageTooLarge(
            f"The upload is too large. A photo may have {max_bytes / 2**20:g} MB, a form {MAX_PARTS} fields."
        ) from error
    except BadRequest as error:
        raise IncompleteUpload from error


def _only_photo(form: MultiDict[str, str], files: MultiDict[str, FileStorage]) -> tuple[IO[bytes] | str, str]:
    """The photo, a file or an address, and its name."""
    sent = files.getlist(FIELD)
    if len(sent) > 1:
        raise TooManyFiles(f"Send one photo at a time. Received: {len(sent)} files.")
    addresses = [(text, text) for text in map(str.strip, form.getlist(ADDRESS)) if text]
    photos = [(file.stream, file.filename) for file in sent if file.filename] + addresses
    if not photos:
        received = reprlib.repr([*form, *files])
        raise MissingFile(
            f"Send the photo as a file, with a file name, in a field named {FIELD!r}, or its address in one named "
            f"{ADDRESS!r}. Received fields: {received}."
        )
    if len(photos) > 1:
        raise TooManyFiles("Send one photo at a time, as a file or by its address.")
    photo, name = photos[0]
    if isinstance(photo, str) and not is_address(photo):  # the Comparator would take it for a path
        raise AddressRefused("The address of a photo begins with https:// or http://.")
    return photo, name
