"""The top and the bottom of a page: its heading, and the note about the models."""

import re
from collections.abc import Mapping, Sequence

from markupsafe import Markup

from catdog.models.spec import ModelSpec
from catdog.pages.render import render
from catdog.wording import listed

# How the source of a model begins, and what a page says instead; then follow a name and maybe a note.
_ORIGINS = {
    "bundled": "with this app",
    "folder ": "from the folder ",
    "hub cache ": "from a copy of ",
    "hub ": "from ",
    "": "from ",
}


def heading(specs: Sequence[ModelSpec]) -> Markup:
    """The heading of the page: its question, such as "Cat or dog?", and how many models answer."""
    return render("heading.html", specs=specs)


def about(specs: Sequence[ModelSpec], sources: Mapping[str, str], problems: Sequence[str], privacy: str) -> Markup:
    """Whose the models are, what went wrong while loading them, what they cannot know, and what is kept.

    sources  model name -> source, as in `ModelFile`
    """
    own = [spec for spec in specs if not spec.adopted]
    adopted = [spec.title for spec in specs if spec.adopted]
    refusing = [spec.title for spec in own if spec.neither]
    return render(
        "about.html",
        own=own,
        measured=any(spec.sureness for spec in own),
        adopted=adopted,
        origins=_origins(specs, sources),
        refusing=refusing,
        problems=problems,
        privacy=privacy,
    )


def _origins(specs: Sequence[ModelSpec], sources: Mapping[str, str]) -> list[tuple[str, Markup]]:
    """Who came from where: all models, or if they are of several sources, the titles of those of each."""
    titles: dict[str, list[str]] = {}
    for spec in specs:
        titles.setdefault(sources[spec.name], []).append(spec.title)
    if len(titles) == 1:
        titles = {source: ["The models" if len(specs) > 1 else "The model"] for source in titles}
    return [(listed(names, "and"), _told(source)) for source, names in titles.items()]


def _told(source: str) -> Markup:
    """Where a model came from, with a link to the repository if it came from the Hub."""
    kind, name, note = re.fullmatch(f"({'|'.join(_ORIGINS)})(.*?)( \\(.*\\))?", source, re.DOTALL).groups("")
    return Markup("{}{}{}").format(_ORIGINS[kind], _linked(name) if "hub" in kind else _strong(name), note)


def _strong(name: str) -> Markup:
    return Markup("<strong>{}</strong>").format(name) if name else Markup("")


def _linked(place: str) -> Markup:
    """A repository of the Hub with its commit, `user/name@0123456789ab`, as a link to the repository."""
    from huggingface_hub import constants  # knows which Hub; loaded already where models came from one

    name, at, commit = place.partition("@")
    # In a new tab: a Space is shown in a frame, in which the Hub refuses to be shown.
    link = '<strong><a href="{}" target="_blank" rel="noopener">{}</a>{}</strong>'
    return Markup(link).format(f"{constants.ENDPOINT}/{name}", name, at + commit)
