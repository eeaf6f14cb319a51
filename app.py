"""Entry point of the Space, and of `python app.py`: settings -> comparator -> Gradio page.

Gradio reads GRADIO_SERVER_NAME (127.0.0.1 by default) and GRADIO_SERVER_PORT (by default the first free one from 7860
on).
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

from catdog import CatDogError, Settings, load
from catdog.memory import limit_malloc
from catdog.monitoring import request_log
from catdog.settings import check_gradio, configure_gradio
from catdog.terminal import ending_at_once, hidden_stderr

if TYPE_CHECKING:
    import gradio

    from catdog import Comparator

log = logging.getLogger("catdog.app")


def main() -> int:
    """Serve the page until interrupted or terminated; 1 when it cannot start."""
    limit_malloc()
    try:
        settings = Settings.from_env()
        formatter = request_log.configure(settings)
        check_gradio()
        print("Loading the models; the first start converts them, which may take a minute.", flush=True)
        with hidden_stderr(formatter):
            comparator = ending_at_once(lambda: _loaded(settings))
    except CatDogError as error:
        log.error("%s", error)
        return 1
    for problem in comparator.problems:
        log.warning("%s", problem)
    demo = ending_at_once(lambda: _built(comparator))
    from catdog import gradio_app

    try:
        gradio_app.serve(demo, comparator)
    except OSError as error:  # the port is taken, or the address is not this machine's
        log.error("The page cannot be served: %s", error)
        return 1
    return 0


def _loaded(settings: Settings) -> Comparator:
    comparator = load(settings)
    comparator.warm_up()
    return comparator


def _built(comparator: Comparator) -> gradio.Blocks:
    configure_gradio()
    from catdog import gradio_app

    return gradio_app.build(comparator)


if __name__ == "__main__":
    sys.exit(main())
