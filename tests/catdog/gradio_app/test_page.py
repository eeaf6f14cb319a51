"""The page as a whole."""

from __future__ import annotations

import httpx

from catdog.pages import ICON
from tests.conftest import PATIENCE


def test_the_page_has_the_icon_of_the_project(url):
    icon = httpx.get(f"{url}/favicon.ico", timeout=PATIENCE)
    assert icon.headers["content-type"] == "image/svg+xml"
    assert icon.content == ICON.read_bytes()
