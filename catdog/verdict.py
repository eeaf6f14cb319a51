"""What the models say of one photo: a Verdict each, and the Comparison that every surface shows.

Both are pydantic models. Their JSON is the same everywhere, and their JSON Schema describes it to clients.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict  # pydantic needs it before Python 3.12

from catdog.models.disagreement import FEWEST_PHOTOS, Case
from catdog.models.spec import Cost, ModelSpec, Source

# `verdict` of a Comparison when the photo probably shows none of the classes.
NEITHER = "neither"
REFUSED = 0.5  # a model refuses a photo when `neither` is above it

Probability = Annotated[float, Field(ge=0, le=1)]

_CONFIG = ConfigDict(frozen=True, extra="forbid", json_schema_serialization_defaults_required=True)


class Verdict(BaseModel):
    """What one model says of one photo."""

    model_config = _CONFIG

    model: Annotated[str, Field(description="Name of the model.")]
    label: Annotated[str, Field(description="Its most probable class.")]
    confidence: Annotated[Probability, Field(description="Calibrated probability of `label`.")]
    probabilities: Annotated[
        dict[str, Probability], Field(description="Class to calibrated probability; they add up to 1.")
    ]
    milliseconds: Annotated[float, Field(ge=0, description="From RGB image to probabilities.")]
    error_rate: Annotated[
        Probability | None,
        Field(
            description="Share of answers about this sure that were wrong, on validation photos, or on those that an "
            "adopted model was set up with; null when unknown."
        ),
    ] = None
    strangeness: Annotated[
        None, Field(deprecated=True, description="Always null. Kept for clients: `neither` took its place.")
    ] = None
    neither: Annotated[
        Probability | None,
        Field(
            description="How likely the photo shows none of the classes. Above 0.5 the model refuses it. Null for "
            "a model without an output for neither."
        ),
    ] = None
    heatmap: Annotated[
        list[list[float]] | None,
        Field(
            description="With `explain`: rows of a class activation map over the photo, for the label, in calibrated "
            "logits. Positive where the photo speaks for the label, negative where it speaks against it. Null for a "
            "model without maps."
        ),
    ] = None
    cost: Annotated[Cost | None, Field(description="What the model takes besides time.")] = None


class UsuallyRight(TypedDict):
    """The model that was usually right when the models disagreed like this on validation photos."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    model: Annotated[str, Field(description="Its name.")]
    rate: Annotated[Probability, Field(description="Share of these photos on which it was right.")]
    photos: Annotated[int, Field(ge=1, description="Validation photos on which the models disagreed like this.")]


class Comparison(BaseModel):
    """What all models that were asked say of one photo."""

    model_config = _CONFIG

    prediction: Annotated[str, Field(description="Label of the leader for people, capitalised; compare `verdict`.")]
    confidence: Annotated[Probability, Field(description="Confidence of the leader.")]
    leader: Annotated[
        str,
        Field(
            description="Name of the model that `prediction`, `confidence` and `verdict` follow: of those that were "
            "asked, the one with the highest validation accuracy."
        ),
    ]
    models: Annotated[
        tuple[Verdict, ...], Field(min_length=1, description="One verdict per model, in the order of display.")
    ]
    agree: Annotated[bool, Field(description="Whether all labels are the same.")]
    source: Source
    verdict: Annotated[
        str,
        Field(description="Label of the leader, or `neither` when the photo probably shows none of the classes."),
    ]
    usually_right: Annotated[
        UsuallyRight | None,
        Field(
            description="When the models disagree: the one that was usually right when they disagreed like this. Null "
            "when they agree or nothing is known."
        ),
    ] = None

    @classmethod
    def of(cls, verdicts: Sequence[Verdict], specs: Sequence[ModelSpec], source: str) -> Self:
        """Compare verdicts on one photo; `specs` are those of the models that gave them, in the same order."""
        leader = default_of(specs).name
        by_name = {verdict.model: verdict for verdict in verdicts}
        leading, labels = by_name[leader], {name: verdict.label for name, verdict in by_name.items()}
        keen = keenest(specs)
        # A model that knows neither horse nor cow cannot say that a photo shows no horse.
        refused = keen and leading.label in keen.classes and by_name[keen.name].neither > REFUSED
        return cls(
            prediction=leading.label.capitalize(),
            confidence=leading.confidence,
            leader=leader,
            models=tuple(verdicts),
            agree=len(set(labels.values())) == 1,
            source=source,
            verdict=NEITHER if refused else leading.label,
            usually_right=usually_right(labels, specs),
        )

    @property
    def leading(self) -> Verdict:
        """The verdict of the leader."""
        return next(verdict for verdict in self.models if verdict.model == self.leader)

    def to_dict(self) -> dict[str, Any]:
        """As plain dicts, lists, strings and numbers, ready for `json.dumps`."""
        return self.model_dump(mode="json")


def default_of(specs: Iterable[ModelSpec]) -> ModelSpec:
    """The spec with the highest validation accuracy; the first of equals."""
    return max(specs, key=lambda spec: spec.validation_accuracy)


def keenest(specs: Sequence[ModelSpec]) -> ModelSpec | None:
    """The model that decides which photos show none of the classes; None if no model has an output for neither.

    It is the one with the highest AUROC on validation photos; on a tie, the one with the higher validation accuracy.
    """
    able = [spec for spec in specs if spec.neither]
    return max(able, key=lambda spec: (spec.neither.auroc or 0.0, spec.validation_accuracy), default=None)


def usually_right(labels: Mapping[str, str], specs: Sequence[ModelSpec]) -> UsuallyRight | None:
    """Which model is usually right when models give these labels.

    labels  model name -> label
    specs   of the models that gave them, in any order

    None when all agree, or when exactly these models disagreed like this on fewer than FEWEST_PHOTOS validation
    photos. On a tie, the model with the higher validation accuracy.
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
    found = (case for case in spec.disagreement if (case.others, case.same) == (others, same))
    return next((case for case in found if case.photos >= FEWEST_PHOTOS), None)
