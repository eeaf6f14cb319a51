"""The Gradio page and its `/predict` endpoint, built from a Comparator.

    demo = build(comparator)
    demo.launch(**launch_options(comparator.settings))

Launch it with `launch_options`: Gradio takes the limits on uploads, the theme and the style there
and not in `build`. Never mount it with `gr.mount_gradio_app`, which switches off Gradio's check of
file paths.
"""

from .page import build, launch_options

__all__ = ["build", "launch_options"]
