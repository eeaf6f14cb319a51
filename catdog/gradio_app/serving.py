"""Serve the page until it is told to stop, then finish the requests in flight."""

import signal
import threading
import time

import gradio as gr
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from catdog.comparator import Comparator
from catdog.gradio_app import live_tab
from catdog.gradio_app.page import launch_options

GRACE = 8.0  # seconds for requests in flight at SIGTERM; `docker stop` kills after 10
QUIET = 2.0  # seconds without a request; the three requests of one verdict come faster, even on slow networks


def serve(page: gr.Blocks, comparator: Comparator) -> None:
    """Launch the page, and return when it has stopped; in the main thread only.

    Ctrl-C stops it at once. SIGTERM stops it when no request has been in flight for QUIET seconds, or after GRACE
    seconds. Until then new requests are answered too: a visitor who has uploaded a photo still has to ask for the
    verdict. A second SIGTERM ends the process.
    """
    activity = Activity()
    options = launch_options(page, comparator)
    options["app_kwargs"]["middleware"].insert(0, Middleware(Watch, activity=activity))

    def stop() -> None:
        activity.wait_until_quiet(QUIET, GRACE)
        page.close(verbose=False)

    def begin_to_stop(*_: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        threading.Thread(target=stop).start()

    signal.signal(signal.SIGTERM, begin_to_stop)
    page.launch(**options)


class Activity:
    """How many requests are in flight."""

    def __init__(self):
        self.requests = 0
        self._changed = threading.Condition()

    def add(self, count: int) -> None:
        with self._changed:
            self.requests += count
            self._changed.notify_all()

    def wait_until_quiet(self, quiet: float, at_most: float) -> None:
        """Return when no request has been in flight for `quiet` seconds, or after `at_most` seconds."""
        deadline = time.monotonic() + at_most
        with self._changed:
            while (left := deadline - time.monotonic()) > 0:
                changed = self._changed.wait(left if self.requests else min(quiet, left))
                if not changed and not self.requests:
                    return


class Watch:
    """ASGI middleware that counts requests in an Activity, except streams that last as long as a page or an agent."""

    def __init__(self, app: ASGIApp, activity: Activity):
        self.app, self.activity = app, activity

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or _is_endless(scope):
            return await self.app(scope, receive, send)
        self.activity.add(1)
        try:
            await self.app(scope, receive, send)
        finally:
            self.activity.add(-1)


def _is_endless(scope: Scope) -> bool:
    """Whether a request is the heartbeat of a page, a frame of a camera, or an agent's stream of messages."""
    path, method = scope["path"], scope["method"]
    return "/heartbeat/" in path or path.endswith(live_tab.ADDRESS) or (method == "GET" and "/gradio_api/mcp" in path)
