"""The page: its tabs, and the arguments of `launch` that it needs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import gradio as gr
from starlette.middleware import Middleware

from catdog.comparator import Comparator
from catdog.gradio_app import api, link_preview, live_tab, many_tab, operators, quiz_tab, single_tab
from catdog.gradio_app.link_preview import LinkPreview
from catdog.gradio_app.parts import html
from catdog.gradio_app.sweep import sweeping
from catdog.gradio_app.theme import STYLES, theme
from catdog.gradio_app.uploads import BodyLimits
from catdog.monitoring import request_log
from catdog.pages import ACTIONS, ICON, frame
from catdog.pages.examples import find
from catdog.wording import question

RUNNING = 16  # events that run at a time, each with one photo
WAITING = 32  # events in the queue before further ones are turned away
KEPT = 3600  # seconds between two sweeps: uploads are kept for that long at least, and twice as long at most
SESSIONS = 1000  # visitors and calls over plain HTTP whose state Gradio keeps, at least 50 kB each

_PRIVACY = "Photos are deleted within two hours and never used for anything else."
_SCRIPTS = (ACTIONS, *(Path(__file__).with_name(name) for name in ("english.js", "addresses.js")))


def build(comparator: Comparator) -> gr.Blocks:
    """The page and its public endpoints, ready for `launch(**launch_options(...))`."""
    with gr.Blocks(title=question(comparator.specs), analytics_enabled=False, delete_cache=(KEPT, KEPT)) as page:
        html(frame.heading(comparator.specs), js_on_load=_scripts())
        questions = quiz_tab.find(comparator.specs)
        with gr.Tabs(elem_id="cd-tabs"):
            with gr.Tab("One photo", id="one"):
                photo = single_tab.add(comparator)
            with gr.Tab("Live camera", id="live"):
                live_tab.add()
            with gr.Tab("Many at once", id="many"):
                many_tab.add(comparator)
            if questions:
                with gr.Tab("You against the models", id="quiz"):
                    quiz_tab.add(comparator, questions)
        html(frame.about(comparator.specs, comparator.sources, comparator.problems, _PRIVACY))
        api.add(comparator, photo)
    return page.queue(max_size=WAITING, default_concurrency_limit=RUNNING)


def _scripts() -> str:
    """What the page does besides Gradio's own, each script with names of its own."""
    return "".join(f"{{\n{path.read_text(encoding='utf-8')}\n}}\n" for path in _SCRIPTS)


def launch_options(page: gr.Blocks, comparator: Comparator) -> dict[str, Any]:
    """Arguments of `Blocks.launch` that the page needs: limits, privacy, looks, and what operators and agents ask."""
    settings = comparator.settings

    @asynccontextmanager
    async def lifespan(app: object) -> AsyncIterator[None]:
        request_log.configure(settings, operators.current_id)  # now, as uvicorn has just set up its loggers
        comparator.listen(request_log.log_photo)
        async with sweeping(2 * KEPT)(app):
            yield

    return {
        "max_file_size": settings.max_upload_bytes,
        "app_kwargs": {
            "middleware": [
                Middleware(operators.RequestIds),
                Middleware(LinkPreview, page=page, specs=comparator.specs),
                Middleware(BodyLimits, max_upload=settings.max_upload_bytes),
            ],
            "lifespan": lifespan,
            "exception_handlers": {KeyError: api.misnamed, TypeError: api.misnamed},
            "routes": [
                *operators.routes(page, comparator),
                link_preview.route(comparator.specs),
                live_tab.route(comparator),
            ],
        },
        "allowed_paths": [str(path) for path in find().values()],
        "mcp_server": True,
        "show_error": True,
        "run_history": False,
        "_frontend": False,  # otherwise `launch` must reach its own page within three seconds
        "state_session_capacity": SESSIONS,
        "enable_monitoring": False,
        "ssr_mode": False,  # its worker processes would take uploads past the limit on bodies
        "footer_links": ["api"],
        "theme": theme(),
        "css_paths": STYLES,
        "favicon_path": ICON,
    }
