"""The Gradio page and its `/predict` endpoint, built from a Comparator.

    demo = build(comparator)
    serve(demo, comparator.settings)

Serve it so, or launch it with `launch_options`: Gradio takes the limits on uploads, the theme and the
style there and not in `build`. Never mount it with `gr.mount_gradio_app`, which switches off Gradio's
check of file paths.
"""

from catdog.gradio_app.page import build, launch_options
from catdog.gradio_app.serving import serve

__all__ = ["build", "launch_options", "serve"]
