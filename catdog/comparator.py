"""All models on one photo. Every surface gets its answers here."""

import contextlib
import logging
import reprlib
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from typing import NamedTuple, Self

import numpy as np
from PIL import Image

from catdog.classifier import Classifier
from catdog.engine import load_engines, warm_up
from catdog.errors import AddressRefused, Busy, CatDogError, ModelUnavailable, Unforeseen, UnknownModel
from catdog.memory import trim_heap
from catdog.models.locate import joined, locate
from catdog.models.spec import ModelSpec, respelt
from catdog.photo.array import Pixels, scaled
from catdog.photo.reader import Photo, Reader, is_address, needs_whole
from catdog.settings import Settings
from catdog.verdict import Comparison, Verdict

log = logging.getLogger(__name__)

LARGEST_SIDE = 800  # pixels of the photo that `look` returns
# Photos decoded at the same time. A large one takes several hundred megabytes while it is decoded.
DECODED_AT_ONCE = 2
# Photos fetched from the web at the same time: a slow site holds one of these places, and no thread waits for one.
FETCHED_AT_ONCE = 4
# Batches held back while some of their photos are read again.
WAITING = 4

Answer = Comparison | CatDogError
Listener = Callable[[Answer, Mapping[str, float]], None]


class Batch(NamedTuple):
    """Photos to judge together.

    photos  the pixels of each photo, or why there are none
    whole   reads the photos at these positions again, not reduced: a future of their pixels or errors
    """

    photos: Sequence[Pixels | CatDogError]
    whole: Callable[[list[int]], Future[Sequence[Pixels | CatDogError]]]


class Comparator:
    """All models, ready to judge photos; safe to share between threads.

    models    name -> Classifier, in the order of display; a class has one spelling in all of their specs
    problems  one sentence per model that could not be used and per fallback taken; without any model they say why
    waiting   number of photos that are being judged or waiting, without those of `compare_batches`
    read      any accepted form of a photo -> RGB image, within the limits of the settings
    """

    def __init__(
        self,
        classifiers: Sequence[Classifier],
        *,
        problems: Sequence[str] = (),
        settings: Settings | None = None,
    ):
        specs = respelt(classifier.spec for classifier in classifiers)
        self.models = {
            spec.name: Classifier(spec, classifier.engine, classifier.source)
            for spec, classifier in zip(specs, classifiers, strict=True)
        }
        self.problems, self.settings = tuple(problems), settings or Settings()
        self.read = Reader.of((spec.input for spec in self.specs), self.settings)
        self._decoding = threading.BoundedSemaphore(DECODED_AT_ONCE)
        self._fetching = threading.BoundedSemaphore(FETCHED_AT_ONCE)
        self.waiting, self._counting = 0, threading.Lock()
        self._listeners: list[Listener] = []
        self._computing = threading.Lock()  # one model at a time uses all cores
        self._closed = False

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Locate, verify and load every model; one that fails is left out and named in `problems`.

        Raises ModelUnavailable when none is left.
        """
        located = locate(settings)
        problems, classifiers = list(located.problems), []
        engines = load_engines([(model.path, model.spec) for model in located.models], settings)
        for model, engine in zip(located.models, engines, strict=True):
            if isinstance(engine, CatDogError):
                problems.append(str(engine))
                continue
            classifiers.append(Classifier(model.spec, engine, model.source))
            if engine.problem:
                problems.append(engine.problem)
        if not classifiers:
            raise ModelUnavailable(" ".join(["No model could be loaded.", *problems]))
        return cls(classifiers, problems=problems, settings=settings)

    @property
    def specs(self) -> tuple[ModelSpec, ...]:
        return tuple(classifier.spec for classifier in self.models.values())

    @property
    def sources(self) -> dict[str, str]:
        """Where each model came from: name -> source, as in `ModelFile`."""
        return {name: classifier.source for name, classifier in self.models.items()}

    @property
    def source(self) -> str:
        """Where the models came from, in one line."""
        return joined(self.sources) or "none"

    def listen(self, listener: Listener) -> None:
        """Call `listener(answer, seconds)` for each photo from now on, in the thread that judged it.

        answer   the Comparison, or the error in its place
        seconds  stage -> seconds: `decode` from bytes to RGB image, and `total`, all waiting included. Empty for an
                 error, and for photos of `compare_batches`. What each model took is in the Comparison.
        """
        self._listeners.append(listener)

    def compare(self, photo: Photo, *, model: str | Collection[str] | None = None, explain: bool = False) -> Comparison:
        """Ask all models, or those named by `model`, about one photo; `explain` adds heat maps.

        photo is encoded bytes, a path, an address as in `fetch`, a binary file or a Pillow image. A large photo is
        first read at a reduced size, and again as a whole if a model is not confident.

        Raises InvalidImage, ImageTooLarge, UnknownModel, the errors of `fetch`, ModelMismatch for a model whose answer
        cannot be used, Busy when `settings.max_waiting` other photos are being judged or waiting, OutOfMemory,
        ModelUnavailable after `close` or without models, or Unforeseen for any other error of a model.
        """
        return self._compared(photo, model, explain)[0]

    def fetch(self, address: str) -> bytes:
        """The file at an address that begins with http:// or https://, within the limits of the settings.

        Raises AddressRefused, also where the settings switch this off, NotFetched, ImageTooLarge, or Busy.
        """
        if self.settings.fetch == "off":
            raise AddressRefused("Photos are not fetched from addresses here. Save the photo, and send it as a file.")
        from catdog.photo.fetch import fetch  # loads a client for HTTP

        if not self._fetching.acquire(blocking=False):
            raise Busy(f"{FETCHED_AT_ONCE} other photos are being fetched. Try again shortly.")
        try:
            return fetch(address, self.settings.max_upload_bytes)
        finally:
            self._fetching.release()

    def look(
        self, photo: Photo, *, model: str | Collection[str] | None = None, explain: bool = False
    ) -> tuple[Comparison, Image.Image]:
        """As `compare`; also returns the upright RGB photo, at most LARGEST_SIDE pixels a side."""
        return self._compared(photo, model, explain, side=LARGEST_SIDE)

    def compare_batches(
        self, batches: Iterable[Batch], classifiers: Sequence[Classifier], *, explain: bool = False
    ) -> Iterator[list[Answer]]:
        """Judge batches of decoded photos; yields the answers to each batch, in order.

        The answer is an error for a photo that came as an error or that a model fails on. If a model is not confident
        of a reduced photo, it is read again as a whole and judged anew; meanwhile the next batches are judged.
        """
        for answers in self._judged(batches, classifiers, explain):
            for answer in answers:
                self._tell(answer, {})
            yield answers

    def _judged(
        self, batches: Iterable[Batch], classifiers: Sequence[Classifier], explain: bool
    ) -> Iterator[list[Answer]]:
        waiting: deque[tuple[list[Answer], list[int], Future]] = deque()

        def complete() -> list[Answer]:
            answers, places, whole = waiting.popleft()
            for place, answer in zip(places, self._judge(whole.result(), classifiers, explain), strict=True):
                answers[place] = answer
            return answers

        for photos, whole in batches:
            answers = self._judge(photos, classifiers, explain)
            again = [i for i, answer in enumerate(answers) if _needs_whole(photos[i], answer)]
            waiting.append((answers, again, whole(again) if again else _done([])))
            while waiting and (len(waiting) > WAITING or waiting[0][2].done()):
                yield complete()
        while waiting:
            yield complete()

    def chosen(self, names: Collection[str] = ()) -> list[Classifier]:
        """The models with these names, or all, in the order of display; raises UnknownModel."""
        for name in names:
            if name not in self.models:
                raise UnknownModel(f"There is no model {reprlib.repr(name)}; choose one of {', '.join(self.models)}.")
        return [classifier for name, classifier in self.models.items() if not names or name in names]

    def warm_up(self) -> None:
        """Compile every network that a single photo needs, so that no visitor waits for it."""
        # The largest first, because compiling it takes the most memory.
        for classifier in sorted(self.models.values(), key=lambda classifier: -classifier.spec.bytes):
            with contextlib.suppress(Exception), self._computing:  # the first photo reports the error
                warm_up(classifier.engine, classifier.spec.input.array)
        trim_heap()

    def close(self) -> None:
        """Refuse further photos; those already taken are answered."""
        self._closed = True

    @contextlib.contextmanager
    def _place(self) -> Iterator[None]:
        """Hold one of `settings.max_waiting` places for photos; raise Busy when all are taken."""
        most = self.settings.max_waiting
        with self._counting:
            if self.waiting >= most:
                raise Busy(f"Too many photos at once: {most} are being judged or waiting. Try again shortly.")
            self.waiting += 1
        try:
            yield
        finally:
            with self._counting:
                self.waiting -= 1

    def _compared(
        self, photo: Photo, model: str | Collection[str] | None, explain: bool, *, side: int | None = None
    ) -> tuple[Comparison, Image.Image | None]:
        """The answer, and with `side` also the photo, at most that many pixels a side; listeners are told."""
        start, seconds = time.perf_counter(), {"decode": 0.0}
        try:
            result = self._asked(photo, model, explain, side, seconds)
        except CatDogError as error:
            self._tell(error, {})
            raise
        self._tell(result[0], seconds | {"total": time.perf_counter() - start})
        return result

    def _tell(self, answer: Answer, seconds: Mapping[str, float]) -> None:
        for listener in self._listeners:
            listener(answer, seconds)

    def _asked(
        self,
        photo: Photo,
        model: str | Collection[str] | None,
        explain: bool,
        side: int | None,
        seconds: dict[str, float],
    ) -> tuple[Comparison, Image.Image | None]:
        """As `_compared`, which tells listeners; adds what decoding took to `seconds`."""
        if self._closed:
            raise ModelUnavailable("The models have been closed. Load them again.")
        if not self.models:
            raise ModelUnavailable(" ".join(self.problems))
        classifiers = self.chosen([model] if isinstance(model, str) else model or ())
        shapes = {classifier.spec.input.shape for classifier in classifiers}
        shown = None

        def pixels(*, whole: bool) -> Pixels:
            nonlocal shown
            with self._decoding:
                start = time.perf_counter()
                image, reduced = self.read(photo, whole=whole)
                seconds["decode"] += time.perf_counter() - start
                result = Pixels.of(image, shapes, reduced=reduced)
                if side:  # now, because a large photo would hold its memory until it is answered
                    image.thumbnail((side, side))
                    shown = image
            return result

        if is_address(photo):  # now, as nobody else should wait for a slow site
            photo = self.fetch(photo)
        with self._place():
            photo = self.read.repeatable(photo)
            batch = Batch([pixels(whole=False)], lambda _: _done([pixels(whole=True)]))
            ((answer,),) = self._judged([batch], classifiers, explain)
        if isinstance(answer, CatDogError):
            raise answer
        return answer, shown

    def _judge(
        self, photos: Sequence[Pixels | CatDogError], classifiers: Sequence[Classifier], explain: bool
    ) -> list[Answer]:
        """Ask one model after the other about photos together.

        Batches of different threads are not joined. With 16 clients that would save about a tenth of the processor time
        per photo (measured by hand), but it takes a second network for each model, and so memory and a longer start.
        """
        by_model = [self._verdicts(classifier, photos, explain) for classifier in classifiers]
        specs = [classifier.spec for classifier in classifiers]
        source = joined({classifier.spec.name: classifier.source for classifier in classifiers})
        return [_answer(verdicts, specs, source) for verdicts in zip(*by_model, strict=True)]

    def _verdicts(
        self, classifier: Classifier, photos: Sequence[Pixels | CatDogError], explain: bool
    ) -> list[Verdict | CatDogError]:
        """One model's verdict on each photo, or an error. If it fails on a batch, it judges the photos one by one."""
        if all(isinstance(photo, CatDogError) for photo in photos):
            return list(photos)
        wanted = classifier.spec.input
        # Stands in for an error: an engine has a network for full batches, and would need others for smaller ones.
        black = np.zeros(wanted.array, np.uint8)
        arrays = [black if isinstance(photo, CatDogError) else photo.arrays[wanted.shape] for photo in photos]
        try:
            with self._computing:
                start = time.perf_counter()  # not before: waiting for photos of other threads does not count
                outputs = classifier.outputs(scaled(np.stack(arrays), wanted.scaling))
                seconds = time.perf_counter() - start
            return [
                photo
                if isinstance(photo, CatDogError)
                else classifier.verdict(outputs.of(i), seconds + photo.seconds[wanted.shape], explain=explain)
                for i, photo in enumerate(photos)
            ]
        except Exception as error:  # a broken model may raise anything
            if len(photos) == 1:
                return [error if isinstance(error, CatDogError) else _unforeseen(classifier.spec, error)]
        return [verdict for photo in photos for verdict in self._verdicts(classifier, [photo], explain)]


def _answer(verdicts: Sequence[Verdict | CatDogError], specs: Sequence[ModelSpec], source: str) -> Answer:
    errors = (verdict for verdict in verdicts if isinstance(verdict, CatDogError))
    return next(errors, None) or Comparison.of(verdicts, specs, source)


def _needs_whole(photo: Pixels | CatDogError, answer: Answer) -> bool:
    if isinstance(answer, CatDogError):
        return False
    return photo.reduced and needs_whole(verdict.confidence for verdict in answer.models)


def _done(result: Sequence[Pixels | CatDogError]) -> Future[Sequence[Pixels | CatDogError]]:
    future: Future[Sequence[Pixels | CatDogError]] = Future()
    future.set_result(result)
    return future


def _unforeseen(spec: ModelSpec, error: Exception) -> Unforeseen:
    log.error("model %s failed on a photo", spec.name, exc_info=error)
    return Unforeseen(f"Model {spec.name} failed on this photo, which is our fault. Try again, or another photo.")
