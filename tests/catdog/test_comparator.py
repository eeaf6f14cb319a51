"""All models on one photo: numbers, forms of input, and what happens when models are bad."""

import io
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import catdog
from catdog import Settings
from catdog.classifier import Classifier
from catdog.comparator import DECODED_AT_ONCE, FETCHED_AT_ONCE, LARGEST_SIDE, WAITING, Batch, Comparator
from catdog.engine import Outputs
from catdog.errors import (
    AddressRefused,
    Busy,
    CatDogError,
    ImageTooLarge,
    InvalidImage,
    ModelMismatch,
    ModelUnavailable,
    OutOfMemory,
    Unforeseen,
    UnknownModel,
)
from catdog.models.spec import ModelSpec
from catdog.photo.array import Pixels, to_array
from catdog.verdict import Comparison
from tests.catdog.conftest import Held
from tests.catdog.fakes import Fixed
from tests.catdog.fakes import fixed as classifier
from tests.conftest import PATIENCE
from tests.specs import minimal
from tests.tiny import write_tiny_model

API = Path(__file__).parents[2] / "docs" / "api.md"


def compare(*classifiers: Classifier, **options) -> Comparison:
    """What these models say of a black photo."""
    return Comparator(classifiers).compare(Image.new("RGB", (4, 4)), **options)


def test_one_model_can_be_asked():
    comparison = compare(classifier("a", 0.1, accuracy=0.8), classifier("b", 0.7), model="a")
    assert [verdict.model for verdict in comparison.models] == ["a"]
    assert comparison.prediction == "Cat"
    assert comparison.agree


@pytest.mark.parametrize("name", ["resnet", "", "x" * 100_000])
def test_an_unknown_model_is_refused_by_name_in_short(name):
    with pytest.raises(UnknownModel, match=r"^There is no model '.{0,40}'; choose one of a, b\.$"):
        compare(classifier("a", 0.1), classifier("b", 0.1), model=name)


def test_listeners_are_told_of_each_photo_once(tiny_comparator):
    told = []
    comparator = Comparator(tiny_comparator.models.values())
    comparator.listen(lambda answer, seconds: told.append((answer, set(seconds))))
    answer, large = comparator.compare(grey(9)), Image.effect_noise((2000, 2000), 90)
    looked, _ = comparator.look(large)  # which is read twice if a model is not sure
    for photo, options in ((b"no photo", {}), (grey(9), {"model": "nobody"})):
        with pytest.raises(CatDogError):
            comparator.compare(photo, **options)
    shape = comparator.chosen(["xception"])[0].spec.input.shape
    batch = Batch([InvalidImage("none"), Pixels.of(grey(9), {shape})], no_second_reading)
    ((error, judged),) = comparator.compare_batches([batch], comparator.chosen(["xception"]))
    known = {"decode", "total"}
    assert told[:2] == [(answer, known), (looked, known)]
    assert [answer.code for answer, seconds in told[2:4] if not seconds] == ["invalid_image", "unknown_model"]
    assert told[4:] == [(error, set()), (judged, set())]


def test_many_threads_get_the_same_numbers(tiny_comparator, cat, dog):
    def numbers(photo: Path) -> list[float]:
        return [verdict.probabilities["cat"] for verdict in tiny_comparator.compare(photo).models]

    expected = {photo: numbers(photo) for photo in (cat, dog)}
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda photo: (photo, numbers(photo)), [cat, dog] * 12))
    assert all(answer == pytest.approx(expected[photo], abs=1e-6) for photo, answer in answers)


def test_no_more_photos_are_in_memory_than_it_can_hold():
    inside, most, more = [], [], threading.Event()

    class Slow(io.BytesIO):
        def read(self, *args):
            inside.append(self)
            most.append(len(inside))
            more.wait(0.02)
            inside.remove(self)
            return b""

    comparator = Comparator([classifier("a", 0.5)])
    with ThreadPoolExecutor(12) as pool:
        answers = [pool.submit(comparator.compare, Slow()) for _ in range(24)]
    assert {type(answer.exception()) for answer in answers} == {InvalidImage}
    assert max(most) == DECODED_AT_ONCE


def grey(shade: int) -> Image.Image:
    return Image.new("RGB", (8, 8), (shade, shade, shade))


def test_past_the_limit_it_is_busy_and_answers_again_when_a_place_is_free(busy):
    comparator, free = busy
    with pytest.raises(Busy, match="1 are being judged or waiting"):
        comparator.compare(grey(0))
    free()
    assert comparator.compare(grey(0)).prediction == "Cat"


def test_every_end_gives_the_place_back():
    engine = Fixed(float("nan"))
    comparator = Comparator([Classifier(classifier("a", 0.5).spec, engine)], settings=Settings(max_waiting=1))
    for photo, error in [(b"", InvalidImage), (None, InvalidImage), (grey(0), ModelMismatch)] * 2:
        with pytest.raises(error):
            comparator.compare(photo)
    engine.outputs = (0.25,)
    assert comparator.compare(grey(0)).models


class Seeing(Fixed):
    """An engine that keeps what it was shown."""

    def __call__(self, batch: np.ndarray) -> Outputs:
        self.seen = batch
        return super().__call__(batch)


def test_each_model_sees_what_its_spec_says():
    inputs = [(8, "stretch"), (8, "crop"), (10, "stretch"), (8, "stretch")]
    models = [
        Classifier(minimal(f"m{i}", image_size=size, resize=resize), Seeing(0.25))
        for i, (size, resize) in enumerate(inputs)
    ]
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 33, 3), np.uint8))
    Comparator(models).compare(image)
    for model in models:
        np.testing.assert_array_equal(model.engine.seen, to_array(image, model.spec.input)[None])


def test_after_close_there_is_an_error():
    comparator = Comparator([classifier("a", 0.5)])
    comparator.close()
    comparator.close()
    with pytest.raises(ModelUnavailable, match="closed"):
        comparator.compare(grey(0))


def test_waiting_for_photos_of_other_threads_is_no_part_of_the_time():
    engine = Held()
    comparator = Comparator([Classifier(minimal(), engine)])
    with ThreadPoolExecutor(3) as pool:
        answers = [pool.submit(comparator.compare, grey(0)) for _ in range(3)]
        assert engine.reached.wait(PATIENCE)
        time.sleep(0.5)
        engine.open.set()
        times = sorted(answer.result(PATIENCE).models[0].milliseconds for answer in answers)
    assert times[2] >= 500 > times[1]


# --- batches ------------------------------------------------------------------------------------


class Brightness(Fixed):
    """An engine for which a photo is the more of a dog the brighter it is; it fails at the brightest ones."""

    def __init__(self):
        self.batches = []

    def __call__(self, batch: np.ndarray) -> Outputs:
        self.batches.append(len(batch))
        outputs = batch.mean(axis=(1, 2, 3))[:, None] / 255
        if (outputs > 0.9).any():
            raise RuntimeError("too bright")
        return Outputs.from_model(np.where(outputs > 0.7, np.nan, outputs))


@pytest.fixture
def bright():
    """A Comparator of one model, whose engine is Brightness."""
    return Comparator([Classifier(classifier("bright").spec, Brightness())])


def pixels(shade: int, *, reduced: bool = False) -> Pixels:
    return Pixels.of(grey(shade), [(8, "stretch")], reduced=reduced)


def no_second_reading(places):
    raise AssertionError(places)


def judged(comparator: Comparator, *batches: Batch) -> list[list[float | CatDogError]]:
    """For each photo the probability of a dog, or the error."""
    return [
        [answer if isinstance(answer, CatDogError) else answer.models[0].probabilities["dog"] for answer in answers]
        for answers in comparator.compare_batches(batches, comparator.chosen())
    ]


def test_the_photos_of_a_batch_are_judged_together_and_errors_stay_in_their_places(bright):
    error = InvalidImage("It is damaged.")
    ((first, second, third),) = judged(bright, Batch([pixels(51), error, pixels(102)], no_second_reading))
    assert (first, third) == (pytest.approx(0.2), pytest.approx(0.4)) and second is error
    assert bright.models["bright"].engine.batches == [3]
    assert judged(bright, Batch([error], no_second_reading)) == [[error]]
    assert bright.models["bright"].engine.batches == [3]


@pytest.mark.parametrize(
    ("shade", "error", "said"),
    [(255, Unforeseen, "bright"), (204, ModelMismatch, "bright")],
    ids=["an exception", "no probabilities"],
)
def test_a_photo_that_a_model_cannot_answer_spoils_no_other(bright, shade, error, said, caplog):
    batch = Batch([pixels(51), pixels(shade), InvalidImage("It is damaged."), pixels(102)], no_second_reading)
    ((first, bad, damaged, last),) = judged(bright, batch)
    assert bright.models["bright"].engine.batches == [4, 1, 1, 1]
    assert (first, last) == (pytest.approx(0.2), pytest.approx(0.4))
    assert isinstance(bad, error) and said in str(bad) and "too bright" not in str(bad)
    assert isinstance(damaged, InvalidImage)
    assert ("too bright" in caplog.text) is (error is Unforeseen)


def test_reduced_photos_are_judged_again_as_a_whole_where_a_model_is_not_confident(bright):
    asked = []

    def again(places: list[int]) -> Future:
        asked.append(places)
        done = Future()
        done.set_result([pixels(153), OutOfMemory("There is too little memory.")][: len(places)])
        return done

    batch = Batch([pixels(51, reduced=True), pixels(0, reduced=True), pixels(51), pixels(51, reduced=True)], again)
    ((*shares, last),) = judged(bright, batch)
    assert asked == [[0, 3]]
    assert shares == pytest.approx([0.6, 0, 0.2]) and isinstance(last, OutOfMemory)
    assert bright.models["bright"].engine.batches == [4, 2]


def test_other_batches_are_judged_while_photos_are_read_again_and_the_order_stays(bright):
    second_reading, taken = Future(), []

    def batches():
        yield Batch([pixels(51, reduced=True)], lambda places: second_reading)
        for shade in range(60, 60 + 2 * WAITING):
            taken.append(shade)
            if len(taken) == WAITING:
                second_reading.set_result([pixels(153)])
            yield Batch([pixels(shade)], no_second_reading)

    shades = [
        255 * answers[0].models[0].probabilities["dog"]
        for answers in bright.compare_batches(batches(), bright.chosen())
    ]
    assert shades == pytest.approx([153, *range(60, 60 + 2 * WAITING)])


# --- the answer ---------------------------------------------------------------------------------


def test_a_class_is_one_whatever_its_case_and_each_answer_says_whose_the_models_are():
    ours, theirs = classifier("a", 0.2), classifier("b", 0.9, accuracy=0.99, classes=("Dog", "CAT"))
    theirs.source = "folder mine"
    comparator = Comparator([ours, theirs])
    photo = Image.new("RGB", (4, 4))
    both, one = comparator.compare(photo), comparator.compare(photo, model="b")
    assert (both.prediction, both.verdict, both.agree) == ("Cat", "cat", True)
    assert [{*verdict.probabilities} for verdict in both.models] == [{"cat", "dog"}] * 2
    assert (one.models[0].label, one.source) == ("cat", "folder mine")
    assert both.source == comparator.source == "bundled: a; folder mine: b"


@pytest.mark.parametrize("name", ["cat.jpg", "dog.jpg"])
def test_looking_gives_the_same_answer_and_the_photo(tiny_comparator, name):
    path = API.parents[1] / "examples" / name
    plain, (comparison, photo) = tiny_comparator.compare(path), tiny_comparator.look(path)
    assert without_times(comparison) == without_times(plain)
    assert photo.mode == "RGB" and photo.width / photo.height == 4 / 3
    assert all(verdict.heatmap is None for verdict in comparison.models)
    assert all(verdict.heatmap for verdict in tiny_comparator.look(path, explain=True)[0].models)


@pytest.mark.parametrize(("sure", "size"), [(0.999, (100, 57)), (0.5, (LARGEST_SIDE, 450))])
def test_the_photo_that_was_looked_at_is_small_and_the_given_one_is_left_alone(sure, size):
    given = Image.new("RGB", (1600, 900), "red")
    assert Comparator([classifier("a", sure, image_size=32)]).look(given)[1].size == size
    assert given.size == (1600, 900)


def without_times(comparison) -> list[tuple]:
    return [(verdict.model, verdict.probabilities) for verdict in comparison.models]


# --- forms of a photo ---------------------------------------------------------------------------


FORMS = {
    "path": Path,
    "text": str,
    "bytes": Path.read_bytes,
    "bytearray": lambda path: bytearray(path.read_bytes()),
    "memoryview": lambda path: memoryview(path.read_bytes()),
    "BytesIO": lambda path: io.BytesIO(path.read_bytes()),
    "file": lambda path: path.open("rb"),
}
# Judged as whoever opened it decodes it, while a file may be decoded smaller.
DECODED = {"unloaded Pillow image": Image.open, "Pillow image": lambda path: Image.open(path).convert("RGB")}


@pytest.mark.parametrize("form", [*FORMS.values(), *DECODED.values()], ids=[*FORMS, *DECODED])
def test_every_form_of_a_photo_gives_the_same_numbers(tiny_comparator, cat, form):
    expected = tiny_comparator.compare(cat.read_bytes())
    photo = form(cat)
    actual = tiny_comparator.compare(photo)
    if hasattr(photo, "close"):
        photo.close()
    tolerance = 0.02 if form in DECODED.values() else 1e-6
    for verdict, other in zip(actual.models, expected.models, strict=True):
        assert verdict.probabilities == pytest.approx(other.probabilities, abs=tolerance)


def closed_file(folder: Path):
    with open(folder / "x", "wb+") as stream:
        return stream


@pytest.mark.parametrize(
    ("photo", "sentence"),
    [
        (lambda folder: folder / "none.jpg", r"none\.jpg' cannot be read: No such file or directory\."),
        (lambda folder: folder, r"' cannot be read: Is a directory\."),
        (lambda folder: "", "'' cannot be read"),
        (lambda folder: "a\0b", "cannot be read: embedded null byte"),
        (lambda folder: "x" * 5000, "cannot be read: File name too long"),
        (closed_file, r"The file cannot be read: .*closed"),
        (lambda folder: io.StringIO("text"), "opened in binary mode.* Received: StringIO"),
        (lambda folder: None, "Received: NoneType"),
        (lambda folder: 5, "Received: int"),
        (lambda folder: np.zeros((8, 8, 3), np.uint8), "Received: ndarray"),
        (lambda folder: b"", "empty"),
        (lambda folder: io.BytesIO(b"not a photo"), "a text"),
    ],
)
def test_what_is_no_photo_is_refused(tiny_comparator, tmp_path, photo, sentence):
    with pytest.raises(InvalidImage, match=sentence):
        tiny_comparator.compare(photo(tmp_path))


@pytest.mark.parametrize("form", [Path, Path.read_bytes, lambda path: path.open("rb")], ids=["path", "bytes", "file"])
def test_a_file_over_the_limit_is_refused(cat, form):
    size = cat.stat().st_size
    for limit, fits in ((size, True), (size - 1, False)):
        comparator = Comparator([classifier("a", 0.5)], settings=Settings(max_upload_bytes=limit))
        if fits:
            assert comparator.compare(form(cat)).models
        else:
            with pytest.raises(ImageTooLarge, match="MB"):
                comparator.compare(form(cat))


# --- loading ------------------------------------------------------------------------------------


@pytest.fixture
def two_models(tmp_path) -> Path:
    write_tiny_model(tmp_path, "scratch_cnn", image_size=16)
    write_tiny_model(tmp_path, "xception", image_size=16)
    return tmp_path


def describe_wrongly(folder: Path, name: str) -> None:
    """Let a spec name another input size than its model has; the checksum still fits."""
    path = folder / f"{name}.json"
    ModelSpec.read(path).replace(image_size=24).write(path)


def test_a_bad_model_is_left_out_and_named_and_the_other_answers(two_models, cat):
    describe_wrongly(two_models, "xception")
    comparator = catdog.load(Settings(weights=two_models))
    assert [verdict.model for verdict in comparator.compare(cat).models] == ["scratch_cnn"]
    (problem,) = comparator.problems
    assert "xception" in problem


def test_models_that_all_fail_to_load_make_it_unavailable(two_models):
    for name in ("scratch_cnn", "xception"):
        describe_wrongly(two_models, name)
    with pytest.raises(ModelUnavailable, match=r"No model could be loaded.*scratch_cnn.*xception"):
        catdog.load(Settings(weights=two_models))


# --- a model's own output for neither -----------------------------------------------------------


def refusing(name: str, *outputs: float, threshold: float = 0.5, auroc: float | None = None, **changes) -> Classifier:
    return classifier(name, *outputs, neither={"threshold": threshold, "auroc": auroc}, **changes)


def test_the_probabilities_are_those_given_that_it_is_one_of_the_classes():
    (verdict,) = compare(refusing("m", 0.1, 0.3, 0.6, temperature=2)).models
    root = 3**0.5
    assert verdict.probabilities == pytest.approx({"cat": 1 / (1 + root), "dog": root / (1 + root)})
    assert (verdict.label, verdict.neither) == ("dog", pytest.approx(0.6, abs=1e-4))


@pytest.mark.parametrize(
    ("outputs", "threshold", "expected"),
    [
        ((0.4, 0.4, 0.2), 0.5, 0.2), ((0.4, 0.4, 0.2), 0.2, 0.5), ((0.4, 0.4, 0.2), 0.1, 9 / 13),
        ((0.4, 0.4, 0.2), 0.9, 1 / 37), ((0, 0, 1), 0.01, 1), ((1, 0, 0), 0.01, 0),
    ],
)  # fmt: skip
def test_half_is_the_threshold(outputs, threshold, expected):
    (verdict,) = compare(refusing("m", *outputs, threshold=threshold)).models
    assert verdict.neither == pytest.approx(expected, abs=1e-4)
    assert sum(verdict.probabilities.values()) == pytest.approx(1)


def test_the_verdict_follows_the_model_that_tells_neither_best():
    yes, no = (0.1, 0.1, 0.8), (0.8, 0.1, 0.1)
    plain = classifier("plain", 0.1, accuracy=0.99)
    assert compare(plain, refusing("a", *yes, auroc=0.99), refusing("b", *no, auroc=0.9)).verdict == "neither"
    assert compare(plain, refusing("a", *yes, auroc=0.9), refusing("b", *no, auroc=0.99)).verdict == "cat"
    assert compare(plain, refusing("a", *yes), refusing("b", *no, auroc=0.5)).verdict == "cat"
    assert compare(plain, refusing("a", *yes, auroc=0.9), model="plain").verdict == "cat"
    assert compare(plain, refusing("a", *yes, auroc=0.9)).models[0].neither is None


def test_only_a_model_that_knows_the_label_can_refuse_it():
    horses = classifier("horses", 0.9, 0.1, accuracy=0.99, classes=("horse", "cat"))
    refused = compare(horses, refusing("a", 0.1, 0.1, 0.8))
    assert (refused.leader, refused.verdict, refused.models[1].neither) == ("horses", "horse", pytest.approx(0.8))
    assert compare(horses, refusing("a", 0.1, 0.1, 0.8, classes=("horse", "dog"))).verdict == "neither"


def test_the_map_of_a_label_leaves_neither_out():
    one = refusing("m", 0.6, 0.3, 0.1)
    maps = np.array([[[[3.0, 1.0, 50.0]]]], np.float32)
    engine = one.engine
    one.engine = lambda batch: engine(batch)._replace(maps=np.repeat(maps, len(batch), axis=0))
    assert compare(one, explain=True).models[0].heatmap == [[2.0]]


def test_a_photo_at_an_address_is_fetched_before_it_takes_a_place(monkeypatch, cat):
    comparator = Comparator([classifier("a", 0.9)])
    waiting = []

    def fetch(address: str) -> bytes:
        waiting.append(comparator.waiting)
        return {"HTTPS://example.org/cat.jpg": cat.read_bytes()}[address]

    monkeypatch.setattr(comparator, "fetch", fetch)
    assert comparator.compare("HTTPS://example.org/cat.jpg").prediction == comparator.compare(cat).prediction
    assert waiting == [0]


def test_only_public_addresses_are_fetched_few_at_a_time_and_only_where_it_is_on(monkeypatch):
    heard = []
    comparator = Comparator([classifier("a", 0.9)])
    comparator.listen(lambda answer, seconds: heard.append(answer.code))
    with pytest.raises(AddressRefused):
        comparator.compare("http://127.0.0.1/cat.jpg")
    reached, leave = threading.Semaphore(0), threading.Event()

    def held(address: str, most: int) -> bytes:
        reached.release()
        leave.wait(PATIENCE)
        return b""

    monkeypatch.setattr("catdog.photo.fetch.fetch", held)
    with ThreadPoolExecutor() as pool:
        fetching = [pool.submit(comparator.fetch, "http://a.test/") for _ in range(FETCHED_AT_ONCE)]
        assert all(reached.acquire(timeout=PATIENCE) for _ in fetching)
        with pytest.raises(Busy):
            comparator.fetch("http://a.test/")
        leave.set()
        assert [future.result() for future in fetching] == [b""] * FETCHED_AT_ONCE
    assert heard == ["address_refused"]
    with pytest.raises(AddressRefused):
        Comparator([classifier("a", 0.9)], settings=Settings(fetch="off")).compare("https://example.org/cat.jpg")
