"""What the Hub refuses in the front matter of a README.md: the rules that this project can break."""

from __future__ import annotations

import re
from collections.abc import Iterator

import yaml
from huggingface_hub.repocard import REGEX_YAML_BLOCK

_DATASET = re.compile(r"(?:[\w-]+/)?[\w.-]+")
_COLORS = ("red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray")
_SDKS = ("gradio", "docker", "static")


def problems_of(content: str, repo_type: str) -> Iterator[str]:
    """One sentence per thing that is wrong with a README.md."""
    match = REGEX_YAML_BLOCK.search(content)
    try:
        metadata = yaml.safe_load(match.group(2)) if match else {}
    except yaml.YAMLError as error:
        yield f"The front matter is no YAML: {error}"
        return
    if not isinstance(metadata, dict):
        yield "The front matter is not a mapping"
    else:
        yield from _space(metadata) if repo_type == "space" else _model(metadata)


def _space(metadata: dict) -> Iterator[str]:
    if metadata.get("sdk") not in _SDKS:
        yield f'"sdk" must be one of {", ".join(_SDKS)}'
    for key in ("colorFrom", "colorTo"):
        if metadata.get(key, "red") not in _COLORS:
            yield f'"{key}" must be one of {", ".join(_COLORS)}'
    if len(metadata.get("short_description", "")) > 60:
        yield '"short_description" must be at most 60 characters'


def _model(metadata: dict) -> Iterator[str]:
    for row in metadata.get("model-index", []):
        for result in row["results"]:
            if not _DATASET.fullmatch(result["dataset"]["type"]):
                yield f'"dataset.type" with value "{result["dataset"]["type"]}" fails to match the required pattern'
            if not all("type" in metric and "value" in metric for metric in result["metrics"]):
                yield '"metrics" need a type and a value'
