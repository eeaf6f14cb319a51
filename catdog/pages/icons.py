"""The drawings of the pages, as inline SVG: they need no font and no request.

The class `cd-gap` is filled, and `cd-line` drawn, in the colour of what lies behind the drawing.
"""

from __future__ import annotations

from urllib.parse import quote

_EYES = '<circle class="cd-gap" cx="18" cy="25" r="2.4"/><circle class="cd-gap" cx="30" cy="25" r="2.4"/>'
_SHAPES = {
    "cat": (
        '<path d="M9 8c0-2 2-3 3.5-1.5L19 13h10l6.5-6.5C37 5 39 6 39 8v18c0 9-6.5 15-15 15S9 35 9 26z"/>'
        f'{_EYES}<path class="cd-gap" d="M21.5 30.5h5L24 33z"/>'
        '<path class="cd-line" d="M24 33v1.5q-.5 2-3 2M24 34.5q.5 2 3 2M12 29l-7-1M12 32l-6 2M36 29l7-1M36 32l6 2"/>'
    ),
    "dog": (
        '<path d="M13 21c0-7 4-11 11-11s11 4 11 11v8c0 8-5 12-11 12s-11-4-11-12z"/>'
        '<path d="M12 10c4-2 7-1 7 1-4 3-6 7-6.5 13-.5 5-6 6-7.5 1C3.5 19 6 13 12 10z"/>'
        '<path d="M36 10c-4-2-7-1-7 1 4 3 6 7 6.5 13 .5 5 6 6 7.5 1 1.5-6-1-12-7-15z"/>'
        '<path class="cd-line" d="M19 11c-4 3-6 7-6.5 14M29 11c4 3 6 7 6.5 14M24 34v2.5"/>'
        f'{_EYES}<ellipse class="cd-gap" cx="24" cy="31.5" rx="3.6" ry="2.6"/>'
    ),
    "paw": (
        '<ellipse cx="10" cy="23" rx="4" ry="5.5"/><ellipse cx="18.5" cy="14" rx="4" ry="6"/>'
        '<ellipse cx="29.5" cy="14" rx="4" ry="6"/><ellipse cx="38" cy="23" rx="4" ry="5.5"/>'
        '<path d="M24 23c5 0 11 6.5 11 12.5 0 4-3 6-6 5.5'
        '-2-.5-3.5-1-5-1s-3 .5-5 1c-3 .5-6-1.5-6-5.5C13 29.5 19 23 24 23z"/>'
    ),
    "warning": (
        '<path d="M20 8c2-3 6-3 8 0l15 26c2 3 0 7-4 7H9c-4 0-6-4-4-7z"/>'
        '<rect class="cd-gap" x="22" y="16" width="4" height="13" rx="2"/>'
        '<circle class="cd-gap" cx="24" cy="34" r="2.4"/>'
    ),
    "neither": (
        '<circle cx="24" cy="24" r="19"/>'
        '<path class="cd-line cd-wide" d="M18 19.5c0-4 3-6.5 6.3-6.5 3.4 0 6.2 2.2 6.2 5.6 0 4.4-6.3 4.8-6.3 9.6"/>'
        '<circle class="cd-gap" cx="24.2" cy="34.5" r="2.3"/>'
    ),
    "right": '<path d="M6 25l11 11L42 11l-5-4-20 20-7-7z"/>',
    "wrong": '<path d="M10 6l14 14L38 6l4 4-14 14 14 14-4 4-14-14-14 14-4-4 14-14L6 10z"/>',
    "split": '<path d="M20 9v30L5 24z"/><path d="M28 9v30l15-15z"/>',
}


def icon(name: str) -> str:
    """A drawing by name, 48 units wide, in the colour of the text; a paw for an unknown name."""
    shape = _SHAPES.get(name, _SHAPES["paw"])
    return f'<svg class="cd-icon" viewBox="0 0 48 48" aria-hidden="true" focusable="false">{shape}</svg>'


def drawing(name: str, colour: str) -> str:
    """A drawing as the address of an image: a data: URL of an SVG file with space around."""
    shape = _SHAPES[name]
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-48 -36 144 120" fill="{colour}">{shape}</svg>'
    return f"data:image/svg+xml,{quote(svg)}"
