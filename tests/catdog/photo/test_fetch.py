"""Photos from addresses: what is fetched, and that nothing leads to a private network."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpcore
import pytest

from catdog.errors import AddressRefused, ImageTooLarge, NotFetched
from catdog.photo import fetch
from tests.catdog.photos import CAT

PUBLIC, OTHER = "93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"
NAMES = {
    "photos.test": [PUBLIC],
    "both.test": [OTHER, PUBLIC],
    "inside.test": ["10.0.0.7"],
    "mixed.test": [PUBLIC, "127.0.0.1"],
}
LIMIT = len(CAT) + 1000


class Site(BaseHTTPRequestHandler):
    """Answers by the path; the last part of /to/ADDRESS is where it redirects to."""

    def do_GET(self):
        self.server.asked.append((self.headers["Host"], self.path))
        name, _, rest = self.path.partition("?")[0][1:].partition("/")
        with contextlib.suppress(OSError):
            getattr(self, name)(rest)

    def start(self, status=200, **headers):
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), value)
        self.end_headers()

    def photo(self, rest):
        self.start(Content_Length=len(CAT), Content_Encoding="Identity")  # in any case (RFC 9110, section 8.4.1)
        self.wfile.write(CAT)

    def to(self, rest):
        self.start(302, Location=rest)

    def again(self, rest):
        self.start(302, Location="/again")

    def missing(self, rest):
        self.start(404)

    def compressed(self, rest):
        self.start(Content_Encoding="gzip")

    def endless(self, rest):
        self.start()
        while True:
            self.wfile.write(bytes(65536))

    def slow(self, rest):
        self.start()
        while True:
            self.wfile.write(b"x")
            time.sleep(0.02)

    def slow_head(self, rest):
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
        while True:
            self.wfile.write(b"x")
            time.sleep(0.02)

    def half(self, rest):
        self.start(Content_Length=len(CAT))
        self.wfile.write(CAT[:100])

    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="module")
def site():
    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        server.asked, server.daemon_threads = [], True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def internet(site):
    """internet(address, **options) -> what is fetched, over a network in which all public addresses are the site."""
    site.asked.clear()
    reached = []

    def resolve(name, port):
        if name in NAMES:
            return NAMES[name]
        return fetch.resolved(name, port)

    def connect(address, port, seconds):
        reached.append((address, port))
        if address == OTHER:
            raise httpcore.ConnectError
        return fetch.connected("127.0.0.1", site.server_port, seconds)

    def fetched(address, max_bytes=LIMIT, **options):
        return fetch.fetch(address, max_bytes, **{"resolve": resolve, "connect": connect} | options)

    fetched.reached = reached
    return fetched


def test_a_photo_is_fetched_from_the_address_that_was_checked(internet, site):
    assert internet("http://photos.test/photo?size=large#top") == CAT
    assert internet.reached == [(PUBLIC, 80)] and site.asked == [("photos.test", "/photo?size=large")]
    assert internet("HTTP://both.test:80/to/http://photos.test/to//photo") == CAT
    assert internet.reached[1:] == [(OTHER, 80), (PUBLIC, 80)] + 2 * [(PUBLIC, 80)]


def test_a_name_that_changes_its_address_is_not_resolved_again(internet, site):
    answers = iter([[PUBLIC], ["127.0.0.1"]])
    assert internet("http://photos.test/photo", resolve=lambda *_: next(answers)) == CAT
    with pytest.raises(AddressRefused):
        answers = iter([[PUBLIC], ["127.0.0.1"]])
        internet("http://photos.test/to//photo", resolve=lambda *_: next(answers))
    assert [path for _, path in site.asked] == ["/photo", "/to//photo"]


PRIVATE = [
    "inside.test", "mixed.test", "localhost", "127.0.0.1", "127.1", "2130706433", "0177.0.0.1", "0x7f.0.0.1",
    "0x7f000001", "0", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "169.254.169.254", "192.0.2.1",
    "168.63.129.16", "192.0.0.192", "198.18.0.1", "224.0.0.1",
    "240.0.0.1", "255.255.255.255", "[::]", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:a9fe:a9fe]",
    "[::127.0.0.1]", "[fe80::1]", "[fc00::1]", "[fec0::1]", "[ff02::1]", "[64:ff9b::7f00:1]", "[64:ff9b:1::1]",
    "[2002:7f00:1::]", "[2001:0:7f00:1::]", "[2001:db8::1]", "127.0.0.1.",
    "\N{FULLWIDTH DIGIT ONE}27.0.0.1", "no-such-name.invalid",
]  # fmt: skip


@pytest.mark.parametrize("host", PRIVATE)
def test_nothing_private_is_reached_by_name_number_or_redirect(internet, site, host):
    for address in (f"http://{host}/photo", f"https://{host}/photo", f"http://photos.test/to/http://{host}/photo"):
        with pytest.raises(AddressRefused):
            internet(address)
    assert all(name == "photos.test" for name, _ in site.asked)


@pytest.mark.parametrize(
    "address",
    [
        "ftp://photos.test/photo", "file:///etc/passwd", "data:image/png;base64,AAAA", "gopher://photos.test/",
        "http://user@photos.test/photo", "http://user:password@photos.test/photo", "http://photos.test@127.0.0.1/",
        "http://photos.test:8080/photo", "https://photos.test:80/photo", "http:///photo", "http://", "http://xn--/photo",
        "https://xn--ls8h.la/photo", "http://[::1/",
        "photo.jpg", "http://photos.test:99999/", "http://a b/", "http://photos.test/\x00",
        "http://" + "a" * 70 + ".test/",
    ],
)  # fmt: skip
def test_other_addresses_are_refused_also_in_redirects(internet, address):
    with pytest.raises(AddressRefused):
        internet(address)
    assert internet.reached == []
    if re.match("ftp|gopher|file|.*@|.*:80", address):
        with pytest.raises((AddressRefused, NotFetched)):
            internet(f"http://photos.test/to/{address}")
        assert len(internet.reached) == 1


@pytest.mark.parametrize("path", ["missing", "again", "compressed", "half", "unknown"])
def test_what_gives_no_photo(internet, path):
    with pytest.raises(NotFetched):
        internet(f"http://photos.test/{path}")
    assert len(internet.reached) <= fetch.REDIRECTS + 1


def test_bytes_and_time_are_limited(internet):
    with pytest.raises(ImageTooLarge):
        internet("http://photos.test/photo", max_bytes=len(CAT) - 1)
    with pytest.raises(ImageTooLarge):
        internet("http://photos.test/endless")
    for path in ("slow", "slow_head"):
        with pytest.raises(NotFetched, match=r"longer than 0\.3 s"):
            internet(f"http://photos.test/{path}", seconds=0.3)
    assert threading.active_count() < 20, "no timer is left"


def test_a_site_without_tls_or_that_nobody_serves(internet):
    with pytest.raises(NotFetched):
        internet("https://photos.test/photo", seconds=2)  # the certificate is checked for the name
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(NotFetched):
        internet("http://photos.test/photo", connect=lambda *_: fetch.connected("127.0.0.1", port, 1))
