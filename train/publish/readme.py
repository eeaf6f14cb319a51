"""The README.md of a Hub repository: front matter, then text by people around generated blocks."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from huggingface_hub import CardData, RepoCard
from huggingface_hub.repocard import REGEX_YAML_BLOCK

from catdog.errors import CatDogError

_BLOCK = re.compile(r"<!-- generated: (?P<name>[a-z]+) -->\n(?P<body>.*?)<!-- end of (?P=name) -->", re.DOTALL)
_MARKER = re.compile(r"<!-- (generated:|end of) [a-z]+ -->")
# Lists of the front matter to which people and the generator both add.
_JOINED = ("tags", "datasets")


class InvalidReadme(CatDogError, ValueError):
    """A README.md that cannot be brought up to date without guessing; `name` says which."""

    code = "invalid_readme"

    def __init__(self, name: str, problem: str):
        super().__init__(f"{name} cannot be brought up to date: {problem}")


def load(path: Path) -> tuple[dict[str, Any], str]:
    """`parse` for a file."""
    try:
        return parse(path.read_text("utf-8"), str(path))
    except UnicodeDecodeError as error:
        raise InvalidReadme(str(path), f"it is not UTF-8 ({error.reason} at byte {error.start}).") from error


def parse(content: str, name: str) -> tuple[dict[str, Any], str]:
    """Split a README.md into its front matter, empty without one, and its text, which follows the closing `---`.

    Raises InvalidReadme, with `name`, for a front matter that is not a YAML mapping and for markers of generated
    blocks that do not come in pairs.
    """
    content = content.lstrip("\ufeff").replace("\r\n", "\n")
    if not REGEX_YAML_BLOCK.search(content):
        content = f"---\n\n---\n\n{content}"
    try:
        card = RepoCard(content)
    except Exception as error:  # those of the YAML parser, and what it returns need not be a mapping
        reason = " ".join(str(error).split())
        raise InvalidReadme(name, f"its front matter is not a YAML mapping ({reason}).") from error
    names = [block["name"] for block in _BLOCK.finditer(card.text)]
    if len(_MARKER.findall(card.text)) != 2 * len(names) or len(names) != len(set(names)):
        raise InvalidReadme(
            name, "each '<!-- generated: NAME -->' needs one '<!-- end of NAME -->' after it, each NAME once."
        )
    return card.data.to_dict(), card.text


def render(front: Mapping[str, Any], text: str) -> str:
    """The README.md of a front matter and a text."""
    return f"---\n{CardData(**front).to_yaml()}\n---\n{text}"


def with_blocks(text: str, blocks: Mapping[str, str]) -> str:
    """The text with each block replaced by what is generated now.

    A block without a place comes at the end, unless it is empty.
    """

    def replaced(match: re.Match[str]) -> str:
        return _block(match["name"], blocks[match["name"]]) if match["name"] in blocks else match[0]

    present = {match["name"] for match in _BLOCK.finditer(text)}
    added = [_block(name, body) for name, body in blocks.items() if body and name not in present]
    return "\n\n".join([_BLOCK.sub(replaced, text).rstrip(), *added]) + "\n"


def hand_written(text: str) -> str:
    """What people wrote: the text without its generated blocks; empty when there is nothing else."""
    return _BLOCK.sub("", text).strip()


def merged_front(written: Iterable[Mapping[str, Any]], defaults: Mapping[str, Any], owned: Mapping[str, Any]) -> dict:
    """One front matter: `owned` values first, then those of the first mapping that has the key, then the defaults.

    Tags and datasets of all of them are joined, each once.
    """
    sources = [*written, defaults]
    front: dict[str, Any] = {}
    for source in sources:
        front |= {key: value for key, value in source.items() if key not in front}
    for key in _JOINED:
        given = (source.get(key) or [] for source in sources)
        if values := [value for part in given for value in (part if isinstance(part, list) else [part])]:
            front[key] = list(dict.fromkeys(values))
    return front | owned


def _block(name: str, body: str) -> str:
    return "\n".join([f"<!-- generated: {name} -->", *filter(None, [body.strip()]), f"<!-- end of {name} -->"])
