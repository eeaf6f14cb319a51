"""Entry point of the Space, and of `python app.py`: settings -> comparator -> Gradio page.

Gradio reads GRADIO_SERVER_NAME (127.0.0.1 by default) and GRADIO_SERVER_PORT (by default the first free one from 7860
on).
"""

from __future__ import annotations

import contextlib
import sys

from catdog import CatDogError, Settings, load
from catdog.memory import limit_malloc
from catdog.settings import check_gradio, configure_gradio
from catdog.terminal import hidden_stderr, tell


def main() -> int:
    """Serve the page until interrupted or terminated; 1 when it cannot start."""
    limit_malloc()
    try:
        settings = Settings.from_env()
        check_gradio()
        print("Loading the models; the first start converts them, which may take a minute.", flush=True)
        with hidden_stderr():
            comparator = load(settings)
            comparator.warm_up()
        tell(comparator.problems)
    except CatDogError as error:
        print(error, file=sys.stderr)
        return 1
    configure_gradio()
    from catdog import gradio_app

    demo = gradio_app.build(comparator)
    try:
        gradio_app.serve(demo, settings)
    except OSError as error:  # the port is taken, or the address is not this machine's
        print(f"The page cannot be served: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):  # before the page is served, where Gradio minds it
        sys.exit(main())
