"""A photo from the web, within the limits of an upload, and never from a private network.

An address may lead to a machine that only the server can reach. So every host name is resolved here, all its IP
addresses must be public, and the connection goes to one of these without resolving the name again. The same holds for
each redirect. Proxies of the environment are not used, because they would resolve names themselves.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import threading
import time
from collections.abc import Callable, Sequence

import httpcore
import httpx

from catdog.errors import AddressRefused, NotFetched
from catdog.photo.unreadable import too_many_bytes

SECONDS = 15.0  # for all of it, except that the system takes its own time to resolve a name
CONNECTING = 5.0  # seconds for each of the addresses of a name
REDIRECTS = 5
PORTS = {"http": 80, "https": 443}
HEADERS = {"User-Agent": "catdog", "Accept": "image/*", "Accept-Encoding": "identity"}

Resolve = Callable[[str, int], Sequence[str]]
Connect = Callable[[str, int, float], httpcore.NetworkStream]


def resolved(host: str, port: int) -> list[str]:
    """All IP addresses of a host name, in the order to try them; raises OSError or UnicodeError."""
    return [found[4][0] for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def connected(address: str, port: int, seconds: float) -> httpcore.NetworkStream:
    """A connection to an IP address."""
    return httpcore.SyncBackend().connect_tcp(address, port, seconds)


def fetch(
    address: str, max_bytes: int, *, resolve: Resolve = resolved, connect: Connect = connected, seconds: float = SECONDS
) -> bytes:
    """The content at an http:// or https:// address, which may redirect.

    Raises AddressRefused for other schemes and ports, for names and passwords in the address, and where the address or
    a redirect leads to anything but public machines; ImageTooLarge above `max_bytes`; NotFetched for any other failure.
    """
    url, deadline = _parsed(address), time.monotonic() + seconds
    network = _PublicNetwork(resolve, connect, deadline)
    try:
        with httpcore.ConnectionPool(network_backend=network, max_keepalive_connections=0) as pool:
            for _ in range(REDIRECTS + 1):
                target = httpcore.URL(
                    scheme=url.raw_scheme, host=url.raw_host, port=PORTS[url.scheme], target=url.raw_path
                )
                with pool.stream("GET", target, headers={"Host": url.netloc, **HEADERS}) as response:
                    headers = httpx.Headers(response.headers)
                    if 300 <= response.status < 400 and "location" in headers:
                        url = _parsed(headers["location"], url)
                        continue
                    return _content(response, headers, max_bytes, deadline)
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException) as error:
        late = f"The site took longer than {seconds:g} s. Save the photo, and send it as a file."
        lost = f"{url.host!r} cannot be reached, or broke off. Check the address, or send the photo as a file."
        raise NotFetched(late if time.monotonic() >= deadline else lost) from error
    finally:
        network.close()
    raise NotFetched(f"The address redirects more than {REDIRECTS} times. Use the address of the photo itself.")


def is_public(address: str) -> bool:
    """Whether an IP address is on the public internet; of an IPv6 address that embeds an IPv4 one, both must be."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if any(found in network for network in _REFUSED):
        return False
    if isinstance(found, ipaddress.IPv6Address):
        mapped = found.ipv4_mapped or (ipaddress.IPv4Address(int(found) % 2**32) if found in _TRANSLATED else None)
        if mapped:
            return is_public(str(mapped))
        wrapped = [found.sixtofour, *(found.teredo or ())]
        if found in _LOCAL or found.is_site_local or not all(is_public(str(inner)) for inner in wrapped if inner):
            return False
    return found.is_global and not (found.is_multicast or found.is_reserved or found.is_unspecified)


# Clouds' own services; older versions of Python take the last two for public.
_REFUSED = tuple(map(ipaddress.ip_network, ("168.63.129.16/32", "192.0.0.0/24", "192.88.99.0/24")))
_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")  # IPv4 behind a translator (RFC 6052)
_LOCAL = ipaddress.ip_network("64:ff9b:1::/48")  # the same, for private networks (RFC 8215)


class _PublicNetwork(httpcore.NetworkBackend):
    """Connects only to public addresses, and ends every connection at the deadline."""

    def __init__(self, resolve: Resolve, connect: Connect, deadline: float):
        self.resolve, self.connect, self.deadline = resolve, connect, deadline
        self._timers: list[tuple[threading.Timer, socket.socket]] = []

    def connect_tcp(self, host: str, port: int, **_: object) -> httpcore.NetworkStream:
        addresses = self._public(host, port)
        for address in addresses:
            left = self.deadline - time.monotonic()
            if left <= 0:
                break
            with contextlib.suppress(httpcore.NetworkError, httpcore.TimeoutException):
                stream = self.connect(address, port, min(left, CONNECTING))
                self._break_off(stream)
                return stream
        raise httpcore.ConnectError(f"none of {len(addresses)} addresses answers")

    def _public(self, host: str, port: int) -> Sequence[str]:
        try:
            addresses = self.resolve(host, port)
        except (OSError, UnicodeError):
            addresses = []
        if not addresses or not all(map(is_public, addresses)):
            # The same words for both: strangers shall not learn which names a private network has.
            raise AddressRefused(f"There is no public site {host!r}. Save the photo, and send it as a file.")
        return addresses

    def _break_off(self, stream: httpcore.NetworkStream) -> None:
        """End a connection at the deadline, whatever it does then: a timeout would begin anew with each byte."""
        twin = stream.get_extra_info("socket").dup()  # as TLS takes over the socket itself
        timer = threading.Timer(max(self.deadline - time.monotonic(), 0), _shut, [twin])
        self._timers.append((timer, twin))
        timer.start()

    def close(self) -> None:
        for timer, twin in self._timers:
            timer.cancel()
            timer.join()
            twin.close()


def _shut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it has ended already
        connection.shutdown(socket.SHUT_RDWR)


def _parsed(address: str, base: httpx.URL | None = None) -> httpx.URL:
    """An address that may be fetched, relative to `base` in a redirect; raises AddressRefused."""
    try:
        url = base.join(address) if base else httpx.URL(address)
        host = url.host  # decodes names in other scripts, and so may raise
    except (httpx.InvalidURL, ValueError, TypeError) as error:
        raise AddressRefused("That is not an address of the web. Use one that begins with https://.") from error
    if url.scheme not in PORTS or not host:
        raise AddressRefused("Photos are only fetched from addresses that begin with https:// or http://.")
    if url.userinfo or url.port not in (None, PORTS[url.scheme]):
        raise AddressRefused("An address with a password or a port is not fetched. Send the photo as a file.")
    return url


def _content(response: httpcore.Response, headers: httpx.Headers, max_bytes: int, deadline: float) -> bytes:
    if response.status != 200:
        raise NotFetched(f"The site answered {response.status} instead of a photo. Is the address that of the photo?")
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise NotFetched("The site sends the photo compressed in another way. Save it, and send it as a file.")
    content = bytearray()
    for chunk in response.iter_stream():
        content += chunk
        if len(content) > max_bytes:
            raise too_many_bytes(max_bytes)
    if time.monotonic() >= deadline:  # what was broken off may look like an end
        raise httpcore.ReadTimeout
    return bytes(content)
