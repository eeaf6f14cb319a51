"""Which model is usually right where models disagree, learned on photos that were set aside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MOST_CASES = 10_000
# A rate among fewer photos is no rate.
FEWEST_PHOTOS = 10


@dataclass(frozen=True)
class Case:
    """One way in which a model and others can disagree, and how often the model was right then.

    others  name -> sha256 of the models that were asked as well
    same    those of them that gave the same label as this model; all others gave another
    photos  how many validation photos were such a case
    right   on how many of them this model was right
    """

    others: Mapping[str, str]
    same: frozenset[str]
    photos: int
    right: int

    @classmethod
    def from_dict(cls, content: Any) -> Case:
        """Read an entry of `disagreement` in a spec; raises ValueError when it makes no sense."""
        if not isinstance(content, dict):
            raise ValueError("an entry is no object")
        others, same = content.get("others"), content.get("same")
        if not isinstance(others, dict) or not all(isinstance(text, str) for pair in others.items() for text in pair):
            raise ValueError("its others must be names with their sha256")
        if not isinstance(same, (list, tuple)) or not all(isinstance(name, str) and name in others for name in same):
            raise ValueError("its same must be among its others")
        photos, right = content.get("photos"), content.get("right")
        if type(photos) is not int or type(right) is not int or not 0 <= right <= photos < 2**53:
            raise ValueError("its photos and right must be whole numbers, no more right than there are")
        return cls(others, frozenset(same), photos, right)

    def to_dict(self) -> dict[str, Any]:
        return {
            "others": dict(self.others), "same": sorted(self.same), "photos": self.photos, "right": self.right
        }  # fmt: skip


def cases_from_list(content: Any) -> tuple[Case, ...]:
    """Read the `disagreement` of a spec; raises ValueError when it makes no sense."""
    if not isinstance(content, (list, tuple)) or len(content) > MOST_CASES:
        raise ValueError("it is no list")
    return tuple(map(Case.from_dict, content))
