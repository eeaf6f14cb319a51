"""What the models say of one photo: a Verdict each, and the Comparison that every surface shows."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from catdog.models.disagreement import FEWEST_PHOTOS, Case, UsuallyRight, cases_from_list
from catdog.models.spec import Cost, ModelSpec

# The verdict on a photo of none of the classes.
NEITHER = "neither"


@dataclass(frozen=True)
class Verdict:
    """What one model says of one photo.

    confidence     probability of `label`, 0 to 1, calibrated by the spec's temperature
    probabilities  class -> probability; they add up to 1
    milliseconds   time from RGB image to probabilities, as measured for this photo and those that were judged along
                   with it; resizing for several models at the same time counts for each, and the first doubt takes
                   longer without `warm_up`
    error_rate     share of the validation answers about this sure that were wrong, 0 to 1, or None
    strangeness    how unlike the animals of the training the photo is: what is above 1, at most 2 % of
                   cats and dogs are; None when the spec does not know
    heatmap        where the label was found, if it was asked for: `explain.heatmap`
    cost           what the model takes besides time, as its spec says
    """

    model: str
    label: str
    confidence: float
    probabilities: dict[str, float]
    milliseconds: float
    error_rate: float | None = None
    strangeness: float | None = None
    heatmap: list[list[float]] | None = None
    cost: Cost | None = None


@dataclass(frozen=True)
class Comparison:
    """What all models say of one photo; `to_dict` is the JSON of every surface.

    prediction  label of the default model, capitalised; `confidence` is its confidence
    models      one Verdict per model, in the order of display
    agree       whether all labels are the same
    source      where the models came from, as in `weights.Located`
    verdict     label of the default model, or NEITHER for a photo that is too strange, as `keenest` says
    usually_right  when the models disagree, who is usually right in such cases; None when unknown
    """

    prediction: str
    confidence: float
    models: tuple[Verdict, ...]
    agree: bool
    source: str
    verdict: str
    usually_right: UsuallyRight | None = None

    def to_dict(self) -> dict[str, Any]:
        """As plain dicts, lists, strings and numbers, ready for `json.dumps`."""
        content = dataclasses.asdict(self)
        content["models"] = list(content["models"])
        return content


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
