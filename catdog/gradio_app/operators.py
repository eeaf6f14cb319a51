"""What the server of the page tells the people who run it: `/metrics`, `/readyz`, and the log with request ids."""

import time

import gradio as gr
from gradio.context import LocalContext
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from catdog.comparator import Comparator
from catdog.monitoring.counts import Counts
from catdog.monitoring.readiness import Readiness
from catdog.monitoring.request_log import HEADER, id_for, log_request, request_id


def routes(page: gr.Blocks, comparator: Comparator) -> list[Route]:
    """`/metrics` and `/readyz`; photos that wait in the queue of the page count as waiting."""
    counts = Counts(comparator, lambda: comparator.waiting + len(page._queue))

    def metrics(request: Request) -> Response:
        figures, content_type = counts.exposition(request.headers.get("Accept", ""))
        return Response(figures, headers={"Content-Type": content_type})

    readyz = Route("/readyz", lambda request: JSONResponse(Readiness.of(comparator).model_dump()))
    return [Route("/metrics", metrics), readyz]


class RequestIds:
    """ASGI middleware that gives each request an id, tells the client which, and logs the request.

    Gradio answers a photo's request at once and judges the photo later, elsewhere. It keeps the headers of the request
    until then, so the id is put there.
    """

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        headers, start, status = MutableHeaders(scope=scope), time.perf_counter(), 0
        headers[HEADER] = own = id_for(headers.get(HEADER))
        request_id.set(own)

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[HEADER] = own
            await send(message)

        try:
            await self.app(scope, receive, send_with_id)
        finally:
            log_request(scope["method"], scope["path"], status, time.perf_counter() - start)


def current_id() -> str | None:
    """The id of the request that is being answered, or whose photo is being judged."""
    asked = LocalContext.request.get(None)
    return asked.headers.get(HEADER) if asked else request_id.get()
