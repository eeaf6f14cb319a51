"""werkzeug's form parser, extended: it reports forms that end early, and reads names that are not UTF-8."""

from collections.abc import Iterator
from typing import IO, Any

from werkzeug.datastructures import FileStorage, Headers
from werkzeug.formparser import FormDataParser, default_stream_factory
from werkzeug.sansio.multipart import Data, Field, File, MultipartDecoder, NeedData, State

from catdog.errors import CatDogError

CHUNK = 64 * 1024


class IncompleteUpload(CatDogError, ValueError):
    code = "bad_request"
    status = 400

    def __init__(self) -> None:
        super().__init__("The upload ended early. Send it again.")


class FormParser(FormDataParser):
    """Parses multipart/form-data only; set it as `form_data_parser_class` of a request."""

    def parse(
        self, stream: IO[bytes], mimetype: str, content_length: int | None, options: dict[str, str] | None = None
    ) -> tuple[IO[bytes], Any, Any]:
        """Return the stream, the fields and the files; fields and files are empty for a body of another type.

        Raises IncompleteUpload for a form without its final boundary, and RequestEntityTooLarge.
        """
        boundary = (options or {}).get("boundary", "").encode("latin-1", "replace")
        decoder = _Decoder(boundary, max_parts=self.max_form_parts)
        fields, files = [], []
        try:
            for part, content in _parts(stream, decoder, content_length) if boundary else ():
                if isinstance(part, File):
                    files.append((part.name, FileStorage(content, part.filename, part.name)))
                else:
                    fields.append((part.name, content.read().decode(errors="replace")))
        except ValueError:  # a part that does not say what it is
            return stream, self.cls(), self.cls()
        if decoder.state in (State.PART, State.DATA_START, State.DATA) and b"--%b--" % boundary not in decoder.buffer:
            raise IncompleteUpload
        return stream, self.cls(fields), self.cls(files)


def _parts(
    stream: IO[bytes], decoder: MultipartDecoder, content_length: int | None
) -> Iterator[tuple[Field | File, IO[bytes]]]:
    """Each complete part of a form, and its content from the start."""
    while chunk := stream.read(CHUNK):
        decoder.receive_data(chunk)
        while not isinstance(event := decoder.next_event(), NeedData):
            if isinstance(event, Field | File):
                part, content = event, default_stream_factory(content_length, None, None)
            elif isinstance(event, Data):
                content.write(event.data)
                if not event.more_data:
                    content.seek(0)
                    yield part, content


class _Decoder(MultipartDecoder):
    def _parse_headers(self, data: bytes | bytearray) -> Headers:
        try:
            data.decode()
        except UnicodeDecodeError:  # from a client of old; any byte is a character of Latin-1
            data = data.decode("latin-1").encode()
        return super()._parse_headers(data)
