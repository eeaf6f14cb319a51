"""Files that appear whole or not at all."""

import pytest

from catdog.files import whole


def test_a_file_appears_when_it_is_complete(tmp_path):
    path = tmp_path / "x.json"
    with whole(path) as partial:
        partial.write_text("new")
        assert partial.suffix == ".json" and not path.exists()
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_what_was_there(tmp_path):
    path = tmp_path / "x.json"
    path.write_text("old")
    with pytest.raises(OSError, match="full"), whole(path) as partial:
        partial.write_text("ne")
        raise OSError("full")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
