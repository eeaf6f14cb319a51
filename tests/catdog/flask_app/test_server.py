"""Raw requests to a real server: what a client library would never send."""

import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.catdog.photos import CAT
from tests.conftest import PATIENCE


def exchange(port: int, *pieces: bytes, end: bool = False) -> bytes:
    """Send bytes, close the sending side if `end`, and return all that comes back."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        for piece in pieces:
            connection.sendall(piece)
        if end:
            connection.shutdown(socket.SHUT_WR)
        received = b""
        while data := connection.recv(65536):
            received += data
        return received


def head(*lines: str, path: str = "/predict") -> bytes:
    fields = [f"POST {path} HTTP/1.1", "Host: localhost", "Content-Type: multipart/form-data; boundary=b", *lines]
    return ("\r\n".join(fields) + "\r\n\r\n").encode()


def multipart(content: bytes = CAT) -> bytes:
    disposition = b'--b\r\nContent-Disposition: form-data; name="file"; filename="cat.jpg"\r\n\r\n'
    return disposition + content + b"\r\n--b--\r\n"


def chunked(body: bytes, size: int = 5000) -> bytes:
    chunks = (body[i : i + size] for i in range(0, len(body), size))
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


BODY = multipart()
LENGTH = f"Content-Length: {len(BODY)}"
CHUNKED = "Transfer-Encoding: chunked"

REQUESTS = {
    "plain": ([head(LENGTH), BODY], 200, b'"prediction"'),
    "chunked, no length": ([head(CHUNKED), chunked(BODY)], 200, b'"prediction"'),
    "neither length nor chunks": ([head(), BODY], 400, b"missing_file"),
    "length too small": ([head("Content-Length: 200"), BODY], 400, b"bad_request"),
    "length too large": ([head(f"Content-Length: {len(BODY) + 500}"), BODY[:-500]], 400, b"bad_request"),
    "length of zero": ([head("Content-Length: 0"), BODY], 400, b"missing_file"),
    "length below zero": ([head("Content-Length: -5"), BODY], 400, b"missing_file"),
    "length that is no number": ([head("Content-Length: many"), BODY], 400, b"missing_file"),
    "length beyond the limit": ([head("Content-Length: 999999999999999")], 413, b"image_too_large"),
    "nonsense chunks": ([head(CHUNKED), b"zz\r\nhello\r\n"], 400, b"bad_request"),
    "chunks that stop": ([head(CHUNKED), chunked(BODY)[:-3000]], 400, b"bad_request"),
    "chunk that ends early": ([head(CHUNKED), b"fff\r\nabc"], 400, b"bad_request"),
    "oversize in chunks": ([head(CHUNKED), chunked(multipart(bytes(3_000_000)))], 413, b"image_too_large"),
    "compressed body": ([head(LENGTH, "Content-Encoding: gzip"), BODY], 200, b'"prediction"'),
    "range": ([head(LENGTH, "Range: bytes=0-3"), BODY], 200, b'"prediction"'),
    "page with a lying length": ([head(f"Content-Length: {len(BODY) + 500}", path="/"), BODY], 400, b'role="alert"'),
}


@pytest.mark.parametrize(("pieces", "expected", "text"), REQUESTS.values(), ids=REQUESTS)
def test_raw_requests(port, pieces, expected, text):
    answer = exchange(port, *pieces, end=True)
    assert status(answer) == expected
    assert text in answer


def test_many_at_once(port):
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: exchange(port, head(LENGTH), BODY), range(16)))
    assert [status(answer) for answer in answers] == [200] * 16


def test_it_still_answers_after_clients_that_vanish(port):
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
            connection.sendall(head(LENGTH) + BODY[:1000])
    assert status(exchange(port, head(LENGTH), BODY)) == 200
