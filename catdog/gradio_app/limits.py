"""How large requests may be: uploads, of which one may bring many photos, and all others."""

from __future__ import annotations

from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

UPLOAD = "/gradio_api/upload"
# Photos of the largest accepted size that one request may upload, in bytes together.
LARGEST_PHOTOS = 10
ENVELOPE = 64 * 1024


class BodyLimits:
    """ASGI middleware that cuts off request bodies, for photos of at most `max_upload` bytes.

    Gradio's own limit covers each file of an upload only. A photo inside a JSON request is a third
    larger, as base64; the limit leaves room for that and for the rest of the request.
    """

    def __init__(self, app: ASGIApp, max_upload: int):
        self.uploads = RequestBodyLimitMiddleware(app, LARGEST_PHOTOS * max_upload + ENVELOPE)
        self.others = RequestBodyLimitMiddleware(app, max_upload * 4 // 3 + ENVELOPE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "").removeprefix(scope.get("root_path", ""))
        await (self.uploads if path == UPLOAD else self.others)(scope, receive, send)
