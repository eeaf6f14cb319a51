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
    """Where the models come from, what went wrong while loading them, who trained them on what, and what is kept.

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


def _origins(specs: Sequence[ModelSpec], sources: Mapping[str, str]) -> list[tuple[str, dict[str, str]]]:
    """Who came from where: all models, or if they are of several sources, the titles of those of each."""
    titles: dict[str, list[str]] = {}
    for spec in specs:
        titles.setdefault(sources[spec.name], []).append(spec.title)
    if len(titles) == 1:
        titles = {source: ["The models" if len(specs) > 1 else "The model"] for source in titles}
    return [(listed(names, "and"), _told(source)) for source, names in titles.items()]


def _told(source: str) -> dict[str, str]:
    """The parts of the words about a source; of one on the Hub, with the address of its repository."""
    kind, name, note = re.fullmatch(f"({'|'.join(_ORIGINS)})(.*?)( \\(.*\\))?", source, re.DOTALL).groups("")
    told = {"begins": _ORIGINS[kind], "name": name, "note": note}
    if "hub" not in kind:
        return told
    from huggingface_hub import constants  # knows which Hub; loaded already where models came from one

    repository, at, commit = name.partition("@")
    return told | {"name": repository, "commit": at + commit, "address": f"{constants.ENDPOINT}/{repository}"}
