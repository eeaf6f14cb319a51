"""Models from a Hub repository: the real client against a stand-in Hub on loopback."""

import contextlib
import json
import os
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest
from huggingface_hub import close_session, hf_hub_download
from PIL import Image

from catdog import ModelSpec, ModelUnavailable, Settings, load
from catdog.__main__ import main
from catdog.models import hub as catdog_hub
from catdog.models.locate import locate
from tests.damage import flip_a_bit, remove, truncate
from tests.hub.server import StandInHub
from tests.processes import python

REPO = "user/cats-and-dogs"
NO_COMMIT = "0" * 40


@pytest.fixture
def commit(hub, tiny_weights):
    """The first commit of REPO: two good models."""
    return hub.publish(REPO, tiny_weights)


def settings(tiny_weights, revision="main", repo=REPO):
    return Settings(weights=tiny_weights, hub_repo=repo, hub_revision=revision)


def names(located):
    return [model.spec.name for model in located.models]


BOTH = ["scratch_cnn", "xception"]


def files_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def unreachable(commit):
    """The source of models that were taken from the cache."""
    return f"hub cache {REPO}@{commit[:12]} (Hub unreachable)"


# What is downloaded, and when


def test_only_specs_and_h5_of_the_top_folder_are_fetched(hub, tiny_weights, tmp_path):
    files = files_of(tiny_weights)
    reports = {"report.json": b'{"accuracy": [0.9, NaN]}', "history.json": b"[1, 2]", "text.json": b'"words"'}
    others = {"README.md": b"# card", "runs/old.h5": b"old", "runs/old.json": b"{}"}
    commit = hub.publish(REPO, files | reports | others)
    located = locate(settings(tiny_weights))
    assert names(located) == BOTH
    assert (located.source, located.problems) == (f"hub {REPO}@{commit[:12]}", ())
    for model in located.models:
        assert model.path.is_relative_to(tmp_path / "cache")
        assert model.path.read_bytes() == files[model.path.name]
    fetched = {request.rsplit("/", 1)[1] for request in hub.requests if "/resolve/" in request}
    assert fetched == {*files, *reports}
    hub.requests.clear()
    assert locate(settings(tiny_weights, commit)) == located
    assert hub.requests == []  # also not for the reports, which are no specs


def test_a_cache_needs_one_request_for_a_branch_none_for_a_commit_and_no_hub(hub, commit, tiny_weights):
    first = locate(settings(tiny_weights))
    hub.requests.clear()
    assert locate(settings(tiny_weights)) == first
    assert hub.requests == [f"GET /api/models/{REPO}/revision/main"]
    hub.requests.clear()
    assert locate(settings(tiny_weights, commit)) == first
    assert hub.requests == []
    hub.close()
    assert locate(settings(tiny_weights, commit)) == first
    located = locate(settings(tiny_weights))
    assert (names(located), located.source) == (BOTH, unreachable(commit))
    [problem] = located.problems
    assert REPO in problem and "Connection refused" in problem


@pytest.mark.parametrize("pinned", [True, False], ids=["commit", "branch"])
def test_a_cache_of_some_files_is_completed_and_used_without_the_hub(hub, commit, tiny_weights, pinned, monkeypatch):
    revision = commit if pinned else "main"
    for name in ("xception.h5", "xception.json"):  # as anybody may who wants one model
        hf_hub_download(REPO, name, revision=revision)
    hub.inject("hang", ".*", times=1)
    with monkeypatch.context() as patch:
        patch.setattr(catdog_hub, "PATIENCE", 0.5)
        located = locate(settings(tiny_weights, revision))
    assert (names(located), located.source) == (["xception"], unreachable(commit))
    assert names(locate(settings(tiny_weights, revision))) == BOTH


def test_a_branch_that_moved_is_followed(hub, commit, tiny_weights):
    locate(settings(tiny_weights))
    only_one = {path.name: path.read_bytes() for path in tiny_weights.glob("xception.*")}
    second = hub.publish(REPO, only_one)
    located = locate(settings(tiny_weights))
    assert (names(located), located.source) == (["xception"], f"hub {REPO}@{second[:12]}")


def test_an_update_that_breaks_off_leaves_the_last_good_commit(hub, commit, tiny_weights):
    locate(settings(tiny_weights))
    hub.publish(REPO, files_of(tiny_weights) | {"new.json": b"{}"})
    hub.inject(503, r"GET .*/new\.json")
    located = locate(settings(tiny_weights))
    assert (names(located), located.source) == (BOTH, unreachable(commit))
    assert "503" in located.problems[0]


def test_offline_mode_uses_the_cache_or_the_bundled_models(hub, commit, tiny_weights, tmp_path, monkeypatch):
    def offline(value):
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", value)
        hub.requests.clear()

    offline(True)
    located = locate(settings(tiny_weights, commit))
    assert (names(located), located.source) == (BOTH, f"folder {tiny_weights.name} (Hub unreachable: {REPO})")
    assert hub.requests == []
    offline(False)
    first = locate(settings(tiny_weights))
    offline(True)
    assert locate(settings(tiny_weights, commit)) == locate(settings(tiny_weights)) == first
    damage_cached(tmp_path, "xception.h5", DAMAGES["truncated"])
    located = locate(settings(tiny_weights))
    assert (names(located), located.source) == (["scratch_cnn"], unreachable(commit))
    assert "HF_HUB_OFFLINE" in located.problems[0] and "xception.h5 is damaged" in located.problems[1]
    assert hub.requests == []


# Beside folders


@pytest.fixture
def mine(tiny_weights, tmp_path):
    """A folder with one model of a name that no other has."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "own.h5").write_bytes((tiny_weights / "xception.h5").read_bytes())
    ModelSpec.read(tiny_weights / "xception.json").replace(name="own", file="own.h5").write(folder / "own.json")
    return folder


def beside(*sources, **others):
    return Settings(weights=os.pathsep.join(map(str, sources)), **others)


def test_a_repository_stands_beside_a_folder_and_each_model_says_whose_it_is(hub, commit, mine, monkeypatch, capfd):
    located = locate(beside(mine, REPO))
    assert names(located) == [*BOTH, "own"]
    assert located.source == f"hub {REPO}@{commit[:12]}: scratch_cnn, xception; folder mine: own"
    assert located.problems == ()
    assert main(["models", "--weights", str(mine), "--weights", REPO, "--json"]) == 0
    listed = json.loads(capfd.readouterr().out)
    assert (listed["source"], [model["source"] for model in listed["models"]]) == (
        located.source, [model.source for model in located.models],
    )  # fmt: skip
    monkeypatch.setenv("CATDOG_WEIGHTS", f"{mine}{os.pathsep}{REPO}")
    assert locate(Settings.from_env()) == located
    with contextlib.closing(load(Settings.from_env())) as comparator:
        assert comparator.compare(Image.new("RGB", (16, 16))).source == located.source


def test_a_revision_may_be_named_and_the_first_model_of_a_name_counts(hub, commit, tiny_weights):
    second = hub.publish(REPO, {path.name: path.read_bytes() for path in tiny_weights.glob("xception.*")})
    for source, revision in ((f"{REPO}@{commit}", "main"), (REPO, commit)):
        assert locate(beside(source, hub_revision=revision)).source == f"hub {REPO}@{commit[:12]}"
    located = locate(beside(REPO, f"{REPO}@{commit[:12]}x", f"{REPO}@{commit}"))
    assert {model.spec.name: model.source for model in located.models} == {
        "scratch_cnn": f"hub {REPO}@{commit[:12]}", "xception": f"hub {REPO}@{second[:12]}",
    }  # fmt: skip
    missing, twice = located.problems
    assert f"no revision {commit[:12]}x" in missing
    assert twice.startswith(f"{REPO}@{commit[:12]}, xception.h5: ")


def test_a_repository_that_cannot_be_used_leaves_the_folder(hub, commit, mine):
    missing = locate(beside(mine, "user/nothing"))
    assert names(missing) == ["own"] and "no folder user/nothing" in missing.problems[0]
    with pytest.raises(ModelUnavailable, match=r"no folder user/nothing here.*does not exist or is private"):
        locate(beside("user/nothing"))
    locate(beside(REPO))
    hub.close()
    again = locate(beside(mine, REPO))
    assert again.source == f"{unreachable(commit)}: scratch_cnn, xception; folder mine: own"
    assert len(again.problems) == 1


def test_a_folder_of_the_name_of_a_repository_is_that_folder(hub, commit, mine, monkeypatch):
    monkeypatch.chdir(mine.parent)
    (mine.parent / "user").mkdir()
    mine.rename(mine.parent / REPO)
    assert names(locate(beside(REPO))) == ["own"]
    assert hub.requests == []


@pytest.mark.parametrize("name", ["./user/models", "user/models/", "~/user/models", "../models", "/user/models"])
def test_a_path_is_never_a_repository(name, hub, monkeypatch):
    monkeypatch.setenv("CATDOG_WEIGHTS", name)
    for asked in (Settings.from_env(), Settings(weights=Path("user/models"))):
        with pytest.raises(ModelUnavailable, match=r"folder .* does not exist"):
            locate(asked)
    assert main(["models", "--weights", name]) == 1
    assert hub.requests == []


# A Hub that does not answer


def unknown_name(*arguments, **options):
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


BEHAVIOURS = {
    "refuses connections": lambda hub: hub.close(),
    "never answers": lambda hub: hub.inject("hang", ".*"),
    "never answers for files": lambda hub: hub.inject("hang", "/resolve/"),
    "never sends a file": lambda hub: hub.inject("hang", "GET .*/resolve/"),
    "has no address": None,
    "is no Hub": lambda hub: hub.inject(200, ".*"),
    "fails": lambda hub: hub.inject(503, ".*"),
    "throttles": lambda hub: hub.inject(429, ".*"),
}


# A branch is asked for its commit first; of a commit, the files are the first question.
@pytest.mark.parametrize(
    ("name", "pinned"),
    [*((name, False) for name in BEHAVIOURS), ("refuses connections", True), ("never answers", True)],
)
def test_unreachable_and_never_cached(hub, commit, hub_client, tiny_weights, monkeypatch, name, pinned):
    behave = BEHAVIOURS[name]
    monkeypatch.setattr(catdog_hub, "PATIENCE", 1)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DOWNLOAD_TIMEOUT", 0.1)
    # What the client waits before each further try to get a file.
    monkeypatch.setattr("huggingface_hub.file_download.time", SimpleNamespace(sleep=lambda _: None))
    if behave:
        behave(hub)
    else:
        monkeypatch.setattr(socket, "getaddrinfo", unknown_name)  # a resolver may take its time to find out
        hub_client("http://hub.invalid")
    located = locate(settings(tiny_weights, commit if pinned else "main"))
    assert sum(thread.name == catdog_hub.THREAD for thread in threading.enumerate()) <= 1  # was waited for in vain
    assert (names(located), located.source) == (BOTH, f"folder {tiny_weights.name} (Hub unreachable: {REPO})")
    [problem] = located.problems
    assert REPO in problem


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HTTP_PROXY", "http://user:secret/@proxy:80"),
        ("ALL_PROXY", "socks5://user:secret@proxy"),
        ("SSL_CERT_FILE", "/secret"),
    ],
)
def test_a_variable_that_no_client_can_use_is_named_without_its_value(
    hub, commit, tiny_weights, monkeypatch, name, value
):
    monkeypatch.setenv(name, value)
    close_session()  # the next client reads it
    [problem] = locate(settings(tiny_weights)).problems
    assert f"({name} must be" in problem
    assert "secret" not in problem and "HF_HOME" not in problem


def test_unreachable_without_cache_and_without_bundled_models(hub, tmp_path):
    hub.close()
    with pytest.raises(ModelUnavailable, match=f"{REPO} cannot be reached.*{tmp_path}.*no model spec"):
        locate(settings(tmp_path))


def test_a_slow_download_may_take_longer_than_the_patience_also_for_others_that_start(
    hub, commit, tiny_weights, monkeypatch
):
    monkeypatch.setattr(catdog_hub, "PATIENCE", 3)
    # What the client waits before it goes on with a file that was cut off.
    monkeypatch.setattr("huggingface_hub.file_download.time", SimpleNamespace(sleep=lambda _: time.sleep(3.5)))
    hub.inject("cut", r"GET .*xception\.h5", times=1)
    with ThreadPoolExecutor() as threads:
        both = [threads.submit(locate, settings(tiny_weights)) for _ in range(2)]
    assert [start.result().source for start in both] == [f"hub {REPO}@{commit[:12]}"] * 2
    assert sum(request.startswith("GET") and request.endswith("xception.h5") for request in hub.requests) == 2


# A transfer that fails


@pytest.mark.parametrize(
    ("kind", "pattern", "when"),
    [
        ("cut", r"GET .*xception\.h5", {"times": 1}),  # the rest is fetched, see above
        (429, r"HEAD .*xception\.h5", {"times": 1}),
        (503, f"GET /api/models/{REPO}/revision/main", {"skip": 1}),  # after the last file
    ],
)
def test_what_passes_is_no_problem(hub, commit, tiny_weights, kind, pattern, when):
    hub.inject(kind, pattern, **when)
    located = locate(settings(tiny_weights))
    assert (names(located), located.source, located.problems) == (BOTH, f"hub {REPO}@{commit[:12]}", ())


def damage_cached(folder, name, how):
    [path] = folder.glob(f"cache/*/snapshots/*/{name}")  # a link to a blob
    how(path)


DAMAGES = {
    "truncated": truncate,
    "empty": lambda path: os.truncate(path, 0),
    "same size": flip_a_bit,
    "link to nothing": lambda path: path.resolve().unlink(),
    "removed": remove,
}


@pytest.mark.parametrize(
    ("how", "name", "branch"),
    [*((how, "xception.h5", None) for how in DAMAGES), ("same size", "scratch_cnn.json", "main")],
)
def test_a_damaged_cache_is_repaired(hub, commit, tiny_weights, tmp_path, how, name, branch):
    wanted = settings(tiny_weights, branch or commit)
    first = locate(wanted)
    damage_cached(tmp_path, name, DAMAGES[how])
    assert locate(wanted) == first
    assert all(model.path.read_bytes() == (tiny_weights / model.path.name).read_bytes() for model in first.models)


# A repository that is wrong


BAD = {
    "xception.h5 is damaged": lambda files: files | {"xception.h5": files["xception.h5"] + b"!"},
    "cannot be read": lambda files: files | {"xception.json": b"{"},
}


@pytest.mark.parametrize(("said", "spoilt"), BAD.items(), ids=BAD)
def test_a_bad_model_is_named_and_the_other_one_is_used(hub, commit, tiny_weights, spoilt, said):
    bad = hub.publish(REPO, spoilt(files_of(tiny_weights)))
    for _ in range(2):  # the second start finds the file in the cache and says the same
        located = locate(settings(tiny_weights))
        assert (names(located), located.source) == (["scratch_cnn"], f"hub {REPO}@{bad[:12]}")
        [problem] = located.problems
        assert said in problem
        assert problem.startswith(f"{REPO}@{bad[:12]}, xception.json: ")
        assert "CATDOG_HUB_REVISION" in problem
    fetched = [request for request in hub.requests if request.startswith("GET") and "/resolve/" in request]
    assert len(fetched) == len(set(fetched))  # and does not fetch it again


@pytest.mark.parametrize(
    ("repo", "revision", "said"),
    [
        ("user/gated", "main", r"user/gated is gated.*HF_TOKEN"),
        ("user/missing", "main", r"user/missing does not exist.*CATDOG_HUB_REPO"),
        ("user/missing", NO_COMMIT, r"user/missing does not exist.*CATDOG_HUB_REPO"),
        (REPO, "no-such-tag", rf"{REPO} has no revision no-such-tag.*CATDOG_HUB_REVISION"),
        (REPO, NO_COMMIT, rf"{REPO} has no revision {NO_COMMIT}.*CATDOG_HUB_REVISION"),
        ("user/empty", "main", r"user/empty has no model spec.*at revision main"),
        ("user/bad--name", "main", r"user/name. Received: 'user/bad--name'"),
        ("user/refused", "main", r"user/refused is refused at revision main with HTTP status 403"),
    ],
)
def test_a_wrong_setting_is_an_error_and_no_fallback(hub, commit, tiny_weights, repo, revision, said):
    hub.publish("user/gated", tiny_weights)
    hub.repositories["user/gated"].gated = True
    hub.publish("user/empty", {"README.md": b"# nothing yet", "report.json": b"{}"})
    hub.inject(403, "user/refused")
    with pytest.raises(ModelUnavailable, match=said) as caught:
        locate(settings(tiny_weights, revision, repo))
    assert type(caught.value) is ModelUnavailable
    assert caught.value.__cause__ is not None or "empty" in repo


def test_a_repository_that_vanished_is_an_error_although_a_branch_is_cached(hub, commit, tiny_weights):
    locate(settings(tiny_weights))
    del hub.repositories[REPO]
    with pytest.raises(ModelUnavailable, match=f"{REPO} does not exist"):
        locate(settings(tiny_weights))


def test_a_cache_that_cannot_be_written_is_an_error_that_names_it(hub, commit, tiny_weights, tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(ModelUnavailable, match=rf"{tmp_path}/cache cannot hold {REPO}.*HF_HOME"):
        locate(settings(tiny_weights))


# End to end


LOCATE = """
import sys
from catdog import Settings
from catdog.models.locate import locate
assert "huggingface_hub" not in sys.modules, "importing catdog.models.locate must not import the client"
located = locate(Settings.from_env())
print(located.source, len(located.models))
"""


def test_the_environment_is_all_that_a_user_sets(tiny_weights, tmp_path):
    """In a process of its own, where the client reads HF_ENDPOINT, HF_HOME and HF_TOKEN by itself."""
    with StandInHub() as hub:
        commit = hub.publish(REPO, tiny_weights)
        hub.repositories[REPO].gated = True
        done = python(
            LOCATE, HF_ENDPOINT=hub.endpoint, HF_HOME=tmp_path, HF_TOKEN=hub.token,
            CATDOG_HUB_REPO=REPO, CATDOG_HUB_REVISION="main",
        )  # fmt: skip
    assert done.stdout.strip() == f"hub {REPO}@{commit[:12]} 2"
    assert list(tmp_path.glob("hub/models--*/snapshots/*/xception.h5"))
