"""All models on one photo: the one predict function that every surface calls."""

from __future__ import annotations

import contextlib
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

from catdog.classifier import Classifier
from catdog.engine import FOLDER_BATCH, load_engines, warm_up
from catdog.engine.batcher import Batcher
from catdog.errors import Busy, CatDogError, ModelUnavailable, Unforeseen, UnknownModel
from catdog.memory import trim_heap
from catdog.models.locate import locate
from catdog.models.spec import ModelSpec
from catdog.photo.array import resized, scaled
from catdog.photo.reader import Photo, Reader, needs_whole
from catdog.settings import Settings
from catdog.verdict import Comparison, Verdict, default_of

log = logging.getLogger(__name__)

LARGEST_SIDE = 800  # pixels of the photo that `look` returns

# Photos that are decoded at a time: a large one takes several hundred megabytes meanwhile, and the models need cores.
AT_ONCE = 2

# Photos that one model judges before the next one does, when so many wait: its weights are at hand meanwhile. For one
# more an engine would compile another network, as for a folder, which takes memory for good.
GROUP = FOLDER_BATCH - 1


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
        self.read = Reader.of((spec.input for spec in self.specs), self.settings)
        self._turns = threading.BoundedSemaphore(AT_ONCE)
        self._places = threading.BoundedSemaphore(self.settings.max_waiting)
        self._batcher = Batcher(self._judge, GROUP)
        self._resizer = Batcher(lambda asked: [_pixels(*one) for one in asked], 1)

    @classmethod
    def from_settings(cls, settings: Settings) -> Comparator:
        """Locate, verify and load every model; one that fails is left out and named in `problems`.

        Raises ModelUnavailable when none is left.
        """
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
        several threads are judged together. A large photo of which `needs_whole` tells is judged twice:
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
        trim_heap()

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
                if not (reduced and needs_whole(verdict.confidence for verdict in comparison.models)):
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
        verdicts = _submit(self._batcher, request).result()
        return Comparison.of(verdicts, [classifier.spec for classifier in request.classifiers], self.source)

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


def _submit(batcher: Batcher, item: Any) -> Future:
    try:
        return batcher.submit(item)
    except RuntimeError as error:
        raise ModelUnavailable("The models have been closed. Load them again.") from error


def _shown(image: Image.Image, side: int) -> Image.Image:
    image.thumbnail((side, side))
    return image


def _pixels(image: Image.Image, spec: ModelSpec) -> tuple[np.ndarray, float]:
    """The photo in the size of a model, not scaled, and the seconds that it took."""
    start = time.perf_counter()
    return resized(image, spec.image_size, spec.resize), time.perf_counter() - start


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
