"""What an address says of itself."""

import re
from urllib.parse import unquote, urlsplit

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


def has_scheme(address: str) -> bool:
    return bool(_SCHEME.match(address))


def is_remote(address: str) -> bool:
    return has_scheme(address) and not address.startswith("file://")


def local_path(address: str) -> str:
    return unquote(urlsplit(address).path) if address.startswith("file://") else address
