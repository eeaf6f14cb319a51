"""The stand-in Hub refuses, through the real client, what the Hub refuses; tests/train/publish tests what it keeps."""

from __future__ import annotations

import re
import signal
import subprocess
import sys

import pytest
from huggingface_hub import CommitOperationAdd, HfApi
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError

from tests.conftest import ROOT
from tests.hub.metadata import problems_of

REPO = "user/things"


@pytest.fixture
def api(hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", hub.token)
    return HfApi()


def add(api, repo):
    operations = [CommitOperationAdd("notes.txt", b"two")]
    return api.create_commit(repo, operations, commit_message="more").oid


@pytest.mark.parametrize(
    ("token", "repo", "status"), [(None, REPO, 401), ("hf_wrong", REPO, 401), ("hf_read_only", REPO, 403),
                                  ("hf_stand_in", "other/things", 403), ("hf_stand_in", "club/things", None)],
)  # fmt: skip
def test_who_may_write(hub, monkeypatch, token, repo, status):
    monkeypatch.setenv("HF_TOKEN", token or "")
    hub.publish(repo, {"notes.txt": b"one"})
    if status is None:
        assert add(HfApi(), repo)
        return
    with pytest.raises(HfHubHTTPError) as caught:
        add(HfApi(), repo)
    assert caught.value.response.status_code == status
    assert len(hub.repositories[repo].commits) == 1


def test_a_private_repository_is_nowhere_without_a_token(api, hub):
    api.create_repo(REPO, private=True)
    assert api.model_info(REPO).private
    with pytest.raises(RepositoryNotFoundError):
        HfApi(token=False).model_info(REPO)


@pytest.mark.parametrize(
    ("content", "kind", "said"),
    [
        ("---\na: [\n---\n", "model", "no YAML"),
        ("---\n- a\n---\n", "model", "mapping"),
        ("---\nmodel-index:\n- results:\n  - dataset: {type: 'two words'}\n    metrics: []\n---\n", "model", "pattern"),
        ("---\nmodel-index:\n- results:\n  - dataset: {type: x}\n    metrics: [{type: a}]\n---\n", "model", "value"),
        ("---\ntitle: x\n---\n", "space", "sdk"),
        ("---\nsdk: gradio\ncolorTo: orange\n---\n", "space", "colorTo"),
        (f"---\nsdk: gradio\nshort_description: {'x' * 61}\n---\n", "space", "60"),
    ],
)
def test_front_matter_that_the_hub_refuses(content, kind, said):
    [problem] = problems_of(content, kind)
    assert said in problem


def test_it_serves_on_its_own_and_says_how_to_use_it():
    command = [sys.executable, "-m", "tests.hub", "--fault", "403", "1", "GET .*whoami"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        endpoint = re.search(r"http://\S+", process.stdout.readline())[0]
        api = HfApi(endpoint=endpoint, token="hf_read_only")
        with pytest.raises(HfHubHTTPError, match="403"):
            api.whoami()
        assert api.whoami()["auth"]["accessToken"]["role"] == "read"
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 0
    finally:
        process.kill()
        process.communicate()
