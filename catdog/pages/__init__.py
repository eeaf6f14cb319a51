"""What all pages show: Jinja2 templates and the functions that fill them, style, icon and example photos."""

from pathlib import Path

STYLE = Path(__file__).with_name("verdicts.css")
ICON = Path(__file__).with_name("catdog.svg")
ACTIONS = Path(__file__).with_name("actions.js")  # a script without imports and exports
CHOOSING = Path(__file__).with_name("choosing.js")
CAMERA = Path(__file__).with_name("camera.js")
SHUFFLED = Path(__file__).with_name("shuffled.js")

__all__ = ["ACTIONS", "CAMERA", "CHOOSING", "ICON", "SHUFFLED", "STYLE"]
