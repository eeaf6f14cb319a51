"""Many photos are judged, each for itself, until somebody stops."""

import threading
from contextvars import copy_context

import pytest

from catdog import Settings
from catdog.collection import doubt, judge
from catdog.collection.intake import NamedPhoto
from catdog.collection.judge_all import WORKERS
from catdog.errors import Busy, InvalidImage
from catdog.monitoring.request_log import request_id
from tests.catdog import fakes
from tests.catdog.photos import encoded
from tests.conftest import PATIENCE


@pytest.fixture
def comparator():
    return fakes.comparator()


def photo(name: str, colour: tuple[int, int, int] = fakes.CAT) -> NamedPhoto:
    return NamedPhoto(name, None, lambda: encoded(fakes.photo(colour), "PNG"))


def gone() -> bytes:
    raise InvalidImage("It is gone.")


def test_each_photo_gets_its_own_verdict_or_error(comparator):
    model = comparator.models["xception"]
    engine = model.engine
    model.engine = lambda batch: 1 / 0 if batch[..., 1].mean() > batch[..., 0].mean() else engine(batch)
    bad = [NamedPhoto("text", None, lambda: b"no photo"), NamedPhoto("gone", "cat", gone), photo("breaks", fakes.DOG)]
    judged = {entry.name: entry for entry in judge(comparator, [*bad, photo("cat"), photo("strange", fakes.NEITHER)])}
    assert "not a photo" in judged["text"].error
    assert (judged["gone"].error, judged["gone"].label) == ("It is gone.", "cat")
    assert "our fault" in judged["breaks"].error and "division" not in judged["breaks"].error
    for name, verdict in {"cat": "cat", "strange": "neither"}.items():
        assert judged[name].comparison.verdict == verdict and not judged[name].error
        assert max(judged[name].thumbnail.size) == 192


def test_what_is_done_first_is_of_all_classes_and_knows_its_place(comparator):
    photos = [NamedPhoto(str(i), "cat" if i < 100 else "dog", gone) for i in range(200)]
    entries = judge(comparator, photos)
    first = [next(entries) for _ in range(26)]
    entries.close()
    assert 8 <= sum(entry.label == "cat" for entry in first) <= 18
    assert all(photos[entry.place].name == entry.name for entry in first)


def test_each_photo_belongs_to_the_request_that_brought_it(comparator):
    seen = []
    comparator.listen(lambda *_: seen.append(request_id.get()))

    def ask() -> None:
        request_id.set("mine")
        assert len(list(judge(comparator, [photo("a"), photo("b")]))) == 2

    copy_context().run(ask)
    assert seen == ["mine", "mine"]


def test_closing_leaves_out_what_was_not_begun_and_waits_for_nothing(comparator):
    go_on, read = threading.Event(), []

    def slowly() -> bytes:
        read.append(1)
        if len(read) > 1:
            go_on.wait(PATIENCE)
        return b""

    entries = judge(comparator, [NamedPhoto("slow", None, slowly) for _ in range(100)])
    assert next(entries).error
    entries.close()
    go_on.set()
    for thread in [thread for thread in threading.enumerate() if thread.name.startswith("catdog-many")]:
        thread.join(PATIENCE)
    assert len(read) <= WORKERS + 1


def test_photos_wait_while_others_take_the_places():
    comparator = fakes.comparator(Settings(max_waiting=1))
    judged = list(judge(comparator, [photo(str(i)) for i in range(12)]))
    assert all(entry.comparison for entry in judged) and len(judged) == 12


def test_whoever_waits_too_long_is_told(monkeypatch):
    class Full:
        def look(self, data):
            raise Busy("Too many photos at once.")

    monkeypatch.setattr("catdog.collection.judge_all.PATIENCE", 0.0)
    (entry,) = judge(Full(), [photo("a")])
    assert entry.error == "Too many photos at once."


def test_doubt_sorts_strange_before_disputed_before_unsure(comparator):
    colours = (fakes.NEITHER, fakes.DISPUTED, (160, 120, 40), fakes.CAT)
    doubts = [doubt(comparator.compare(fakes.photo(colour))) for colour in colours]
    assert doubts == sorted(doubts, reverse=True) and len(set(doubts)) == 4
    assert doubts[0] == 1 and doubts[1] > 0.5 > doubts[2]
