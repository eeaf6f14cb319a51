"""What both pages show: Jinja2 templates and the functions that fill them, style, icon and example photos."""

from pathlib import Path

STYLE = Path(__file__).with_name("verdicts.css")
ICON = Path(__file__).with_name("catdog.svg")

__all__ = ["ICON", "STYLE"]
