"""Example photos as a row of buttons."""

from __future__ import annotations

from html import escape
from pathlib import Path

from catdog.pages.examples import thumbnail

# Sent as a click of the whole component, with the name of the example. The address of the page then
# leads to it, and whoever opens such an address sees it.
ON_LOAD = """
element.addEventListener('click', (event) => {
  const button = event.target.closest('button[data-example]');
  if (!button) return;
  trigger('click', {example: button.dataset.example});
  mark(button.dataset.example);
  const address = new URL(location.href);
  address.searchParams.set('example', button.dataset.example);
  history.replaceState(null, '', address);
});
const asked = new URLSearchParams(location.search).get('example');
if (asked) {
  trigger('click', {example: asked});
  mark(asked);
}
function mark(example) {
  for (const button of element.querySelectorAll('button[data-example]')) {
    button.setAttribute('aria-pressed', button.dataset.example === example);
  }
}
"""
# For when the photo is no longer the example that the address leads to.
FORGET = """() => {
  const address = new URL(location.href);
  address.searchParams.delete('example');
  history.replaceState(null, '', address);
  for (const button of document.querySelectorAll('[data-example][aria-pressed=true]')) {
    button.setAttribute('aria-pressed', false);
  }
}"""


def buttons(examples: dict[str, Path], scope: str) -> str:
    """One button per example, with its thumbnail inside as a data: URL; `scope` is what to know before trying."""
    items = "".join(
        f'<button type="button" data-example="{escape(name)}" aria-pressed="false" '
        f'aria-label="Try the {escape(name)} photo">'
        f'<img src="{thumbnail(path)}" alt="" width="72" height="72"><span>{escape(name.capitalize())}</span></button>'
        for name, path in examples.items()
    )
    return (
        f'<p class="cd-hint">Or try one. {escape(scope)}</p>'
        f'<div class="cd-examples" role="group" aria-label="Examples">{items}</div>'
    )
