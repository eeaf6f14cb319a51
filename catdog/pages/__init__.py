"""What both pages show, in the same words and with the same look: pure functions to escaped HTML, and its style."""

from pathlib import Path

STYLE = Path(__file__).with_name("verdicts.css")

__all__ = ["STYLE"]
