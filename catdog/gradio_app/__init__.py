"""The Gradio page and its endpoints `/predict`, `/explain` and `/compare`, built from a Comparator.

    demo = build(comparator)
    serve(demo, comparator)

Instead of `serve`, `demo.launch(**launch_options(demo, comparator))` works too: the limits on uploads, the theme and
the style are arguments of `launch`. Never mount the page with `gr.mount_gradio_app`, which switches off Gradio's check
of file paths.
"""

from catdog.gradio_app.page import build, launch_options
from catdog.gradio_app.serving import serve

__all__ = ["build", "launch_options", "serve"]
