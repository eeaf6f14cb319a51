"""All models on one photo: the one predict function that every surface calls."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import reprlib
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from .batching import Batcher
from .config import Settings
from .disagreement import UsuallyRight, usually_right
from .engine import OF_A_FOLDER, Engine, Outputs, are_probabilities, load_engines, warm_up
from .errors import Busy, CatDogError, ModelMismatch, ModelUnavailable, Unforeseen, UnknownModel
from .explain import LARGEST_SIDE, heatmap
from .memory import give_back_freed_blocks, give_back_large_blocks
from .neither import Neither, log_odds
from .novelty import Novelty
from .preprocessing import scaled, to_array, to_pixels
from .reading import Photo, Reader, in_doubt
from .spec import Cost, ModelSpec
from .sureness import Sureness
from .weights import locate

log = logging.getLogger(__name__)

# Photos that are decoded at a time: a large one takes several hundred megabytes meanwhile, and the models need cores.
AT_ONCE = 2

# Photos that one model judges before the next one does, when so many wait: its weights are at hand meanwhile. For one
# more an engine would compile another network, as for a folder, which takes memory for good.
GROUP = OF_A_FOLDER - 1

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
    neither        how likely it is of none of the classes, 0 to 1, where 0.5 is what 1.5 % of cats and dogs are above;
                   None for a model without an output for that. All else is said given that it is of one of them
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
    neither: float | None = None
    heatmap: list[list[float]] | None = None
    cost: Cost | None = None


@dataclass(frozen=True)
class Comparison:
    """What all models say of one photo; `to_dict` is the JSON of every surface.

    prediction  label of the default model, capitalised; `confidence` is its confidence
    models      one Verdict per model, in the order of display
    agree       whether all labels are the same
    source      where the models came from, as in `weights.Located`
    verdict     label of the default model, or NEITHER for a photo of none of the classes, as `is_neither` says
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


class Classifier:
    """One model with its preprocessing and its calibration."""

    def __init__(self, spec: ModelSpec, engine: Engine):
        self.spec, self.engine = spec, engine
        self.sureness = Sureness.from_dict(spec.sureness) if spec.sureness else None
        self.novelty = Novelty.from_dict(spec.novelty) if spec.novelty else None
        self.neither = Neither.from_dict(spec.neither) if spec.neither else None

    def probabilities(self, images: Sequence[Image.Image]) -> np.ndarray:
        """Calibrated probabilities of RGB images: float64 (N, classes), rows add up to 1.

        Raises ModelMismatch when the model answers with anything but probabilities.
        """
        return self.judge(np.stack([to_array(image, self.spec) for image in images]))

    def judge(self, batch: np.ndarray) -> np.ndarray:
        """Calibrated probabilities of what `to_array` made: float64 (N, classes); raises as `probabilities`."""
        return self.outputs(batch).probabilities

    def outputs(self, batch: np.ndarray) -> Outputs:
        """As `judge`, with what else the engine says: the features and the activation maps, as they are.

        Of a model with an output for neither, the probabilities and maps are those of the classes.
        """
        outputs = self.engine(batch)
        if not are_probabilities(outputs.probabilities):
            raise ModelMismatch(
                f"Model {self.spec.name} gave no usable answer to this photo: its outputs are not probabilities "
                f"from 0 to 1. Received: {outputs.probabilities.tolist()}."
            )
        if not self.neither:
            return outputs._replace(probabilities=calibrated(outputs.probabilities, self.spec.temperature))
        of_classes, odds = outputs.probabilities[:, :-1], log_odds(outputs.probabilities)
        return outputs._replace(
            probabilities=calibrated(of_classes, self.spec.temperature),
            maps=None if outputs.maps is None else outputs.maps[..., :-1],
            neither=odds,
        )

    def verdict(self, row: Outputs, seconds: float, *, explain: bool = False) -> Verdict:
        """Put what `outputs` returned for one photo, and the time that it took, into words."""
        probabilities, features, maps, odds = row
        best = int(probabilities.argmax())
        confidence = float(probabilities[best])
        return Verdict(
            model=self.spec.name,
            label=self.spec.classes[best],
            confidence=confidence,
            probabilities=dict(zip(self.spec.classes, map(float, probabilities), strict=True)),
            milliseconds=round(seconds * 1000, 2),
            error_rate=self.sureness.at(confidence) if self.sureness else None,
            strangeness=self.novelty.strangeness(features) if self.novelty and features is not None else None,
            neither=round(self.neither.likelihood(float(odds)), 4) if self.neither else None,
            heatmap=heatmap(maps, best, self.spec.temperature) if explain and maps is not None else None,
            cost=self.spec.cost,
        )


@dataclass(frozen=True)
class _Request:
    """A photo that waits for its verdicts.

    classifiers  the models to ask
    pixels       per `ModelSpec.input`, as `_pixels`
    explain      whether heat maps are wanted
    """

    classifiers: Sequence[Classifier]
    pixels: dict[tuple, tuple[np.ndarray, float]]
    explain: bool


class Comparator:
    """All models, ready to judge photos; safe to share between threads.

    models    name -> Classifier, in the order of display
    source    where the models came from
    problems  one sentence per model that could not be used and per fallback taken
    read      any accepted form of a photo -> RGB image, within the limits of the settings
    """

    def __init__(
        self,
        classifiers: Sequence[Classifier],
        *,
        source: str = "bundled",
        problems: Sequence[str] = (),
        settings: Settings | None = None,
    ):
        if not classifiers:
            raise ModelUnavailable(f"No model could be loaded. {' '.join(problems)}".strip())
        self.models = {classifier.spec.name: classifier for classifier in classifiers}
        self.source, self.problems, self.settings = source, tuple(problems), settings or Settings()
        self.read = Reader.of(self.specs, self.settings)
        self._turns = threading.BoundedSemaphore(AT_ONCE)
        self._places = threading.BoundedSemaphore(self.settings.max_waiting)
        self._batcher = Batcher(self._judge, GROUP)
        self._resizer = Batcher(lambda asked: [_pixels(*one) for one in asked], 1)

    @classmethod
    def from_settings(cls, settings: Settings) -> Comparator:
        """Locate, verify and load every model; one that fails is left out and named in `problems`.

        Raises ModelUnavailable when none is left.
        """
        give_back_large_blocks()
        located = locate(settings)
        named = {}
        problems = list(located.problems)
        for model in located.models:
            if model.spec.name in named:
                problems.append(f"{model.path.name} is not used: another model is already named {model.spec.name}.")
            named.setdefault(model.spec.name, model)
        engines = load_engines([(model.path, model.spec) for model in named.values()], settings)
        loaded = [(model.spec, engine) for model, engine in zip(named.values(), engines, strict=True)]
        problems += [str(engine) for _, engine in loaded if isinstance(engine, CatDogError)]
        loaded = [(spec, engine) for spec, engine in loaded if not isinstance(engine, CatDogError)]
        problems += [engine.problem for _, engine in loaded if engine.problem]
        classifiers = [Classifier(spec, engine) for spec, engine in loaded]
        return cls(classifiers, source=located.source, problems=problems, settings=settings)

    @property
    def specs(self) -> tuple[ModelSpec, ...]:
        return tuple(classifier.spec for classifier in self.models.values())

    @property
    def default(self) -> ModelSpec:
        """The spec with the highest validation accuracy; the first of equals."""
        return default_of(self.specs)

    def compare(self, photo: Photo, *, model: str | None = None, explain: bool = False) -> Comparison:
        """Ask all models, or the one named `model`, about one photo; with `explain`, also where they looked.

        photo is encoded bytes, a path, a binary file or a Pillow image. Raises InvalidImage,
        ImageTooLarge, UnknownModel, ModelMismatch for a model whose answer is not usable, Busy when
        `settings.max_waiting` other photos are in work, OutOfMemory, ModelUnavailable when closed, or
        Unforeseen for what a model should not raise. Photos that come at the same time from
        several threads are judged together. A large photo whose answers are `in_doubt` is judged twice:
        reduced, and as a whole.
        """
        comparison, _ = self._judged(photo, self.chosen(model), explain)
        return comparison

    def look(self, photo: Photo, *, model: str | None = None, explain: bool = False) -> tuple[Comparison, Image.Image]:
        """As `compare`, with what was looked at: the upright RGB photo, of at most LARGEST_SIDE pixels a side."""
        return self._judged(photo, self.chosen(model), explain, side=LARGEST_SIDE)

    def chosen(self, model: str | None) -> list[Classifier]:
        """All models, or the one named; raises UnknownModel."""
        if model is None:
            return list(self.models.values())
        if model not in self.models:
            raise UnknownModel(f"There is no model {reprlib.repr(model)}; choose one of {', '.join(self.models)}.")
        return [self.models[model]]

    def warm_up(self) -> None:
        """Make all models ready for several photos at once and for doubt, so that no photo waits for either."""
        # As when they are loaded: what takes most memory meanwhile comes first.
        for classifier in sorted(self.models.values(), key=lambda classifier: -classifier.spec.bytes):
            with contextlib.suppress(Exception):  # whatever is wrong, the first photo will tell
                warm_up(classifier.engine, classifier.spec.image_size)
        give_back_freed_blocks()

    def close(self) -> None:
        """Answer what is waiting, then end the worker threads."""
        self._batcher.close()
        self._resizer.close()

    @contextlib.contextmanager
    def _place(self) -> Iterator[None]:
        """Take one of the places for photos in work; raise Busy when there is none."""
        if not self._places.acquire(blocking=False):
            raise Busy(
                f"Too many photos at once: {self.settings.max_waiting} are being judged or waiting. Try again shortly."
            )
        try:
            yield
        finally:
            self._places.release()

    def _judged(
        self, photo: Photo, classifiers: Sequence[Classifier], explain: bool, *, side: int | None = None
    ) -> tuple[Comparison, Image.Image | None]:
        """The answers, and with `side` the photo, of at most so many pixels a side."""
        with self._place():
            photo = self.read.repeatable(photo)
            for whole in (False, True):
                with self._turns:
                    image, reduced = self.read(photo, whole=whole)
                    request = _Request(classifiers, self._inputs(image, classifiers), explain)
                    # A large photo does not wait for the answers, as it takes much memory.
                    image = _shown(image, side) if side else None
                comparison = self._comparison(request)
                if not (reduced and in_doubt(verdict.confidence for verdict in comparison.models)):
                    break
            return comparison, image

    def _inputs(self, image: Image.Image, classifiers: Iterable[Classifier]) -> dict[tuple, tuple[np.ndarray, float]]:
        """What models see of an image, per distinct input, as `_pixels`: one here, meanwhile others by a worker."""
        specs = {classifier.spec.input: classifier.spec for classifier in classifiers}
        *others, last = specs.values()
        waiting = [_submit(self._resizer, (image, spec)) for spec in others]
        here = _pixels(image, last)
        return dict(zip(specs, [*(future.result() for future in waiting), here], strict=True))

    def _comparison(self, request: _Request) -> Comparison:
        """Wait for the verdicts on a photo, given in the worker thread, and compare them."""
        verdicts, classifiers = _submit(self._batcher, request).result(), request.classifiers
        leading = leading_of(verdicts, self.default)
        specs = [classifier.spec for classifier in classifiers]
        return Comparison(
            prediction=leading.label.capitalize(),
            confidence=leading.confidence,
            models=verdicts,
            agree=len({verdict.label for verdict in verdicts}) == 1,
            source=self.source,
            verdict=NEITHER if is_neither(verdicts, classifiers) else leading.label,
            usually_right=usually_right({verdict.model: verdict.label for verdict in verdicts}, specs),
        )

    def _judge(self, requests: list[_Request]) -> list[tuple[Verdict, ...] | Exception]:
        """The verdicts on photos that wait together: one model after the other, each on all cores."""
        verdicts: list[list[Verdict] | Exception] = [[] for _ in requests]
        for classifier in self.models.values():
            asked = [i for i, request in enumerate(requests) if classifier in request.classifiers]
            judged = _judge_together(classifier, [requests[i] for i in asked])
            for i, verdict in zip(asked, judged, strict=True):
                if isinstance(verdict, Exception):
                    verdicts[i] = verdict
                elif not isinstance(verdicts[i], Exception):
                    verdicts[i].append(verdict)
        return [entry if isinstance(entry, Exception) else tuple(entry) for entry in verdicts]


def default_of(specs: Iterable[ModelSpec]) -> ModelSpec:
    """The spec with the highest validation accuracy; the first of equals."""
    return max(specs, key=lambda spec: spec.validation_accuracy)


def leading_of(verdicts: Sequence[Verdict], default: ModelSpec) -> Verdict:
    """The verdict that is told first: the default model's, or the only one."""
    return next((verdict for verdict in verdicts if verdict.model == default.name), verdicts[0])


def is_neither(verdicts: Sequence[Verdict], classifiers: Sequence[Classifier]) -> bool:
    """Whether a photo is of none of the classes: by the model that tells best, of those with an output for it.

    Where none has one, by `is_strange`.
    """
    able = [classifier for classifier in classifiers if classifier.neither]
    if not able:
        return is_strange(verdicts, classifiers)
    best = max(able, key=lambda able: (able.neither.auroc or 0.0, able.spec.validation_accuracy))
    found = next((verdict.neither for verdict in verdicts if verdict.model == best.spec.name), None)
    return found is not None and found > 0.5


def is_strange(verdicts: Sequence[Verdict], classifiers: Iterable[Classifier]) -> bool:
    """Whether a photo is too strange to be of any class, as `keenest` says."""
    keen = keenest(classifiers)
    found = next((verdict.strangeness for verdict in verdicts if keen and verdict.model == keen.spec.name), None)
    return found is not None and found > 1


def keenest(classifiers: Iterable[Classifier]) -> Classifier | None:
    """The model that decides what is strange: the one whose features vary most, of those with statistics.

    A network that learned nothing but its classes sees little else: its features collapse to a few
    directions (Papyan, Han and Donoho 2020), while one that knows more keeps many.
    """
    able = [classifier for classifier in classifiers if classifier.novelty]
    return max(able, key=lambda able: (len(able.novelty.axes), able.spec.validation_accuracy), default=None)


def _submit(batcher: Batcher, item: Any) -> Future:
    try:
        return batcher.submit(item)
    except RuntimeError as error:
        raise ModelUnavailable("The models have been closed. Load them again.") from error


def _shown(image: Image.Image, side: int) -> Image.Image:
    image.thumbnail((side, side))
    return image


def _pixels(image: Image.Image, spec: ModelSpec) -> tuple[np.ndarray, float]:
    """What `to_pixels` makes, and the seconds that it took."""
    start = time.perf_counter()
    return to_pixels(image, spec), time.perf_counter() - start


def _judge_together(classifier: Classifier, requests: Sequence[_Request]) -> Sequence[Verdict | Exception]:
    """One model's verdicts on several photos; a photo that it cannot answer spoils no other's."""
    if not requests:
        return []
    pixels, before = zip(*(request.pixels[classifier.spec.input] for request in requests), strict=True)
    start = time.perf_counter()
    try:
        outputs = classifier.outputs(scaled(np.stack(pixels), classifier.spec.scaling))
        seconds = time.perf_counter() - start
        return [
            classifier.verdict(outputs.of(i), seconds + before[i], explain=request.explain)
            for i, request in enumerate(requests)
        ]
    except Exception as error:  # a broken model may raise anything
        if len(requests) == 1:
            return [error if isinstance(error, CatDogError) else _unforeseen(error)]
        return [verdict for request in requests for verdict in _judge_together(classifier, [request])]


def _unforeseen(error: Exception) -> Unforeseen:
    log.error("judging a photo failed", exc_info=error)
    return Unforeseen("The models failed on this photo, which is our fault. Try again, or another one.")


def calibrated(outputs: np.ndarray, temperature: float) -> np.ndarray:
    """Model outputs, (N, 1) sigmoid or (N, classes) softmax, to probabilities (N, classes).

    Logits are divided by the temperature (Guo et al. 2017, "On calibration of modern neural
    networks"). The logits of the outputs are their logarithms, up to a constant per row.
    """
    outputs = np.asarray(outputs, dtype=np.float64)
    if outputs.shape[1] == 1:
        outputs = np.concatenate([1 - outputs, outputs], axis=1)
    logits = np.log(np.clip(outputs, 1e-12, 1.0)) / temperature
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)
