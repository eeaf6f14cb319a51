"""One commit or none: who may publish, what is said when it fails, and how long anybody waits."""

import gc
import os
from types import SimpleNamespace

import pytest

from tests.train.conftest import files_of
from train.publish import hub_client
from train.publish.hub_client import PublishError
from train.publish.hub_repository import Repository, Upload

REPO = "user/things"
FILES = {"model.h5": os.urandom(100_000), "notes.md": b"notes", "empty.txt": b""}
BEFORE = "Nothing was published"
UNKNOWN = "Whether the commit was made is not known"
COMMIT = f"POST /api/models/{REPO}/commit/main"


def publish(files=FILES, repo: str = REPO, private: bool = False, **more):
    with hub_client.bounded_waits():
        repository = Repository(repo)
        repository.require_permission()
        return Upload(repository.at(), files, "things", **more).carry_out(private=private)


def written(stand_in, repo: str = REPO) -> dict[str, bytes]:
    """The files of a repository without the Hub's own."""
    return {name: data for name, data in files_of(stand_in, repo).items() if name != ".gitattributes"}


def commits_of(stand_in) -> int:
    return len(stand_in.repositories[REPO].commits) - 1  # the first one is the Hub's own


def test_files_of_every_kind_arrive_in_one_commit(stand_in, tmp_path):
    (tmp_path / "file.bin").write_bytes(b"from a file")
    result = publish({**FILES, "folder/file.bin": tmp_path / "file.bin"})
    assert written(stand_in) == {**FILES, "folder/file.bin": b"from a file"}
    assert result["commit"] == stand_in.repositories[REPO].refs["main"]
    assert commits_of(stand_in) == 1


def test_what_differs_is_described_and_goes_with_what_is_deleted_in_one_commit(stand_in):
    publish()
    files = {**FILES, "notes.md": b"other", "big.h5": bytes(2_500_000)}
    del files["empty.txt"]
    more = {"deleted": ["empty.txt"], "notes": ["Mind this."]}
    upload = Upload(Repository(REPO).at(), files, "things", variables={"A": "1"}, **more)
    assert upload.describe().splitlines() == [
        "user/things:",
        "  changed         0 kB  notes.md",
        "  new           2.5 MB  big.h5",
        "  deleted               empty.txt",
        "  variable              A=1",
        "  unchanged             1 file",
        "Mind this.",
    ]
    assert publish(files, **more)["files"] == ["notes.md", "big.h5", "empty.txt"]
    assert written(stand_in) == files
    assert commits_of(stand_in) == 2


# Who may publish


@pytest.mark.parametrize(
    ("token", "repo", "said"),
    [
        ("", REPO, "needs a token of the Hub that may write.*settings/tokens.*hf auth login"),
        ("hf_wrong", REPO, "401.*settings/tokens"),
        ("hf_read_only", REPO, "token of user may only read"),
        ("hf_stand_in", "other/cats", "belongs to user, who cannot write to repositories of other.*user/cats"),
    ],
)
def test_who_may_not_publish_is_told_why(hub, monkeypatch, token, repo, said):
    monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(PublishError, match=rf"{said}.*{BEFORE}\.$"):
        publish(repo=repo)
    assert hub.repositories == {}
    assert not [request for request in hub.requests if request.startswith("POST")]


def test_an_organisation_counts_as_ones_own_and_an_unnamed_token_as_one_that_may_write(stand_in):
    assert publish(repo="club/things")["created"]
    stand_in.inject(403, "whoami")
    assert publish()["created"]


def test_a_repository_that_is_public_is_not_published_to_as_private(stand_in):
    publish(private=True)
    assert stand_in.repositories[REPO].private
    stand_in.publish("user/public", {"notes.md": b""})
    with pytest.raises(PublishError, match=f"is public.*--private.*{BEFORE}"):
        publish(repo="user/public", private=True)
    with pytest.raises(PublishError, match=f"is public.*{BEFORE}"):  # when it was made since it was looked for
        Upload(Repository("user/public"), FILES, "things").carry_out(private=True)
    assert written(stand_in, "user/public") == {"notes.md": b""}


# What goes wrong on the way


@pytest.mark.parametrize(
    ("kind", "request_", "said"),
    [
        (403, COMMIT, f"{REPO} .*403.*write permission.*{BEFORE}"),
        (403, "/preupload/", f"{REPO} .*403.*write permission.*{BEFORE}"),
        (403, "PUT /lfs/", f"{REPO} .*403.*write permission.*{BEFORE}"),
        (413, COMMIT, f"HTTP status 413.*{BEFORE}"),
        (412, COMMIT, f"Somebody else changed it.*{BEFORE}"),
        (429, "whoami", f"too many requests.*{BEFORE}"),
        (402, "repos/create", f"HTTP status 402(?!.*--static).*{BEFORE}"),
        ("cut", "repos/create", f"cannot be reached.*{BEFORE}"),
        (200, "whoami", f"the client cannot use the answer.*{BEFORE}"),
        (403, "GET .*/revision/", f"{REPO} .*403.*{BEFORE}"),
        (503, COMMIT, f"HTTP status 503.*{UNKNOWN}"),
        ("cut", COMMIT, f"cannot be reached.*{UNKNOWN}"),
        ("lost", COMMIT, f"cannot be reached.*{UNKNOWN}"),
    ],
)
def test_a_failure_says_what_was_published_and_the_same_command_mends_it(stand_in, kind, request_, said):
    stand_in.inject(kind, request_, times=1)
    with pytest.raises(PublishError, match=said):
        publish()
    if REPO in stand_in.repositories:
        assert written(stand_in) == (FILES if kind == "lost" else {})
    assert publish()["committed"] == (kind != "lost")
    assert written(stand_in) == FILES
    assert commits_of(stand_in) == 1
    if request_ == COMMIT:  # what had arrived was not sent again
        assert sum(request.startswith("PUT /lfs/") for request in stand_in.requests) == 1


def test_somebody_else_who_was_faster_is_not_overwritten(stand_in):
    publish()
    upload = Upload(Repository(REPO).at(), {"notes.md": b"mine"}, "things")
    stand_in.publish(REPO, {"notes.md": b"theirs"})
    with pytest.raises(PublishError, match=f"412.*Somebody else changed it.*{BEFORE}"):
        upload.carry_out()
    assert written(stand_in) == {"notes.md": b"theirs"}


def test_an_upload_cut_in_mid_file_is_taken_up_again(stand_in):
    stand_in.inject("cut", "PUT /lfs/", times=1)
    publish()
    assert written(stand_in) == FILES


def test_an_upload_that_never_succeeds_publishes_nothing_and_draws_no_bar_after_the_error(
    stand_in, monkeypatch, tmp_path, capsys
):
    # Else the client waits 23 seconds in all before it gives up.
    monkeypatch.setattr("huggingface_hub.utils._http.time", SimpleNamespace(sleep=lambda seconds: None))
    stand_in.inject("cut", "PUT /lfs/")
    (tmp_path / "model.h5").write_bytes(FILES["model.h5"])
    with pytest.raises(PublishError, match=f"cannot be reached.*{BEFORE}"):
        publish({"model.h5": tmp_path / "model.h5"})
    assert written(stand_in) == {}
    assert "model.h5" in capsys.readouterr().err
    gc.collect()
    assert capsys.readouterr().err == ""


def test_a_hub_that_falls_silent_is_given_up(stand_in, monkeypatch):
    monkeypatch.setattr(hub_client, "TIMEOUT", 1)
    stand_in.inject("hang", COMMIT)
    with pytest.raises(PublishError, match=UNKNOWN):
        publish()
    stand_in.close()
    with pytest.raises(PublishError, match=f"{REPO} cannot be reached.*Connection refused.*{BEFORE}"):
        publish()


@pytest.mark.parametrize("request_", ["whoami", "/preupload/", "PUT /lfs/", COMMIT])
def test_nobody_waits_for_an_hour(stand_in, request_):
    stand_in.inject(429, request_, retry_after=3600)
    with pytest.raises(PublishError, match=f"asks to wait 60 minutes.*{BEFORE}"):
        publish()


def test_the_client_is_left_as_it_was(stand_in):
    from huggingface_hub import get_session

    publish()
    session = get_session()
    assert session.event_hooks["response"] == [] and session.timeout.read is None
