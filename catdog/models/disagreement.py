"""Which model is usually right where models disagree, learned on photos that were set aside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from .spec import ModelSpec

MOST_CASES = 10_000
# A rate among fewer photos is no rate.
FEWEST_PHOTOS = 10


class UsuallyRight(TypedDict):
    """The model that was right most often, its share of the photos, 0 to 1, and how many these were."""

    model: str
    rate: float
    photos: int


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


def usually_right(labels: Mapping[str, str], specs: Sequence[ModelSpec]) -> UsuallyRight | None:
    """Who is usually right when models give these labels.

    labels  model name -> label
    specs   of the models that gave them, in any order

    None when all agree, or when too few validation photos were such a case, of exactly these models.
    Of models that were right equally often, the one with the higher validation accuracy.
    """
    if len(set(labels.values())) == 1:
        return None
    known = [(spec, case) for spec in specs if (case := _case(spec, labels, specs))]
    if len(known) < len(specs):
        return None
    spec, case = max(known, key=lambda pair: (pair[1].right / pair[1].photos, pair[0].validation_accuracy))
    return UsuallyRight(model=spec.name, rate=case.right / case.photos, photos=case.photos)


def _case(spec: ModelSpec, labels: Mapping[str, str], specs: Sequence[ModelSpec]) -> Case | None:
    others = {other.name: other.sha256 for other in specs if other.name != spec.name}
    same = {name for name in others if labels[name] == labels[spec.name]}
    found = (case for case in cases_from_list(spec.disagreement) if (case.others, case.same) == (others, same))
    return next((case for case in found if case.photos >= FEWEST_PHOTOS), None)
