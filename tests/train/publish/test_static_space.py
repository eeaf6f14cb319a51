"""The page without a server to a static Space."""

import functools
import hashlib
import json

import pytest
from huggingface_hub.repocard import SpaceCard

from tests.hub.metadata import problems_of
from tests.hub.store import Account
from tests.train.conftest import files_of

SPACE = "user/cat-or-dog"
KEY = f"spaces/{SPACE}"
MODEL = b"what stands for an h5 file"


@pytest.fixture
def folder(tmp_path):
    """What stands for a page: `publish` looks at no more than that."""
    for name in ("service-worker.js", "index.html", "models/a-1.bin"):
        (tmp_path / "page" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "page" / name).write_text(name)
    kept, fetched = {"./": "", "index.html": "", "models/models.json": ""}, ["models/a-1.bin"]
    worker = f"const KEPT = {json.dumps(kept)};\nconst FETCHED = {json.dumps(fetched)};\n"
    (tmp_path / "page" / "service-worker.js").write_text(worker)
    (tmp_path / "page" / "secret.txt").write_text("of no page")
    listed = [{"name": "a", "classes": ["horse", "cow"], "h5_sha256": hashlib.sha256(MODEL).hexdigest()}]
    (tmp_path / "page" / "models" / "models.json").write_text(json.dumps(listed))
    return tmp_path / "page"


@pytest.fixture
def stand_in(stand_in):
    """A Hub to which the user pays nothing."""
    stand_in.accounts[stand_in.token] = Account("user", pays=False)
    return stand_in


@pytest.fixture
def publish(command):
    return functools.partial(command, "publish", "--space", SPACE)


def test_a_static_space_is_the_page_and_is_free(stand_in, publish, folder):
    commit = stand_in.publish("user/models", {"a.h5": MODEL})
    code, _, result = publish("--static", str(folder), "--repo", "user/models")
    assert code == 0 and result["created"]
    files = files_of(stand_in, KEY)
    assert {"index.html", "service-worker.js", "models/a-1.bin"} < files.keys() and "secret.txt" not in files
    content = files["README.md"].decode()
    assert list(problems_of(content, "space")) == []
    front = SpaceCard(content).data.to_dict()
    assert (front["sdk"], front["app_file"], front["models"]) == ("static", "index.html", ["user/models"])
    assert front["custom_headers"]["cross-origin-opener-policy"] == "same-origin"
    assert "sdk_version" not in front and "preload_from_hub" not in front
    assert f"user/models/tree/{commit}" in content


def test_a_page_of_other_models_is_not_linked_to_a_repository(stand_in, publish, folder):
    old = stand_in.publish("user/models", {"a.h5": MODEL})
    stand_in.publish("user/models", {"a.h5": b"a newer one"})
    static = ("--static", str(folder), "--repo")
    for more in (["user/models"], ["user/none"]):
        code, said, _ = publish(*static, *more)
        assert code == 1 and more[0] in said and ": a." in said
    assert publish(*static, "user/models", "--revision", old)[0] == 0


def test_a_newer_page_replaces_its_models_and_keeps_what_people_wrote(stand_in, publish, folder):
    publish("--static", str(folder))
    files = files_of(stand_in, KEY)
    stand_in.publish(KEY, files | {"README.md": files["README.md"] + b"Our own words.", "notes.txt": b"ours"})
    (folder / "models" / "a-1.bin").rename(folder / "models" / "a-2.bin")
    worker = folder / "service-worker.js"
    worker.write_text(worker.read_text().replace("a-1.bin", "a-2.bin"))
    _, _, result = publish("--static", str(folder))
    files = files_of(stand_in, KEY)
    assert "models/a-2.bin" in files and "models/a-1.bin" not in files and files["notes.txt"] == b"ours"
    assert b"Our own words." in files["README.md"]
    assert result["committed"]
    assert publish("--static", str(folder))[2]["committed"] is False


def test_what_costs_says_what_does_not(stand_in, publish, tiny_weights):
    stand_in.publish("user/models", tiny_weights)
    code, said, _ = publish("--repo", "user/models")
    assert code == 1 and "402" in said and "--static" in said
    assert KEY not in stand_in.repositories


def test_weights_are_not_for_a_static_space(stand_in, publish, folder):
    code, said, _ = publish("--static", str(folder), "--weights", "mine")
    assert code == 1 and "--weights" in said


def test_only_a_page_is_published(stand_in, publish, tmp_path):
    code, said, _ = publish("--static", str(tmp_path))
    assert code == 1 and "make static" in said
