"""Kinds of things that are easily taken for a cat or a dog, by the WordNet ids in the names of ImageNet's photos."""

import re
from collections.abc import Iterable
from pathlib import Path

# From ImageNet's 1,000 classes (Russakovsky et al. 2015), and n00007846, the person of its detection task.
KINDS = {
    "wolves and wild dogs": {
        "n02114367", "n02114548", "n02114712", "n02114855", "n02115641", "n02115913", "n02116738", "n02117135",
    },
    "foxes": {"n02118333", "n02119022", "n02119789", "n02120079", "n02120505"},
    "big cats": {
        "n02125311", "n02127052", "n02128385", "n02128757", "n02128925", "n02129165", "n02129604", "n02130308",
    },
    "rabbits and hares": {"n02324045", "n02325366", "n02326432", "n02328150"},
    "people": {"n00007846", "n09835506", "n10148035", "n10565667"},
    "drawings": {"n06596364"},
}  # fmt: skip
OTHER = "other things"


def by_kind(paths: Iterable[Path]) -> dict[str, list[Path]]:
    """Kind -> its paths, in the order of KINDS, then OTHER for all other photos; kinds without photos are left out."""
    kind_of = {identifier: kind for kind, identifiers in KINDS.items() for identifier in identifiers}
    found: dict[str, list[Path]] = {kind: [] for kind in (*KINDS, OTHER)}
    for path in paths:
        named = re.search(r"n\d{8}", path.name)
        found[kind_of.get(named[0], OTHER) if named else OTHER].append(path)
    return {kind: some for kind, some in found.items() if some}
