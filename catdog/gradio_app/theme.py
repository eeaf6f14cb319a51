"""Gradio's theme in the colours of the pages, and the stylesheets of the Gradio page."""

from pathlib import Path

import gradio as gr

from catdog.pages import STYLE

_OWN = ("page.css", "live_tab.css", "many_tab.css", "quiz_tab.css")
STYLES = [STYLE, *(Path(__file__).with_name(name) for name in _OWN)]

# Fonts of the system only: nothing is fetched before the first paint.
_FONT = [
    gr.themes.Font(name) for name in ("ui-rounded", "system-ui", "Segoe UI", "Roboto", "DejaVu Sans", "sans-serif")
]
_MONO = [gr.themes.Font(name) for name in ("ui-monospace", "Consolas", "DejaVu Sans Mono", "monospace")]


# A part of the page -> its colour in light and in dark, as in verdicts.css.
_COLOURS = {
    "body_background_fill": ("#faf7f2", "#171412"),
    "block_background_fill": ("#ffffff", "#221e1b"),
    "block_border_color": ("#e4dcd1", "#3b342e"),
    "body_text_color": ("#2b241d", "#f5efe8"),
    "body_text_color_subdued": ("#6a5f54", "#b8aca0"),
    "block_label_text_color": ("#6a5f54", "#b8aca0"),
    "link_text_color": ("#2b241d", "#f5efe8"),
    "link_text_color_hover": ("#6a5f54", "#b8aca0"),
    "link_text_color_active": ("#2b241d", "#f5efe8"),
    "link_text_color_visited": ("#2b241d", "#f5efe8"),
    "button_secondary_background_fill": ("#ffffff", "#221e1b"),
    "button_secondary_background_fill_hover": ("#efe8de", "#39322c"),
    "button_secondary_border_color": ("#e4dcd1", "#3b342e"),
    "button_primary_background_fill": ("#2b241d", "#f5efe8"),
    "button_primary_background_fill_hover": ("#463c32", "#ffffff"),
    "button_primary_text_color": ("#ffffff", "#171412"),
}


def theme() -> gr.themes.Base:
    """Gradio's theme in warm greys, light and dark: other colours are only for what the models say."""
    light = {part: colour for part, (colour, _) in _COLOURS.items()}
    dark = {f"{part}_dark": colour for part, (_, colour) in _COLOURS.items()}
    return gr.themes.Base(
        primary_hue="stone",
        secondary_hue="stone",
        neutral_hue="stone",
        radius_size="lg",
        font=_FONT,
        font_mono=_MONO,
    ).set(button_border_width="1px", block_radius="18px", **light, **dark)
