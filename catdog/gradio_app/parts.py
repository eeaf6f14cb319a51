"""Components that several tabs use."""

from __future__ import annotations

import gradio as gr

# For an element whose content changes: screen readers read out what is new, as the element itself stays, and on
# a phone, where it may lie below what is seen, it comes into view; not again for more of the same.
LIVE = """
element.setAttribute('aria-live', 'polite');
let shown;
watch('value', () => {
  const kind = /data-accent="([^"]*)"/.exec(props.value)?.[1];
  if (kind !== shown && innerWidth < 640) element.scrollIntoView({block: 'nearest'});
  shown = kind;
});
"""


def html(value: str, js_on_load: str | None = None, **options) -> gr.HTML:
    """HTML of our own, with nobody else's style."""
    return gr.HTML(value, js_on_load=js_on_load, apply_default_css=False, **options)
