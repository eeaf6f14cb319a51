"""The tab with the live camera: a verdict a few times a second.

The page sends a frame to `/live` when the one before has its answer. An event of Gradio's kind `stream` would instead
hold a place in the queue for as long as somebody films.
"""

import threading

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from catdog.comparator import Comparator
from catdog.errors import Busy, CatDogError
from catdog.gradio_app.parts import html, script
from catdog.pages import CAMERA, live
from catdog.wording import BUSY

ADDRESS = "/live"
AT_ONCE = 2  # frames of all visitors that are judged at the same time; others are dropped, so that photos hardly wait
LARGEST = 512 * 1024  # bytes of a frame; those of the page have 512 pixels a side at most

_PRIVACY = "Each picture is sent to this server, judged and forgotten."


def add() -> None:
    """Build the content of the current `gr.Tab`."""
    html(live.tab(_PRIVACY), js_on_load=script("live_tab.js", CAMERA))


def route(comparator: Comparator) -> Route:
    """The route to which the page posts a frame: HTML with the verdicts, or an error as JSON, as from Flask.

    Bodies of more than LARGEST bytes are cut off, as `BodyLimits` does.
    """
    places = threading.BoundedSemaphore(AT_ONCE)

    def answer(frame: bytes) -> Response:
        if not places.acquire(blocking=False):
            raise Busy(BUSY)
        try:
            return HTMLResponse(live.verdict(comparator.compare(frame), comparator.specs))
        finally:
            places.release()

    async def judge(request: Request) -> Response:
        try:
            return await run_in_threadpool(answer, await request.body())
        except CatDogError as error:
            return JSONResponse({"error": error.to_dict()}, error.status)

    return Route(ADDRESS, judge, methods=["POST"], max_body_size=LARGEST)
