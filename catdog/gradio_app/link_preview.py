"""The preview of links to the page, in place of that for Gradio in Gradio's template."""

import functools
import re
from collections.abc import Sequence

import gradio as gr
from gradio.route_utils import get_root_url
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from catdog.models.spec import ModelSpec
from catdog.pages import preview

_TAGS = re.compile(rb'\s*<meta\s+(?:property="og:|name="twitter:)[^>]*>')
_HEAD = b"<head>"


def route(specs: Sequence[ModelSpec]) -> Route:
    """The picture of the preview."""
    picture = functools.cache(lambda: preview.picture(specs))
    return Route(f"/{preview.PICTURE}", lambda request: Response(picture(), media_type="image/jpeg"))


class LinkPreview:
    """ASGI middleware that puts the tags of our preview in the place of Gradio's."""

    def __init__(self, app: ASGIApp, page: gr.Blocks, specs: Sequence[ModelSpec]):
        self.app, self.page, self.specs = app, page, specs

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        own = scope["type"] == "http" and scope["path"].removeprefix(scope.get("root_path", "")) in ("", "/")
        await self.app(scope, receive, self._with_tags(scope, send) if own and scope["method"] == "GET" else send)

    def _with_tags(self, scope: Scope, send: Send) -> Send:
        """Sends a page with our tags, once it is whole."""
        start, body = None, b""

        async def send_ours(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start":
                start = message
                return
            body += message.get("body", b"")
            if not message.get("more_body"):
                address = get_root_url(Request(scope), "/", self.page.root_path)
                tags = preview.tags(self.specs, f"{address}/{preview.PICTURE}").encode()
                body = _TAGS.sub(b"", body).replace(_HEAD, _HEAD + tags, 1)
                MutableHeaders(scope=start)["Content-Length"] = str(len(body))
                await send(start)
                await send({"type": "http.response.body", "body": body})

        return send_ours
