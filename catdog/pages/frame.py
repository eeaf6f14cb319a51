"""The top and the bottom of a page: its heading, and the note about the models."""

from __future__ import annotations

import re
from collections.abc import Sequence

from markupsafe import Markup

from catdog.models.spec import ModelSpec
from catdog.pages.render import render
from catdog.wording import measured


def heading(specs: Sequence[ModelSpec]) -> Markup:
    """The heading of the page: its question, such as "Cat or dog?", and how many models answer."""
    return render("heading.html", specs=specs)


def about(specs: Sequence[ModelSpec], source: str, problems: Sequence[str], privacy: str) -> Markup:
    """Where the models came from, what went wrong while loading them, what they cannot know, and what is kept."""
    known = any(map(measured, specs))
    return render("about.html", specs=specs, measured=known, source=_linked(source), problems=problems, privacy=privacy)


def _linked(source: str) -> str:
    """Where the models came from, with a link to the repository if they came from the Hub."""
    repository = re.fullmatch(r"(hub (?:cache )?)([\w./-]+)(@.*)", source)
    if not repository:
        return source
    from huggingface_hub import constants  # knows which Hub; loaded already where models came from one

    before, name, after = repository.groups()
    # In a new tab: a Space is shown in a frame, in which the Hub refuses to be shown.
    link = Markup('<a href="{}" target="_blank" rel="noopener">{}</a>').format(f"{constants.ENDPOINT}/{name}", name)
    return Markup("{}{}{}").format(before, link, after)
