"""The growing file of results: going on, refusing, and disks that fill up."""

import resource

import pytest

from catdog.errors import InvalidImage, InvalidSettings, NotWritten
from catdog.folder.journal import Journal
from tests.catdog.fakes import compared, verdict

from .conftest import brightness

SPECS = [brightness("one").spec, brightness("two").spec]
EVEN = compared(*(verdict(spec.name, probabilities={"cat": 0.5, "dog": 0.5}) for spec in SPECS))
PHOTOS = [("a.jpg", EVEN), ('b,\n"b".jpg', InvalidImage("It is bad.")), ("c\udcff.jpg", EVEN)]


def journal(folder, specs=SPECS, *, photos="photos", **options) -> Journal:
    return Journal(folder / "x.csv", folder / photos, specs, **options)


@pytest.fixture
def written(tmp_path) -> bytes:
    with journal(tmp_path) as rows:
        rows.append(PHOTOS)
    return (tmp_path / "x.csv").read_bytes()


def test_a_journal_counts_its_photos_and_knows_those_of_earlier_runs(tmp_path):
    with journal(tmp_path) as rows:
        rows.append(PHOTOS[:1])
        rows.append(PHOTOS[1:2])
        assert (rows.photos, rows.failed) == (2, 1)
    with journal(tmp_path) as rows:
        assert (rows.photos, rows.failed) == (2, 1)
        assert [photo[0] in rows for photo in PHOTOS] == [True, True, False]


def test_wherever_a_run_was_killed_the_next_one_completes_it(tmp_path, written):
    path = tmp_path / "x.csv"
    for size in range(len(written) + 1):
        path.write_bytes(written[:size])
        with journal(tmp_path) as rows:
            missing = [photo for photo in PHOTOS if photo[0] not in rows]
            assert rows.photos == len(PHOTOS) - len(missing)
            rows.append(missing)
        assert path.read_bytes() == written


CHANGES = {
    "another folder": ({"photos": "others"}, "folder"),
    "other weights": ({"specs": [SPECS[0], SPECS[1].replace(sha256="1" * 64)]}, "models"),
    "another calibration": ({"specs": [SPECS[0], SPECS[1].replace(temperature=2.0)]}, "models"),
    "wider photos": ({"specs": [SPECS[0], SPECS[1].replace(image_width=64)]}, "models"),
    "grey photos": ({"specs": [SPECS[0], SPECS[1].replace(channels=1)]}, "models"),
    "fewer models": ({"specs": SPECS[:1]}, "models"),
    "another order": ({"specs": SPECS[::-1]}, "models"),
}


@pytest.mark.parametrize(("change", "what"), CHANGES.values(), ids=CHANGES)
def test_answers_of_something_else_are_never_mixed_in(tmp_path, written, change, what):
    with pytest.raises(InvalidSettings, match=rf"x\.csv .*{what}.*--restart"):
        journal(tmp_path, **change)
    assert (tmp_path / "x.csv").read_bytes() == written
    with journal(tmp_path) as rows:
        assert rows.photos == 3


@pytest.mark.parametrize("state", [None, "", "{}", "[]", '{"models": [{}]}', "\0", '{"format": 1}', "[" * 100_000])
def test_a_file_that_nothing_is_known_about_is_left_alone(tmp_path, written, state):
    beside = tmp_path / "x.csv.state.json"
    beside.unlink() if state is None else beside.write_text(state)
    with pytest.raises(InvalidSettings, match=r"x\.csv .*--restart"):
        journal(tmp_path)
    assert (tmp_path / "x.csv").read_bytes() == written


def test_a_file_that_was_changed_is_left_alone(tmp_path, written):
    changed = written.replace(b"a.jpg,two", b"b.jpg,two")
    (tmp_path / "x.csv").write_bytes(changed)
    with pytest.raises(InvalidSettings, match="not as this command wrote it"):
        journal(tmp_path)
    assert (tmp_path / "x.csv").read_bytes() == changed


def test_two_runs_never_write_to_one_file_and_restart_forgets_whatever_there_was(tmp_path):
    with journal(tmp_path) as rows:
        with pytest.raises(InvalidSettings, match="Another process is writing"):
            journal(tmp_path, restart=True)
        rows.append(PHOTOS)
    with journal(tmp_path) as rows:
        assert rows.photos == 3
    (tmp_path / "x.csv").write_bytes(b"something else")
    with journal(tmp_path, SPECS[:1], photos="others", restart=True) as rows:
        assert (rows.photos, "a.jpg" in rows) == (0, False)


def test_a_full_disk_is_a_sentence_and_loses_nothing(tmp_path, written):
    path = tmp_path / "x.csv"
    path.write_bytes(b"")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    rows = journal(tmp_path)
    assert path.read_bytes() == b"path,model,label,verdict,confidence,p_cat,p_dog,neither,error\r\n"
    try:
        # Enough for a part of the first photo. Python ignores the signal, and the write fails.
        resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 20, limits[1]))
        with rows, pytest.raises(NotWritten, match=r"x\.csv cannot be written: File too large\..* goes on"):
            rows.append(PHOTOS)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    with journal(tmp_path) as rows:
        assert rows.photos == 0
        rows.append(PHOTOS)
    assert path.read_bytes() == written


def test_a_file_that_cannot_be_opened_is_a_sentence(tmp_path):
    with pytest.raises(NotWritten, match=r"x\.csv cannot be written: No such file or directory"):
        journal(tmp_path / "none")
